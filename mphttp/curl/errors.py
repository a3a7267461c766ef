"""libcurl's errors as httpx's exceptions."""

from __future__ import annotations

import httpx
import pycurl

from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError

from .message import WrongLength
from .transfer import WEIRD_REPLY, Transfer

# libcurl-errors(3); pycurl has no names for them.
_HTTP2_STREAM = 92
_PROXY = 97
_TOO_LARGE = (27, 100)
"""CURLE_OUT_OF_MEMORY, which before libcurl 8.6 stands for a head that is too large, and
CURLE_TOO_LARGE, which has no words of its own."""

_ALWAYS: dict[int, type[httpx.RequestError]] = {
    pycurl.E_UNSUPPORTED_PROTOCOL: httpx.UnsupportedProtocol,
    pycurl.E_URL_MALFORMAT: httpx.UnsupportedProtocol,
    pycurl.E_COULDNT_RESOLVE_PROXY: httpx.ProxyError,
    _PROXY: httpx.ProxyError,
    pycurl.E_COULDNT_RESOLVE_HOST: httpx.ConnectError,
    pycurl.E_COULDNT_CONNECT: httpx.ConnectError,
    pycurl.E_SEND_ERROR: httpx.WriteError,
    pycurl.E_SEND_FAIL_REWIND: httpx.WriteError,
    WEIRD_REPLY: httpx.RemoteProtocolError,
    pycurl.E_GOT_NOTHING: httpx.RemoteProtocolError,
    pycurl.E_PARTIAL_FILE: httpx.RemoteProtocolError,
    pycurl.E_HTTP2: httpx.RemoteProtocolError,
    _HTTP2_STREAM: httpx.RemoteProtocolError,
    **dict.fromkeys(_TOO_LARGE, httpx.RemoteProtocolError),
}


def as_httpx_error(
    error: BaseException, transfer: Transfer, request: httpx.Request, *, proxied: bool
) -> BaseException:
    """Return what httpx's callers expect for what ended a transfer; others come back as they are.

    Args:
        error: what ended it.
        transfer: how far it came.
        request: what was asked for.
        proxied: whether the connection goes to a proxy.
    """
    if isinstance(error, StrategyProblem | KernelError):
        return httpx.TransportError(str(error), request=request)
    if isinstance(error, WrongLength):
        return httpx.LocalProtocolError(str(error), request=request)
    if not isinstance(error, pycurl.error) or len(error.args) < 2:
        return error
    code, words = int(error.args[0]), str(error.args[1])
    return _kind(code, transfer, proxied)(words or f"libcurl error {code}", request=request)


def refused(error: ValueError | pycurl.error, request: httpx.Request) -> httpx.RequestError:
    """Return what httpx's callers expect for a request that can't even begin.

    Args:
        error: why.
        request: what was asked for.
    """
    if isinstance(error, ValueError):
        return httpx.LocalProtocolError(str(error), request=request)
    code, words = int(error.args[0]), error.args[-1]
    return _ALWAYS.get(code, httpx.ConnectError)(str(words), request=request)


def _kind(code: int, transfer: Transfer, proxied: bool) -> type[httpx.RequestError]:
    timed_out = code == pycurl.E_OPERATION_TIMEDOUT
    if not transfer.connected:
        if timed_out:
            return httpx.ConnectTimeout
        if proxied and transfer.easy.getinfo(pycurl.HTTP_CONNECTCODE) >= 300:
            return httpx.ProxyError  # the proxy's answer to CONNECT
        return _ALWAYS.get(code, httpx.ConnectError)
    if timed_out:
        return httpx.ReadTimeout
    if code == pycurl.E_UNSUPPORTED_PROTOCOL:  # it was taken for HTTP/0.9
        return httpx.RemoteProtocolError
    return _ALWAYS.get(code, httpx.ReadError)
