"""Making a tunnel: a connection to a host with a strategy, directly or through another proxy."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mphttp.engine import Connection, Exchange, Request, engine
from mphttp.errors import StrategyProblem
from mphttp.network.candidates import Candidates
from mphttp.network.channel_async import AsyncChannel
from mphttp.network.dial_async import connect_async, look_up_async
from mphttp.network.dialogue import hold_async
from mphttp.network.socket_types import Found
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit
from mphttp.report import Report
from mphttp.strategies import SinglePath, Strategy

from .upstream import Upstream

_ANSWER = 4096
"""Bytes that are read at once of a proxy's answer."""
Place = tuple[str, int]
"""A host and a port."""
Choose = Callable[[Found], Found]
"""Leaves of a host's addresses those that may be connected to, and raises OSError if none may."""


@dataclass(frozen=True)
class Ways:
    """How tunnels are made.

    Args:
        path_names: the interfaces that may be used, preferred first, or None for all.
        upstream: a proxy on the way, or None.
        family: `socket.AF_INET` or `socket.AF_INET6` if only one may be used, else 0.
        connect_timeout: seconds until there is a connection, what is said to a proxy included.
        plain: whether TCP is wanted, not MPTCP.
        strict: whether a strategy's problem ends a stream.
    """

    path_names: tuple[str, ...] | None = None
    upstream: Upstream | None = None
    family: int = 0
    connect_timeout: float | None = 60.0
    plain: bool = False
    strict: bool = False


class Unmet(ConnectionAbortedError):
    """What a strategy asks for didn't work, and its stream is a strict one."""


@dataclass
class Tunnel:
    """A connection whose strategy lives until it is closed.

    Args:
        sock: doesn't block.
        connection: what the engine knows it by.
        exchange: where strategy and counts meet.
        ahead: what the other end has sent already.
        report: what happened.
        ends: where it begins and where it leads to.
    """

    sock: socket.socket
    connection: Connection
    exchange: Exchange
    ahead: bytes = b""
    report: Report = field(init=False)
    ends: tuple[Place, Place] = field(init=False)

    def __post_init__(self) -> None:
        self.report = Report(self.exchange)
        self.ends = place_of(self.sock.getsockname()), place_of(self.sock.getpeername())

    def received(self, size: int) -> None:
        """Take that so many bytes have come and were passed on."""
        exchange = self.exchange
        exchange.received += size
        if exchange.resting:
            exchange.stir()
        if exchange.received >= exchange.threshold:
            with _strictly():
                exchange.crossed()

    def sent(self, size: int) -> None:
        """Take that so many bytes are about to leave, or have left just now."""
        with _strictly():
            self.exchange.wrote(size)

    def is_whole(self) -> bool:
        """Tell whether an end that was read is the other side's, not one that was made here."""
        return not self.connection.given_up

    def close(self, *, whole: bool) -> None:
        """End the strategy, and close the socket.

        Args:
            whole: whether both sides have said all.
        """
        self.exchange.finish(whole=whole)
        self.connection.close(self.sock.close)


async def open_tunnel(
    host: str, port: int, strategy: Strategy | None, ways: Ways, choose: Choose | None = None
) -> Tunnel:
    """Connect.

    Args:
        host: a name or an IP address.
        port: TCP port.
        strategy: what decides, or None.
        ways: how.
        choose: what may be connected to, of the addresses of a host; with it, names are looked up
            here, whatever a proxy would do.

    Raises:
        OSError: nobody answered, or nothing may be connected to.
        mphttp.network.proxy.Refused: the proxy on the way doesn't let us through.
    """
    limit = TimeLimit(ways.connect_timeout)
    engine.start()  # before the connection, so that none of its events is missed
    request = Request(
        f"tcp://{f'[{host}]' if ':' in host else host}:{port}",
        strategy or SinglePath(),
        multipath="off" if ways.plain else "mptcp",
        strict=ways.strict,
        length=None,
    )
    with request:
        upstream = ways.upstream
        if upstream is not None and upstream.looks_names_up and choose is None:
            asked, found = host, await look_up_async(upstream.host, upstream.port, limit)
        else:
            found = _chosen(await look_up_async(host, port, limit), host, ways.family, choose)
            asked = str(found[0][4][0])
            if upstream is not None:
                found = await look_up_async(upstream.host, upstream.port, limit)
        candidates = Candidates(upstream.host if upstream else host, found, Start(ways.path_names))
        sock = await connect_async(candidates, limit=limit, plain=ways.plain)
        with _closing(sock), _strictly():
            connection = Connection(sock, engine, ways.path_names)
            ahead = b"" if upstream is None else await _asked(upstream, asked, port, sock, limit)
            connection.sent()
            exchange = connection.begin(request, stream=True)
            exchange.check()
    return Tunnel(sock, connection, exchange, ahead)


def _chosen(found: Found, host: str, family: int, choose: Choose | None) -> Found:
    if family:
        found = [entry for entry in found if entry[0] == family]
        if not found:
            kind = "IPv4" if family == socket.AF_INET else "IPv6"
            raise OSError(errno.EADDRNOTAVAIL, f"{host} has no address of {kind}")
    return found if choose is None else choose(found)


async def _asked(
    upstream: Upstream, host: str, port: int, sock: socket.socket, limit: TimeLimit
) -> bytes:
    channel = AsyncChannel(sock)
    return await hold_async(
        upstream.ask(host, port),
        lambda: channel.receive(_ANSWER, limit.require()),
        lambda data: channel.send(data, limit.require()),
    )


@contextmanager
def _strictly() -> Iterator[None]:
    try:
        yield
    except StrategyProblem as error:
        raise Unmet(errno.ECONNABORTED, str(error)) from error


@contextmanager
def _closing(sock: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:  # also when the task is cancelled
        sock.close()
        raise


def place_of(address: tuple[Any, ...]) -> Place:
    """Return host and port of a socket's address, an IPv4-mapped one as IPv4's."""
    host = str(address[0]).partition("%")[0]
    return host.removeprefix("::ffff:") if "." in host else host, int(address[1])
