"""What went wrong on the network, as a sentence, a hint and an exit code: curl's where it has one.

First the cause is looked for, in the chain of exceptions, then their kind; who is to blame is the
one that was spoken to: the proxy, or the host that was asked last, after all redirects.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from mphttp import StrategyProblem

from ..exits import ExitCode, Failure, of_this_machine
from ..interrupt import TimeIsOver
from ..url import port_of, why_unresolved
from .decode import CodingError


@dataclass(frozen=True)
class Asked:
    """What was under way.

    Args:
        url: what was asked for last.
        proxy: URL of the proxy on the way there, or None.
        answered: whether the head of the answer was there already.
        tunnelled: whether the proxy had let us through to where TLS with the origin begins; None if
            nobody tells.
    """

    url: httpx.URL
    proxy: str | None = None
    answered: bool = False
    tunnelled: bool | None = False

    def peer(self, *, through: bool = True) -> str:
        """Name who is connected to, or with a proxy `through` it, who is behind it."""
        if self.proxy is not None and not through:
            return f"the proxy {_peer(httpx.URL(self.proxy))}"
        return _peer(self.url)

    def tls_peers(self) -> tuple[str, str]:
        """Name who TLS was being spoken with, with its port and without."""
        proxy = httpx.URL(self.proxy or "")
        if proxy.scheme != "https" or self.tunnelled:
            return self.peer(), self.url.host
        whose = self.peer(through=False), f"the proxy {proxy.host}"
        if self.tunnelled is None:
            return f"{self.peer()} or {whose[0]}", f"{self.url.host} or {whose[1]}"
        return whose


_DOCTOR = "mphttp doctor {url} looks at the paths there"
_OTHER_PROXY = "-x names another proxy, and --noproxy who is reached without one"
_TOLD = {
    ExitCode.PROTOCOL: ("the answer of {peer} is no HTTP that is known here: {why}", ""),
    ExitCode.URL: ("the URL can't be used: {why}", ""),
    ExitCode.PROXY: ("{proxy} can't be used: {why}", _OTHER_PROXY),
    ExitCode.SOCKS: ("{proxy} can't be used: {why}", _OTHER_PROXY),
    ExitCode.RESOLVE: ("the name {host} can't be resolved: {why}", ""),
    ExitCode.CONNECT: ("no connection to {peer}: {why}", _DOCTOR),
    ExitCode.WEIRD: ("the answer of {peer} can't be understood: {why}", ""),
    ExitCode.TRUNCATED: ("the body isn't whole: {why}", _DOCTOR),
    ExitCode.MEMORY: ("there is no memory left: {why}", ""),
    ExitCode.TIMEOUT: ("{peer} was silent for too long: {why}", _DOCTOR),
    ExitCode.TLS: (
        "the TLS handshake with {peer} failed: {why}",
        "does it speak TLS there? http:// goes without",
    ),
    ExitCode.REDIRECTS: ("the server redirects too often", ""),
    ExitCode.EMPTY: ("{peer} closed the connection without an answer", _DOCTOR),
    ExitCode.SEND: ("the request can't be sent: {why}", _DOCTOR),
    ExitCode.RECEIVE: ("the answer can't be received: {why}", _DOCTOR),
    ExitCode.CERTIFICATE: (
        "the certificate of {host} can't be trusted: {why}",
        "--cacert FILE names certificates to trust; -k trusts any",
    ),
    ExitCode.ENCODING: ("the body's coding can't be undone: {why}", ""),
    ExitCode.CA_FILE: ("the trusted certificates can't be read: {why}", "--cacert names others"),
    ExitCode.USAGE: ("this is no valid request: {why}", ""),
}
"""Sentence and hint for each code; libcurl's numbers are among them."""

_KINDS: tuple[tuple[type[Exception], ExitCode], ...] = (
    (httpx.TimeoutException, ExitCode.TIMEOUT),
    (httpx.ConnectError, ExitCode.CONNECT),
    (httpx.TooManyRedirects, ExitCode.REDIRECTS),
    (httpx.InvalidURL, ExitCode.URL),
    (httpx.DecodingError, ExitCode.ENCODING),
    (httpx.LocalProtocolError, ExitCode.USAGE),
    (httpx.WriteError, ExitCode.SEND),
    (httpx.TransportError, ExitCode.RECEIVE),
)
"""Kinds of exceptions; the first that fits counts."""

_TOO_LARGE = (27, 100)
"""libcurl-errors(3): out of memory, as libcurl before 8.6 has it of heads, and too large."""
_UNKNOWN_HTTP = ("status line", "HTTP version", "status_code")
"""What h11 says of an answer in another protocol; curl takes it for HTTP/0.9, or refuses."""


