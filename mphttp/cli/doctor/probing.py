"""Sending the probes out: every path at the same time, and all within one limit."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import httpx

from mphttp.engine.paths import usable_paths, why_alone
from mphttp.kernel import Path, SocketAddress
from mphttp.kernel.diagnosis.machine import counters
from mphttp.kernel.hints import SYSCTL
from mphttp.kernel.interfaces.paths import paths_outside
from mphttp.kernel.reading.info import mptcp_error
from mphttp.network.time_limit import TimeLimit

from .asking import ask
from .connecting import Attempt, connect_all
from .joining import Server, exchange, join, protocol_of
from .outcomes import Answer, Connected, Joined, Outcomes, Probed, Protocol, Route

_CONNECT_WITHIN = 5.0
"""Seconds; several times what a handshake over a satellite takes."""
_RETRANSMISSIONS = 2
_BEFORE_NEXT_SYN = 0.6
_MOST_THREADS = 64
_TELL_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What a connection is once data has flowed.

    Args:
        protocol: what it turned out to be.
        certificate: digest of what was shown, "" without TLS.
    """

    protocol: Protocol
    certificate: str


Key = TypeVar("Key")
Result = TypeVar("Result", Exchanged | Answer, Joined)
Progress = Callable[[str], None]


def routes_to(found: Sequence[Any]) -> list[Route]:
    """List the paths to a server, those to its first address of each family.

    Args:
        found: its addresses, as `socket.getaddrinfo` has them.
    """
    first_of_family = {family: address for family, *_, address in reversed(found)}
    return [
        Route(path, family, address)
        for family, address in first_of_family.items()
        for path in usable_paths(
            SocketAddress(str(address[0]), int(address[1])),
            None,
            int(address[3]) if len(address) > 3 else 0,
        )
    ]


def probe(
    url: httpx.URL,
    found: Sequence[Any],
    limit: TimeLimit,
    *,
    control: bool,
    verify: ssl.SSLContext | bool = True,
    progress: Progress = lambda _: None,
) -> Outcomes:
    """Try everything on every path to a server.

    Args:
        url: of an object there.
        found: the server's addresses, as `socket.getaddrinfo` has them.
        limit: for all of it.
        control: whether subflows can be opened at all.
        verify: whose certificates are trusted, as httpx takes it.
        progress: is told now and then what is under way.
    """
    server = Server(url.host, url.netloc.decode(), url.scheme == "https")
    before = counters()
    run = _Run(url, server, limit, verify, progress)
    run.connect(routes_to(found))
    run.exchange()
    if control:
        run.join()
    moved = {name: count - before.get(name, 0) for name, count in counters().items()}
    return Outcomes(
        host=url.host,
        scheme=url.scheme,
        addresses=tuple(dict.fromkeys(str(address[0]) for *_, address in found)),
        probed=tuple(run.probed.values()),
        answers={name: run.answers[name] for name in run.names() if name in run.answers},
        around=_around(run.probed),
        disabled=moved.get("MPCapableSYNTXDisabled", 0) > 0,
        in_time=limit.left() != 0,
        counters={name: count for name, count in moved.items() if count},
    )


def before_fallback() -> float:
    """Return the seconds for which only SYNs with MPTCP are sent to who doesn't answer them.

    After that, the kernel goes on with plain TCP; if that works, it makes *all* new connections of
    this network namespace plain TCP for an hour (net/mptcp/ctrl.c, mptcp_active_detect_blackhole).
    To ask who is to blame must not do that. One second lies between two SYNs, or more.
    """
    try:
        sent = int((SYSCTL / "syn_retrans_before_tcp_fallback").read_text())
    except (OSError, ValueError):
        sent = _RETRANSMISSIONS
    return sent + _BEFORE_NEXT_SYN


