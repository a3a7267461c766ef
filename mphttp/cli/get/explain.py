"""What went wrong on the network, as a sentence, a hint and an exit code."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx

from mphttp import StrategyProblem

from ..exits import ExitCode, Failure
from ..interrupt import TimeLimit
from .decode import CodingError

_DOCTOR = "mphttp doctor {} looks at the paths there"
_KINDS = (
    (httpx.ProxyError, ExitCode.PROXY, "the proxy refused: {error}", ""),
    (httpx.ConnectError, ExitCode.CONNECT, "no connection to {peer}: {error}", _DOCTOR),
    (httpx.TooManyRedirects, ExitCode.REDIRECTS, "the server redirects too often", ""),
    (httpx.UnsupportedProtocol, ExitCode.URL, "the URL can't be used: {error}", ""),
    (httpx.InvalidURL, ExitCode.URL, "the URL can't be used: {error}", ""),
    (httpx.LocalProtocolError, ExitCode.USAGE, "this is no valid request: {error}", ""),
    (httpx.WriteError, ExitCode.SEND, "the request can't be sent: {error}", _DOCTOR),
    (httpx.TransportError, ExitCode.RECEIVE, "the answer can't be received: {error}", _DOCTOR),
)
"""Kind of exception, exit code, sentence and hint; the first that fits counts."""


def explain(error: Exception, url: httpx.URL, *, answered: bool) -> Failure | None:
    """Return the failure that an exception means, or None if it isn't the network's.

    Args:
        error: what a transfer raised.
        url: what was asked for.
        answered: whether the head of the answer was there already.
    """
    if isinstance(error, TimeLimit | httpx.ConnectTimeout):
        return _late(error, url)
    if isinstance(error, CodingError | httpx.DecodingError):
        return Failure(ExitCode.ENCODING, f"the body's coding can't be undone: {error}")
    for cause in _causes(error):
        failure = _by_cause(cause, url, answered)
        if failure is not None:
            return failure
    return _by_kind(error, url, answered)


def _by_cause(cause: BaseException, url: httpx.URL, answered: bool) -> Failure | None:
    match cause:
        case StrategyProblem():
            return Failure(ExitCode.STRATEGY, cause.what, cause.hint)
        case socket.gaierror():
            return _said(ExitCode.RESOLVE, url, cause.strerror)
        case ssl.SSLCertVerificationError():
            return _said(ExitCode.CERTIFICATE, url, cause.verify_message)
        case ssl.SSLError() if not answered:
            return _said(ExitCode.TLS, url, cause.reason or cause)
        case Exception(args=(int(code), str(words))) if type(cause).__module__ == "pycurl":
            known = next((known for known in _SENTENCES if known == code), None)
            return None if known is None else _said(known, url, words)
    return None


_SENTENCES = {
    ExitCode.RESOLVE: ("the name {host} can't be resolved: {why}", ""),
    ExitCode.CERTIFICATE: (
        "the certificate of {host} can't be trusted: {why}",
        "--cacert FILE names certificates to trust; -k trusts any",
    ),
    ExitCode.TLS: (
        "the TLS handshake with {peer} failed: {why}",
        "does it speak TLS there? http:// goes without",
    ),
    ExitCode.EMPTY: ("{peer} closed the connection without an answer", _DOCTOR),
}
"""What is told by the cause's kind, or by libcurl's number, which is ours."""


def _said(code: ExitCode, url: httpx.URL, why: object = "") -> Failure:
    what, hint = _SENTENCES[code]
    return Failure(code, what.format(host=url.host, peer=_peer(url), why=why), hint.format(url))


def _late(error: Exception, url: httpx.URL) -> Failure:
    if isinstance(error, TimeLimit):
        what, option = "the transfer wasn't done in time", "--max-time"
    else:
        what, option = f"{_peer(url)} didn't take a connection in time", "--connect-timeout"
    return Failure(ExitCode.TIMEOUT, what, f"{option} gives it longer")


def _by_kind(error: Exception, url: httpx.URL, answered: bool) -> Failure | None:
    if isinstance(error, httpx.RemoteProtocolError) and answered:
        return Failure(ExitCode.TRUNCATED, f"the body isn't whole: {error}", _DOCTOR.format(url))
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" in str(error):
        return _said(ExitCode.EMPTY, url)
    for kind, code, what, hint in _KINDS:
        if isinstance(error, kind):
            told = what.format(peer=_peer(url), error=_words(error))
            return Failure(code, told, hint.format(url))
    return None


def _peer(url: httpx.URL) -> str:
    return f"{url.host} port {url.port or (443 if url.scheme == 'https' else 80)}"


def _words(error: Exception) -> str:
    reasons = (cause.strerror for cause in _causes(error) if isinstance(cause, OSError))
    return next((reason for reason in reasons if reason), str(error).rstrip("."))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
