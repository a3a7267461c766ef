"""libcurl's errors as the exceptions of httpx, or of httpx2, which have the same names."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, cast

import pycurl

from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError
from mphttp.transports.protocols import HostRequest

from .message import WrongLength
from .transfer import WEIRD_REPLY, Transfer

if TYPE_CHECKING:
    import httpx

# libcurl-errors(3); pycurl has no names for them.
_HTTP2_STREAM = 92
_PROXY = 97
_TOO_LARGE = (27, 100)
"""CURLE_OUT_OF_MEMORY, which before libcurl 8.6 stands for a head that is too large, and
CURLE_TOO_LARGE, which has no words of its own."""

_ALWAYS: dict[int, str] = {
    pycurl.E_UNSUPPORTED_PROTOCOL: "UnsupportedProtocol",
    pycurl.E_URL_MALFORMAT: "UnsupportedProtocol",
    pycurl.E_COULDNT_RESOLVE_PROXY: "ProxyError",
    _PROXY: "ProxyError",
    pycurl.E_COULDNT_RESOLVE_HOST: "ConnectError",
    pycurl.E_COULDNT_CONNECT: "ConnectError",
    pycurl.E_SEND_ERROR: "WriteError",
    pycurl.E_SEND_FAIL_REWIND: "WriteError",
    WEIRD_REPLY: "RemoteProtocolError",
    pycurl.E_GOT_NOTHING: "RemoteProtocolError",
    pycurl.E_PARTIAL_FILE: "RemoteProtocolError",
    pycurl.E_HTTP2: "RemoteProtocolError",
    _HTTP2_STREAM: "RemoteProtocolError",
    **dict.fromkeys(_TOO_LARGE, "RemoteProtocolError"),
}


class Errors:
    """Makes the exceptions of one of the two libraries.

    Args:
        library: `httpx` or `httpx2`.
        request: what was asked for.
        proxied: whether the connection goes to a proxy.
    """

    def __init__(self, library: ModuleType, request: HostRequest, *, proxied: bool) -> None:
        self._library = library
        self._request = request
        self._proxied = proxied

    def of(self, error: BaseException, transfer: Transfer) -> BaseException:
        """Return what callers expect for what ended a transfer; others come back as they are.

        Args:
            error: what ended it.
            transfer: how far it came.
        """
        if isinstance(error, StrategyProblem | KernelError):
            return self.named("TransportError", str(error))
        if isinstance(error, WrongLength):
            return self.named("LocalProtocolError", str(error))
        if not isinstance(error, pycurl.error) or len(error.args) < 2:
            return error
        code, words = int(error.args[0]), str(error.args[1])
        return self.named(_name(code, transfer, self._proxied), words or f"libcurl error {code}")

    def refused(self, error: ValueError | pycurl.error) -> httpx.RequestError:
        """Return what callers expect for a request that can't even begin, and why."""
        if isinstance(error, ValueError):
            return self.named("LocalProtocolError", str(error))
        return self.named(_ALWAYS.get(int(error.args[0]), "ConnectError"), str(error.args[-1]))

    def named(self, name: str, words: str) -> httpx.RequestError:
        """Make an exception by its name."""
        made = getattr(self._library, name)(words, request=self._request)
        return cast("httpx.RequestError", made)


def _name(code: int, transfer: Transfer, proxied: bool) -> str:
    timed_out = code == pycurl.E_OPERATION_TIMEDOUT
    if not transfer.hop.connected:
        if timed_out:
            return "ConnectTimeout"
        if proxied and transfer.easy.getinfo(pycurl.HTTP_CONNECTCODE) >= 300:
            return "ProxyError"  # the proxy's answer to CONNECT
        return _ALWAYS.get(code, "ConnectError")
    if timed_out:
        return "ReadTimeout"
    if code == pycurl.E_UNSUPPORTED_PROTOCOL:  # it was taken for HTTP/0.9
        return "RemoteProtocolError"
    return _ALWAYS.get(code, "ReadError")