class _Run:
    """The probes of one server; only the main thread changes what is here."""

    def __init__(
        self,
        url: httpx.URL,
        server: Server,
        limit: TimeLimit,
        verify: ssl.SSLContext | bool,
        progress: Progress,
    ) -> None:
        self._url = url
        self._server = server
        self._limit = limit
        self._verify = verify
        self._progress = progress
        self._sockets: dict[Route, socket.socket] = {}
        self.probed: dict[Route, Probed] = {}
        self.answers: dict[str, Answer] = {}

    def names(self) -> list[str]:
        """Return the names of the paths, the preferred one first."""
        return list(dict.fromkeys(route.path.name for route in self.probed))

    def connect(self, routes: Iterable[Route]) -> None:
        """Connect over each path with MPTCP, and with TCP, which tells whom to blame."""
        self.probed = {route: Probed(route) for route in routes}
        left = self._limit.left()
        most = _CONNECT_WITHIN if left is None else min(_CONNECT_WITHIN, left)
        kinds = {True: most} | ({} if mptcp_error() else {False: min(most, before_fallback())})
        attempts = [
            Attempt(route, plain, within)
            for route in self.probed
            for plain, within in kinds.items()
        ]
        connect_all(
            attempts,
            self._connected,
            lambda waiting: self._progress(f"connecting over {_names(waiting)}"),
        )

    def _connected(self, attempt: Attempt, came: Connected, sock: socket.socket | None) -> None:
        probed = self.probed[attempt.route]
        if attempt.plain:
            self.probed[attempt.route] = replace(probed, plain=came)
            if sock is not None:
                sock.close()
            return
        protocol = None if sock is None else protocol_of(sock)
        self.probed[attempt.route] = replace(probed, multipath=came, protocol=protocol)
        if sock is not None:
            self._sockets[attempt.route] = sock

    def exchange(self) -> None:
        """Have data flow on what is connected, and ask for the object over each live path."""
        jobs: dict[Route | str, Callable[[], Exchanged | Answer]] = {
            route: _exchanging(sock, self._server, self._limit)
            for route, sock in self._sockets.items()
        }
        live = [route.path.name for route, probed in self.probed.items() if _is_live(probed)]
        jobs |= {name: self._asking(name) for name in live}
        for key, came in self._together("asking", jobs).items():
            if isinstance(came, Answer):
                self.answers[came.path] = came
            elif isinstance(key, Route):
                self.probed[key] = _after_exchange(self.probed[key], came)

    def _asking(self, name: str) -> Callable[[], Answer]:
        return lambda: ask(self._url, name, self._limit, self._verify)

    def join(self) -> None:
        """Open a subflow on each path where TCP works, of a connection on another path."""
        bases = [r for r, probed in self.probed.items() if probed.protocol is Protocol.MPTCP]
        jobs: dict[Route, Callable[[], Joined]] = {}
        for route, probed in self.probed.items():
            base = _base_for(route, bases)
            if base is not None and _is_live(probed):
                jobs[route] = _joining(base, route.path, self._server, self._limit)
        for route, joined in self._together("joining", jobs).items():
            self.probed[route] = replace(self.probed[route], joined=joined)

    def _together(self, what: str, jobs: Mapping[Key, Callable[[], Result]]) -> dict[Key, Result]:
        """Run jobs at the same time, and return what came of those that ended in time."""
        waiting, done = SimpleQueue[Key](), SimpleQueue[tuple[Key, Result | Exception]]()
        for key in jobs:
            waiting.put(key)

        def work() -> None:
            with suppress(Empty):
                while True:
                    key = waiting.get_nowait()
                    try:
                        done.put((key, jobs[key]()))
                    except Exception as error:  # a bug, which the main thread is to tell
                        done.put((key, error))

        for _ in range(min(len(jobs), _MOST_THREADS)):
            # Nobody waits at the end for one that hangs.
            threading.Thread(target=work, name="mphttp-doctor", daemon=True).start()
        came: dict[Key, Result] = {}
        while len(came) < len(jobs):
            left = self._limit.left()
            self._progress(f"{what} over {_names(key for key in jobs if key not in came)}")
            try:
                key, result = done.get(timeout=_TELL_EVERY)
            except Empty:
                if left == 0:
                    break
                continue
            if isinstance(result, Exception):
                raise result
            came[key] = result
        return came


def _is_live(probed: Probed) -> bool:
    """Tell whether packets come back."""
    return any(came is not None and came.ok for came in (probed.plain, probed.multipath))


def _after_exchange(probed: Probed, came: Exchanged) -> Probed:
    fell_back = probed.protocol is Protocol.MPTCP and came.protocol is Protocol.TCP
    protocol = Protocol.TCP_WITH_DATA if fell_back else came.protocol
    return replace(probed, protocol=protocol, certificate=came.certificate)


def _exchanging(sock: socket.socket, server: Server, limit: TimeLimit) -> Callable[[], Exchanged]:
    def work() -> Exchanged:
        shown = ""
        with closing(sock):
            with suppress(OSError, ValueError):
                shown = exchange(sock, server, limit)
            return Exchanged(protocol_of(sock), shown)

    return work


def _joining(base: Route, target: Path, server: Server, limit: TimeLimit) -> Callable[[], Joined]:
    return lambda: join(base, target, server, limit)


def _around(routes: Iterable[Route]) -> tuple[str, str] | None:
    """Say which interfaces aren't used, since the route to the server is a VPN's."""
    for route in routes:
        if paths_outside(route.remote):
            return why_alone(route.path.name, route.remote)
    return None


def _base_for(route: Route, bases: Sequence[Route]) -> Route | None:
    """Choose where the connection begins that a path is to join: of its family, elsewhere."""
    fit = [base for base in bases if base.family == route.family]
    return next((base for base in fit if base.path != route.path), fit[0] if fit else None)


def _names(keys: Iterable[object]) -> str:
    names = dict.fromkeys(key.path.name if isinstance(key, Route) else str(key) for key in keys)
    shown = list(names)[:4]
    return ", ".join(shown) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
