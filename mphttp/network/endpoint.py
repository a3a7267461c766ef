"""The one way to connect, whichever client library it is for: socket, proxy, TLS, in this order."""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

from .dialer import Dialer
from .dialogue import hold, hold_async, recorded
from .proxy import Refused
from .route import Route
from .stream import AsyncMultipathStream, MultipathStream
from .time_limit import TimeLimit
from .tls import Hello

T = TypeVar("T")

_ANSWER = 4096
"""Bytes that are read at once of a proxy's answer."""


class Returned(Protocol):
    """Takes what came of a step, for a trace to hear, and hands it on."""

    def __call__(self, value: T) -> T: ...


class Steps(Protocol):
    """Enters a step of connecting, named and told as in httpcore's traces."""

    def __call__(self, name: str, /, **given: object) -> AbstractContextManager[Returned]: ...


class AsyncSteps(Protocol):
    """Does the same where a trace is to be awaited."""

    def __call__(self, name: str, /, **given: object) -> AbstractAsyncContextManager[Returned]: ...


def _handed_on(value: T) -> T:
    return value


SILENT: nullcontext[Returned] = nullcontext(_handed_on)
"""A step that nobody traces."""


def untraced(_name: str, /, **_given: object) -> nullcontext[Returned]:
    """Trace nothing."""
    return SILENT


@dataclass(frozen=True)
class Endpoint:
    """How connections to one origin are made.

    Args:
        dialer: connects the first leg, on its paths.
        route: what the first leg leads to, and what is said there.
        server_hostname: whom the origin's certificate shall name, if not the route's host.
        protocols: what TLS offers for HTTP (RFC 7301), the most wanted last.
        session: of TLS, to be resumed, or None.
    """

    dialer: Dialer
    route: Route
    server_hostname: str = ""
    protocols: tuple[str, ...] = ("http/1.1",)
    session: ssl.SSLSession | None = None

    def connect(self, timeout: float | None, step: Steps = untraced) -> MultipathStream:
        """Connect; the exceptions are those of the dialer's library.

        Args:
            timeout: seconds for all of it, or None for no limit.
            step: told of each step.
        """
        route, limit = self.route, TimeLimit(timeout)
        name, given = self.dialer.told(route, timeout)
        with ExitStack() as failing:  # which may also be who traces
            with step(name, **given) as returned:
                stream = returned(self.dialer.connect(route, limit))
                failing.callback(stream.close)
            if route.outer_tls is not None:
                stream.begin_tls(Hello(route.outer_tls, route.host), limit)
            if route.tunnel is not None:
                with step("connection.ask_proxy") as returned:
                    returned(self._ask_proxy(stream, limit))
            if (hello := self._hello()) is not None:
                with step("connection.start_tls", **_told(hello, timeout)) as returned:
                    returned(stream.begin_tls(hello, limit))
            failing.pop_all()
        return stream

    async def connect_async(
        self, timeout: float | None, step: AsyncSteps = untraced
    ) -> AsyncMultipathStream:
        """Do as `connect` does."""
        route, limit = self.route, TimeLimit(timeout)
        name, given = self.dialer.told(route, timeout)
        with ExitStack() as failing:  # which may also be who traces, or is cancelled there
            async with step(name, **given) as returned:
                stream = returned(await self.dialer.connect_async(route, limit))
                failing.callback(stream.close_now)
            if route.outer_tls is not None:
                await stream.begin_tls(Hello(route.outer_tls, route.host), limit)
            if route.tunnel is not None:
                async with step("connection.ask_proxy") as returned:
                    returned(await self._ask_proxy_async(stream, limit))
            if (hello := self._hello()) is not None:
                async with step("connection.start_tls", **_told(hello, timeout)) as returned:
                    returned(await stream.begin_tls(hello, limit))
            failing.pop_all()
        return stream

    def _hello(self) -> Hello | None:
        """Return how TLS to the origin begins, None without."""
        route = self.route
        if route.tls is None:
            return None
        # Within other TLS, HTTP/2 can't be spoken.
        protocols = self.protocols if route.outer_tls is None else self.protocols[:1]
        named = self.server_hostname or route.server_hostname
        return Hello(route.tls, named, protocols, self.session)

    def _ask_proxy(self, stream: MultipathStream, limit: TimeLimit) -> bytes:
        """Ask for the tunnel, and return what the proxy answered."""
        heard = bytearray()
        try:
            rest = hold(
                recorded(self.route.ask_proxy(), heard),
                lambda: stream.read(_ANSWER, limit.left()),
                lambda data: stream.write(data, limit.left()),
            )
        except Exception as error:
            self._raise_of_proxy(error, heard)
            raise
        stream.unread(rest)
        return bytes(heard[: len(heard) - len(rest)])

    async def _ask_proxy_async(self, stream: AsyncMultipathStream, limit: TimeLimit) -> bytes:
        """Do as `_ask_proxy` does."""
        heard = bytearray()
        try:
            rest = await hold_async(
                recorded(self.route.ask_proxy(), heard),
                lambda: stream.read(_ANSWER, limit.left()),
                lambda data: stream.write(data, limit.left()),
            )
        except Exception as error:
            self._raise_of_proxy(error, heard)
            raise
        stream.unread(rest)
        return bytes(heard[: len(heard) - len(rest)])

    def _raise_of_proxy(self, error: Exception, heard: bytearray) -> None:
        """Raise what the library does where a proxy doesn't let us through; nothing for the rest.

        Args:
            error: what went wrong.
            heard: what the proxy has said; whoever traces finds it at the cause.
        """
        errors = self.dialer.errors
        if isinstance(error, Refused):
            error.answer = bytes(heard)
        if isinstance(error, (TimeoutError, errors.ReadTimeout, errors.WriteTimeout)):
            raise errors.ConnectTimeout("the proxy didn't answer in time") from error
        if isinstance(error, (Refused, errors.ReadError, errors.WriteError)):
            raise errors.ProxyError(str(error)) from error


def _told(hello: Hello, timeout: float | None) -> dict[str, object]:
    """Return what httpcore's traces are told of TLS."""
    return {
        "ssl_context": hello.context,
        "server_hostname": hello.server_hostname,
        "timeout": timeout,
    }
