"""Connecting over many routes at once, without a thread for each."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mphttp.network.candidates import Candidate
from mphttp.network.dial import unconnected

from .outcomes import Connected, Route

_TELL_EVERY = 0.2
"""Seconds."""
_REFUSED_BY_NOBODY = (errno.ETIMEDOUT, errno.EHOSTUNREACH)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A connection that is wanted.

    Args:
        route: where it leaves, and to whom.
        plain: whether plain TCP is asked for, not MPTCP.
        within: seconds after which it is given up if nobody has answered.
    """

    route: Route
    plain: bool
    within: float


Told = Callable[[Attempt, Connected, socket.socket | None], None]


def connect_all(
    attempts: Iterable[Attempt], tell: Told, waiting: Callable[[list[Route]], None]
) -> None:
    """Connect over all routes at the same time.

    Args:
        attempts: what is wanted.
        tell: gets each attempt, what came of it, and the socket that is connected, which is its
            from then on; or None.
        waiting: gets the routes that are under way, several times a second.
    """
    began = time.monotonic()
    poll = select.poll()
    under_way: dict[int, tuple[Attempt, socket.socket]] = {}
    try:
        for attempt, sock, number in _begun(attempts):
            if sock is not None and number == errno.EINPROGRESS:
                under_way[sock.fileno()] = attempt, sock
                poll.register(sock, select.POLLOUT)
            else:
                _settle(attempt, sock, number, 0.0, tell)
        while under_way:
            waiting([attempt.route for attempt, _ in under_way.values()])
            first = min(attempt.within for attempt, _ in under_way.values())
            left = max(0.0, began + first - time.monotonic())
            for descriptor, _ in poll.poll(1e3 * min(left, _TELL_EVERY)):
                attempt, sock = under_way.pop(descriptor)
                poll.unregister(descriptor)
                number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                _settle(attempt, sock, number, time.monotonic() - began, tell)
            elapsed = time.monotonic() - began
            for descriptor in [fd for fd, (a, _) in under_way.items() if a.within <= elapsed]:
                attempt, sock = under_way.pop(descriptor)
                poll.unregister(descriptor)
                sock.close()
                what = f"no answer within {attempt.within:.2g} s"
                tell(attempt, Connected(elapsed, what, silent=True), None)
    finally:
        for _, sock in under_way.values():
            sock.close()


def _begun(
    attempts: Iterable[Attempt],
) -> Iterator[tuple[Attempt, socket.socket | None, int]]:
    for attempt in attempts:
        route, sock = attempt.route, None
        try:
            candidate = Candidate(route.family, route.address, route.path)
            sock = unconnected(candidate, None, (), plain=attempt.plain)
            sock.setblocking(False)
            number = sock.connect_ex(route.address)
        except OSError as error:
            number = error.errno or errno.EIO
        yield attempt, sock, number


def _settle(
    attempt: Attempt, sock: socket.socket | None, number: int, seconds: float, tell: Told
) -> None:
    if number == 0:
        tell(attempt, Connected(seconds), sock)
        return
    if sock is not None:
        sock.close()
    silent = number in _REFUSED_BY_NOBODY
    tell(attempt, Connected(seconds, os.strerror(number), silent=silent), None)
