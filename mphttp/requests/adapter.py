"""The front door for requests: an adapter whose connections use several paths.

What connects, watches and decides is imported when the first adapter is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import PoolManager, ProxyManager, Retry
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from mphttp.errors import StrategyProblem
from mphttp.network.forked import know
from mphttp.network.framing import fault_of_framing
from mphttp.network.names import checked_port, one_line

from .framing import WrongLengthError

if TYPE_CHECKING:
    from mphttp.engine.request import Multipath
    from mphttp.report import Report
    from mphttp.strategies import Strategy

    from .socks import SocksProxy

_used: ContextVar[Strategy | None] = ContextVar("mphttp_requests_strategy", default=None)


@contextmanager
def using(strategy: Strategy) -> Iterator[None]:
    """Give the requests that this thread or task makes meanwhile a strategy of their own.

    Args:
        strategy: takes the place of the adapter's.

    Raises:
        ValueError: it isn't one.
    """
    from mphttp.engine.request import checked_strategy

    token = _used.set(checked_strategy(strategy))
    try:
        yield
    finally:
        _used.reset(token)


def report(response: requests.Response) -> Report | None:
    """Return what happened to a response, up to now while its body is on its way.

    Args:
        response: of a session that has a `MultipathAdapter`, or one of its `history`.

    Returns:
        None where nothing of the network is known: another adapter's response, one that a test's
        mock made, or one that was pickled.
    """
    from mphttp.report import report_of

    return report_of(response)


class MultipathAdapter(HTTPAdapter):
    """A requests adapter whose responses come over the paths that a strategy opens.

        session.mount("https://", MultipathAdapter(strategy=Deadline(10)))

    Some requests have another strategy by an adapter that is mounted for their URLs, or inside
    `with mphttp.requests.using(strategy):`. What happened, `mphttp.requests.report(response)`
    tells, also of those in `response.history`. Through a proxy (HTTP, or SOCKS5 with
    `mphttp[socks]`), the paths lead to the proxy. An adapter pickles as its strategy does.
    Arguments not named here are those of `requests.adapters.HTTPAdapter`.

    Args:
        strategy: decides when to open and close subflows; None opens none beyond the first.
        paths: names of the interfaces that may be used, preferred first, where the connection
            starts; None allows all, in the system's order.
        strict: raise `requests.ConnectionError` where a problem would only be reported; its cause
            is a `StrategyProblem`.
        multipath: "auto", "mptcp", "ranges" or "off": what may bring a response by several paths
            (mphttp.engine.request.Multipath).

    Raises:
        ValueError: an argument isn't what it should be.
    """

    __attrs__ = [*HTTPAdapter.__attrs__, "_strategy", "_paths", "_strict", "_choice"]  # noqa: RUF012  requests has a list

    def __init__(
        self,
        strategy: Strategy | None = None,
        paths: Sequence[str] | None = None,
        strict: bool = False,
        *,
        multipath: Multipath = "auto",
        pool_connections: int = 10,
        pool_maxsize: int = 10,
        max_retries: int | Retry = 0,
        pool_block: bool = False,
    ) -> None:
        from mphttp.engine.request import checked_multipath, checked_paths, checked_strategy

        self._strategy = checked_strategy(strategy)
        self._paths = checked_paths(paths)
        self._strict = strict
        self._choice = checked_multipath(multipath)
        super().__init__(pool_connections, pool_maxsize, max_retries, pool_block)
        know(self)

    def __setstate__(self, state: dict[str, object]) -> None:
        super().__setstate__(state)  # type: ignore[misc]
        know(self)

    def after_fork(self) -> None:
        """Begin anew; the connections are the parent process's."""
        self.__setstate__(cast("dict[str, object]", self.__getstate__()))

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: object
    ) -> None:
        self._pools = connections
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self._multipath(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> PoolManager:
        _check_port(proxy, requests.exceptions.InvalidProxyURL)
        if proxy.lower().startswith("socks"):
            return self._socks_manager_for(proxy, **proxy_kwargs)
        manager: ProxyManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        try:
            for words in chain.from_iterable(manager.proxy_headers.items()):
                one_line(words, "what a proxy is told")
        except ValueError as error:
            raise requests.exceptions.InvalidHeader(str(error)) from None
        return self._multipath(manager)

    def _socks_manager_for(self, proxy: str, **proxy_kwargs: object) -> PoolManager:
        from .socks import SocksProxy

        managers: dict[str, PoolManager] = self.proxy_manager
        if proxy not in managers:
            # What the manager of direct connections has been given, as `HTTPAdapter` does it.
            manager = PoolManager(self._pools)
            manager.connection_pool_kw |= self.poolmanager.connection_pool_kw | proxy_kwargs
            managers[proxy] = self._multipath(manager, socks=SocksProxy.of(proxy))
        return managers[proxy]

    def _multipath(self, manager: PoolManager, socks: SocksProxy | None = None) -> PoolManager:
        """Let a manager make our connections; it has been asked for none yet."""
        from mphttp.engine.request import plain

        from .pools import HTTPConnectionPool, HTTPSConnectionPool

        kinds: dict[str, Callable[..., object]]
        kinds = {"http": HTTPConnectionPool, "https": HTTPSConnectionPool}
        names, tcp = self._paths, plain(self._choice)
        manager.pool_classes_by_scheme = {
            scheme: cast(
                "type[urllib3.HTTPConnectionPool]",
                partial(kind, path_names=names, plain=tcp, socks=socks),
            )
            for scheme, kind in kinds.items()
        }
        return manager

    def send(  # noqa: PLR0917  as requests has it
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        from mphttp.engine.request import Request

        _check_port(str(request.url), requests.exceptions.InvalidURL)
        # Here as well as below: what requests makes of a proxy's address may have lost its port 0.
        proxy = select_proxy(str(request.url), proxies)
        if proxy:
            _check_port(proxy, requests.exceptions.InvalidProxyURL)
        _check_framing(request)
        used = _used.get()
        strategy = self._strategy if used is None else used
        try:
            with Request(str(request.url), strategy, self._strict, self._choice):
                return super().send(request, stream, timeout, verify, cert, proxies)
        except StrategyProblem as problem:
            raise requests.ConnectionError(problem, request=request) from problem
        except WrongLengthError as error:
            raise requests.exceptions.InvalidHeader(str(error), request=request) from error

    def build_response(
        self, req: requests.PreparedRequest, resp: urllib3.BaseHTTPResponse
    ) -> requests.Response:
        from .response import StrictResponse, ToldResponse

        response = super().build_response(req, resp)
        told = report(response)
        if self._strict:
            return StrictResponse.of(response, told)
        return response if told is None else ToldResponse.of(response, told)


def _check_framing(request: requests.PreparedRequest) -> None:
    """Refuse a request that hasn't one clear end."""
    told = [(_bytes(name), _bytes(value)) for name, value in request.headers.items()]
    fault = fault_of_framing(told)
    body, length = request.body, request.headers.get("Content-Length")
    if (
        fault is None
        and isinstance(body, bytes)
        and length is not None
        and int(length) != len(body)
    ):
        fault = f"the body has {len(body)} bytes, but its Content-Length is {length}"
    if fault is not None:
        raise requests.exceptions.InvalidHeader(fault, request=request)


def _bytes(words: str | bytes) -> bytes:
    return words if isinstance(words, bytes) else words.encode("latin-1", "replace")


def _check_port(url: str, kind: type[requests.exceptions.InvalidURL]) -> None:
    """Refuse a port that can't be; urllib3 takes 0 for the scheme's own."""
    try:
        port = parse_url(url).port
        if port is not None:
            checked_port(port)
    except (LocationParseError, ValueError) as error:
        raise kind(str(error)) from None
