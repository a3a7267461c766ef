"""One connected socket as the engine knows it."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import time
from collections.abc import Callable

from mphttp.kernel.connection.receive_buffer import enlarge, held_back, is_stuck
from mphttp.kernel.errors import KernelError, NotMultipath
from mphttp.kernel.mechanism import Control
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.kernel.values import SocketAddress
from mphttp.strategies import SinglePath

from .account import Taken
from .carrier import Carrier
from .driven import Driven
from .exchange import Exchange
from .in_kernel import opened_by_kernel
from .joining import Joining
from .loop import Engine
from .mechanisms import WITHOUT_MPTCP
from .paths import names_on_link, of_other_family
from .reader import SocketReader
from .request import Parts, Request, current_request
from .watch import Watch

_log = logging.getLogger("mphttp.engine")
_SO_BINDTOIFINDEX = 62
_QUESTIONS = 127
"""Unanswered ones after which the kernel gives a subflow up; the most there can be."""
_PATIENT = 15
"""Seconds between two of them where nobody waits; four are enough then."""
_WORTH_PARTS = 64 * 1024
"""Bytes of a body below which it is here before a subflow is refused and another connection made.
"""


class Connection(Carrier):
    """A connected socket, and the responses that come over it.

    Args:
        sock: connected, MPTCP or TCP.
        engine: wakes it.
        path_names: the paths that may be used, preferred first, or None for all.

    Attributes:
        reader: takes down the state of the socket.
        addresses: of the peer's name, in the other family.
        given_up: whether it was shut down here: what is read as its end is none.
    """

    refused_hint = (
        "the server takes no more of them (`ip mptcp limits` there), or something on the way ends "
        'them: multipath="ranges" (--multipath ranges) needs none'
    )
    joins = True

    def __init__(
        self, sock: socket.socket, engine: Engine, path_names: tuple[str, ...] | None
    ) -> None:
        self.reader = SocketReader(sock)
        peer = sock.getpeername()
        names = names_on_link(sock, str(peer[0]), path_names)
        super().__init__(self.reader, SocketAddress(*peer[:2]), engine, names)
        with contextlib.suppress(OSError):  # before 5.0, and where a sandbox is the kernel
            self.reach.device = sock.getsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX)
        request = current_request()
        self.addresses = of_other_family(self.remote, request.addresses if request else ())
        if sock.family != socket.AF_INET:  # whose MPTCP takes subflows of IPv4 alone
            self.reach.also_at = self.addresses
        self._watch = Watch(time.monotonic())
        self._stuck = False
        self.given_up = False
        self._calling = False
        self._close_socket: Callable[[], None] | None = None
        taken = self.reader.all()  # which finds out whether it is MPTCP
        # What carries out calls is looked for only where there may be any.
        self._mechanism = engine.mechanism if self.reader.multipath else WITHOUT_MPTCP
        self._joining = Joining(self.reach, self.addresses, engine.joins, self._mechanism)
        self._begin(self._new_control(), taken, self._watch.asked_at)
        _log.debug("connected to %s, %s by %s", self.remote, self.protocol, self.mechanism_name)

    def _new_control(self) -> Control | None:
        if not self.reader.multipath:
            return None
        try:
            return self._mechanism.control(self.reader.sock)
        except NotMultipath:
            return None

    @property
    def mechanism_name(self) -> str:
        """Name of what carries out the calls, "none" for plain TCP."""
        return self._mechanism.name if self.reader.multipath else "none"

    @property
    def stranded(self) -> bool:
        """Whether no subflow is left to carry a next request, and no strategy at work to open one.

        A server's restart does that, or a middlebox, to an idle connection.
        """
        return not self.transfers.under_way and self.reader.stranded

    # The reading side.

    def replace_socket(self, sock: socket.socket) -> None:
        """Take the socket that TLS has wrapped around the first one, whose descriptor it took."""
        with self.lock:
            self.reader.sock = sock
            self._calls.control = self._new_control()

    def begin(self, request: Request, *, stream: bool = False) -> Exchange:
        """Let a request leave over it; it is told of what follows.

        Args:
            request: what is asked for.
            stream: whether bytes follow in both directions, until either side ends them.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        before, request.exchange = request.exchange, Exchange(self, request)
        if before is not None:  # it was sent over another connection, which had ended
            before.finish(whole=False)
        if stream:
            request.exchange.begin_stream()
        else:
            request.exchange.begin()
        return request.exchange

    def ask_after(self, seconds: int) -> None:
        """Have the peer of each subflow asked, by keep-alives (tcp(7)).

        So many of them may be without an answer that no path is given up by the kernel for that.
        """
        options = (
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _QUESTIONS if seconds < _PATIENT else 4),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, min(seconds, _PATIENT)),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds),
        )
        with self.lock:
            try:
                for option in options:
                    self.reader.sock.setsockopt(*option)
            except (OSError, ValueError):  # older kernels' MPTCP sockets don't take the last three
                self.asks_after = None
            else:
                self.asks_after = float(seconds)

    def acknowledged(self, before: Taken) -> tuple[int | None, int | None]:
        """Return the bytes that the peer has acknowledged since, and those that it hasn't yet.

        Args:
            before: the connection as it was then.
        """
        with self.lock:
            if self._closed:
                return None, None
            try:
                taken = self.reader.bytes_only()
                return taken.bytes_acked - before.bytes_acked, self.reader.unacknowledged
            except (OSError, ValueError):  # KernelError is one; the socket is closed
                return None, None

    def sent(self) -> None:
        """Record that something of the current request is being sent, or was.

        The engine sees to it from then on that nobody waits for what can't come.
        """
        # Without a request it's the protocol's own, such as a window update.
        if current_request() is not None and self._watch.begin(time.monotonic()):
            self.engine.wake_at(self, self._watch.at)

    def answered(self) -> None:
        """Record that a response has begun, so that its request isn't on its way any more."""
        with contextlib.suppress(OSError, ValueError):
            if self.reader.multipath and not self.reader.unacknowledged:
                self._watch.arrived_at = time.monotonic()

    def leave(self, exchange: Driven, now: float, *, whole: bool) -> Taken | None:
        """Let a response end; return the connection as it is after its last byte."""
        if whole:
            self._watch.whole_at = now
        return super().leave(exchange, now, whole=whole)

    @property
    def before(self) -> Taken:
        """The connection before the response that begins next, or as it was when it was closed."""
        return self._before

    def passed_by(self, after: Taken | None, *, whole: bool) -> None:
        """Record that a response has ended that something else watched.

        Args:
            after: the connection after it.
            whole: whether all that the peer sent of it was read.
        """
        with self.lock:
            if whole:
                self._watch.whole_at = time.monotonic()
            self._before = after or self._before

    def close(self, close_socket: Callable[[], None]) -> None:
        """Close the socket, after a last look at what it carried."""
        with self.lock:
            if not self._closed:
                now, unfinished = time.monotonic(), self._owes_a_response
                for transfer in self.transfers.under_way:
                    transfer.bytes_sent()  # which nobody can ask for afterwards
                if unfinished or self.transfers.ended:  # else nobody will ask for more
                    self.look(now)
                    with contextlib.suppress(KernelError):
                        self._before = self.reader.all()
                self._closed = True
                if unfinished:
                    self._reset_on_close()
                self._settle_all(now)
            if self._calling:  # its descriptor is in use: whoever calls closes it then
                self._close_socket = close_socket
                return
        close_socket()

    def waiting(self) -> int | None:
        """Return the bytes that came and wait for others; None where that isn't known."""
        try:
            return held_back(self.reader.sock)
        except (OSError, ValueError):
            return None

    def make_calls(self) -> None:
        """Make all calls that are wanted; the socket isn't closed meanwhile."""
        if not self._calls:
            return
        with self.lock:
            self._calling = not self._closed
        try:
            super().make_calls()
        finally:
            with self.lock:
                self._calling, close_socket = False, self._close_socket
                self._close_socket = None
            if close_socket is not None:
                close_socket()

    def _reset_on_close(self) -> None:
        """Let the peer of an MPTCP connection know that it shall stop sending.

        One that is closed in the usual way keeps its subflows for a minute, and goes on taking in
        what the peer sends, on a metered path too (6.18, `net.mptcp.close_timeout`). A reset takes
        back what the peer hasn't acknowledged: a request that was sent stays sent, while the word
        of HTTP/2 or TLS that it is given up isn't missed. TCP needs none: the kernel answers with a
        reset whatever comes after the end.
        """
        sock = self.reader.sock
        with contextlib.suppress(OSError, ValueError):  # the latter where it is closed already
            arrived = self._watch.asked_at <= self._watch.arrived_at
            if self.reader.multipath and (arrived or not self.reader.unacknowledged):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @property
    def _owes_a_response(self) -> bool:
        """Whether a request was sent whose response isn't whole."""
        return bool(self.transfers.under_way) or self._watch.owed

    # The engine's side.

    def turn(self, now: float) -> float | None:
        """Do all that is due; return when to be woken next, or None."""
        times = super().turn(now), self._look_at_the_end(now)
        return min((when for when in times if when is not None), default=None)

    def _look_at_the_end(self, now: float) -> float | None:
        """End a connection that has no subflow and gets none; return when to look again, or None.

        Else who waits for the response waits for `net.mptcp.close_timeout`, a minute, where a TCP
        socket tells of a reset at once.
        """
        with self.lock:
            if self._closed or self.resting or not self._owes_a_response:
                self._watch.end()
                return None
            if now >= self._watch.at:
                stranded = not self.busy and self.reader.stranded
                stream = self.asks_after is not None
                if self._watch.look(now, stranded=stranded, stream=stream):
                    for exchange in self.transfers.bound_to(self):
                        what = "every subflow has ended, and none was opened instead"
                        exchange.problem(what, "`Handover` opens another")
                    self.shut_down()
            return self._watch.at

    def shut_down(self) -> None:
        """Let whoever reads, through any copy of the descriptor, see that nothing more comes."""
        self.given_up = True
        with contextlib.suppress(OSError):
            # Not an SSLSocket's own, which would have the rest pass as plain text.
            socket.socket.shutdown(self.reader.sock, socket.SHUT_RDWR)

    def wants_parts(self, asked: Request) -> bool:
        """Return whether a response shall be fetched in parts (`mphttp.ranges`), if it can be.

        Args:
            asked: the request.
        """
        if asked.multipath in ("mptcp", "off") or isinstance(asked.strategy, SinglePath):
            return False
        # With "auto", subflows that can be controlled, and aren't refused, are preferred.
        if asked.multipath == "ranges" or self.missing() is not None:
            return True
        if self._table is None:  # nobody has read it yet, or needs to for this
            began = {self.reader.own_host}
        else:
            began = {record.tuple.local.host for record in self._table.open() if record.initial}
        return self._joining.hopeless(self.paths(), began)

    def parts_of(self, asked: Request, length: int | None) -> Parts:
        """Return whether a response, whose head came, is to be fetched in parts, if it can be.

        Args:
            asked: the request; it is told, too.
            length: bytes of the response's body, or None.
        """
        alone = asked.multipath != "auto" or isinstance(asked.strategy, SinglePath)
        if self.wants_parts(asked):
            asked.parts = Parts.AT_ONCE
        elif not alone and (length or 0) >= _WORTH_PARTS:
            asked.parts = Parts.IF_REFUSED
        return asked.parts

    def missing(self) -> tuple[str, str] | None:
        """Say what keeps strategies from opening subflows, and what mends it, or None."""
        if not self.reader.multipath:
            if self.reader.sock.proto != IPPROTO_MPTCP:
                from mphttp.kernel.probe import without_mptcp

                if (here := without_mptcp()) is not None:
                    return here
                if (told := opened_by_kernel(self.remote.host)) is not None:
                    return f"one path carries it all, over plain TCP: {told[0]}", told[1]
            return (
                "the connection is plain TCP: one path carries it all",
                "the server, or a middlebox on the way, has no MPTCP: `mphttp doctor URL`",
            )
        reason = self._mechanism.reason
        return None if reason is None else (str(reason), reason.hint)

    def _look_after(self) -> None:
        """Enlarge the receive buffer if at two looks in a row it was full of what can't be read."""
        with contextlib.suppress(KernelError, OSError):
            was_stuck, self._stuck = self._stuck, is_stuck(self.reader.sock)
            if was_stuck and self._stuck:
                detail = f"to {enlarge(self.reader.sock)} bytes"
                for exchange in list(self.transfers.under_way):
                    exchange.note("receive_buffer_enlarged", detail=detail)