def explain(error: Exception, asked: Asked) -> Failure | None:
    """Return the failure that an exception means, or None if it is a bug.

    Args:
        error: what a transfer raised.
        asked: what was under way.
    """
    if isinstance(error, TimeIsOver):
        return late()
    if isinstance(error, httpx.ConnectTimeout):
        what = f"{asked.peer(through=False)} didn't take a connection in time"
        return Failure(ExitCode.TIMEOUT, what, "--connect-timeout gives it longer")
    for cause in _causes(error):
        failure = _by_cause(cause, asked) or of_this_machine(cause)
        if failure is not None:
            return failure
    return _by_kind(error, asked)


def late() -> Failure:
    """Return the failure that `--max-time` means."""
    what = "the transfer wasn't done in time"
    return Failure(ExitCode.TIMEOUT, what, "--max-time gives it longer")


def _by_cause(cause: BaseException, asked: Asked) -> Failure | None:
    match cause:
        case StrategyProblem():
            return Failure(ExitCode.STRATEGY, cause.what, cause.hint)
        case CodingError():
            return _said(ExitCode.ENCODING, asked, cause)
        case socket.gaierror() | UnicodeError() if _about_a_name(cause):
            code = ExitCode.RESOLVE if asked.proxy is None else ExitCode.PROXY
            return _said(code, asked, why_unresolved(cause))
        case ssl.SSLError() if not asked.answered:
            return _of_tls(cause, asked)
        case Exception(args=(int(number), str(words))) if type(cause).__module__ == "pycurl":
            return _by_number(number, words, asked)
    return None


def _of_tls(cause: ssl.SSLError, asked: Asked) -> Failure:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _said(ExitCode.CERTIFICATE, asked, cause.verify_message)
    return _said(ExitCode.TLS, asked, cause.reason or cause)


def _by_number(number: int, words: str, asked: Asked) -> Failure | None:
    """Tell libcurl's errors, whose numbers are ours."""
    if number in _TOO_LARGE and asked.proxy is None:
        what = f"the answer of {asked.peer()} can't be received: its head is too large for libcurl"
        return Failure(ExitCode.RECEIVE, what)
    code = next((code for code in _TOLD if code == number), None)
    if code in (None, ExitCode.USAGE):
        return None
    if asked.proxy is not None and (code is ExitCode.CONNECT or "CONNECT" in words):
        return _of_proxy(ExitCode.RECEIVE if "CONNECT" in words else code, asked, words)
    return _said(code, asked, words)


def _by_kind(error: Exception, asked: Asked) -> Failure | None:
    if isinstance(error, httpx.ProxyError):
        return _of_proxy(_proxy_code(asked), asked, f"it refused: {_words(error)}")
    if isinstance(error, httpx.RemoteProtocolError):
        return _said(_of_protocol(error, answered=asked.answered), asked, _words(error))
    if isinstance(error, httpx.UnsupportedProtocol):
        return Failure(ExitCode.PROTOCOL, f"the URL can't be used: {_words(error)}")
    code = next((code for kind, code in _KINDS if isinstance(error, kind)), None)
    if code is ExitCode.CONNECT and asked.proxy is not None:
        return _of_proxy(code, asked, _words(error))
    return None if code is None else _said(code, asked, _words(error))


def _of_proxy(code: ExitCode, asked: Asked, why: str) -> Failure:
    """Blame the proxy; curl has numbers of its own for what it does wrong."""
    told = _said(ExitCode.PROXY, asked, why)
    return Failure(code, told.what, told.hint)


def _of_protocol(error: Exception, *, answered: bool) -> ExitCode:
    words = str(error)
    if "closed connection" in words or "disconnected" in words:
        return ExitCode.TRUNCATED if answered else ExitCode.EMPTY
    if answered or "too long" in words or "more than" in words:
        return ExitCode.RECEIVE
    if "Transfer-Encoding" in words:
        return ExitCode.ENCODING
    unknown = any(sign in words for sign in _UNKNOWN_HTTP) and r"\x00" not in words
    return ExitCode.PROTOCOL if unknown else ExitCode.WEIRD


def _proxy_code(asked: Asked) -> ExitCode:
    socks = asked.proxy is not None and asked.proxy.startswith("socks")
    return ExitCode.SOCKS if socks else ExitCode.RECEIVE


def _said(code: ExitCode, asked: Asked, why: object = "") -> Failure:
    what, hint = _TOLD[code]
    peer, host = asked.peer(), asked.url.host
    if asked.proxy is not None and code in (ExitCode.TLS, ExitCode.CERTIFICATE):
        peer, host = asked.tls_peers()
    told = what.format(host=host, peer=peer, proxy=asked.peer(through=False), why=why)
    return Failure(code, told, hint.format(url=asked.url.copy_with(userinfo=b"")))


def _about_a_name(cause: BaseException) -> bool:
    return isinstance(cause, socket.gaierror) or "idna" in str(cause)


def _peer(url: httpx.URL) -> str:
    return f"{url.host} port {port_of(url) or 1080}"  # that of SOCKS is the only one missing


def _words(error: Exception) -> str:
    reasons = (cause.strerror for cause in _causes(error) if isinstance(cause, OSError))
    return next((reason for reason in reasons if reason), str(error).rstrip("."))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
