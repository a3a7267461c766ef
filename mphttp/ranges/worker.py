"""One more connection that brings parts, with a thread of its own."""

from __future__ import annotations

import enum
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from mphttp.kernel.errors import KernelError
from mphttp.kernel.reading.info import tcp_info
from mphttp.kernel.values import FourTuple, Path, SocketAddress, SubflowInfo, TCPState

from .assembly import Assembly
from .link import Ended, Link, Refused, words_of
from .plan import Source

_LOOK_EVERY = 0.05
"""Seconds after which a connection without work looks whether there is some."""
_SETTLED = 2
"""Segments that tell the engine that a subflow is settled (kernel/establishment)."""


class State(enum.Enum):
    """Where a connection is."""

    OPENING = "opening"
    OPEN = "open"
    CLOSED = "closed"


class Worker:
    """A connection that brings parts of one body.

    Args:
        assembly: whose.
        source: the same, as the plan knows it.
        link: the connection.
        path: where it leaves.
        remote: where it leads.
        on_end: called when its socket is closed.

    Attributes:
        error: why it ended, or "".
        began_at: when it was made, of `time.monotonic`.
    """

    def __init__(
        self,
        assembly: Assembly,
        source: Source,
        link: Link,
        *,
        path: Path,
        remote: SocketAddress,
        on_end: Callable[[], None],
    ) -> None:
        self.source = source
        self.path = path
        self.error = ""
        self.began_at = time.monotonic()
        self._assembly = assembly
        self._link = link
        self._on_end = on_end
        self._earlier = 0  # bytes that came over sockets before the one that there is
        self._last = _unconnected(source.id, path, remote)
        self._pair: FourTuple | None = None
        self._answered = False
        self._stop = False
        self._over = False

    @property
    def state(self) -> State:
        """Where it is."""
        if self._stop or self._over:
            return State.CLOSED
        return State.OPEN if self._answered else State.OPENING

    @property
    def sock(self) -> socket.socket | None:
        """Its socket, once there is one."""
        return self._link.sock

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self.state is State.CLOSED

    def start(self) -> None:
        """Connect and begin; what comes of it is in `state` and `row`.

        Raises:
            KernelError: there is no thread to be had for it.
        """
        self._assembly.join(self.source)
        thread = threading.Thread(target=self._run, name=f"mphttp-{self.path.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._end(str(error))
            self._on_end()
            raise KernelError(f"another connection needs a thread: {error}") from error

    def close(self) -> None:
        """End it; what it was asked for and hasn't brought is anybody's. Any thread may call it."""
        self.row()
        self._stop = True
        self._assembly.part_with(self.source)
        self._link.abort()

    def row(self) -> SubflowInfo:
        """Say how it is, as the kernel would say it of a subflow."""
        sock = self._link.sock
        if self.state is not State.CLOSED and sock is not None:
            try:
                told = tcp_info(sock, self._pair)
            except KernelError:  # it is closed, or not connected yet
                pass
            else:
                self._last = replace(
                    told, id=self.source.id, bytes_received=told.bytes_received + self._earlier
                )
        state = self.state
        if state is State.OPEN:
            segments = max(_SETTLED, self._last.segments_received)
            return replace(self._last, state=TCPState.ESTABLISHED, segments_received=segments)
        shown = TCPState.SYN_SENT if state is State.OPENING else TCPState.CLOSE
        return replace(self._last, state=shown, error=self.error, segments_received=0)

    # Its own thread.

    def _run(self) -> None:
        try:
            self._connect()
            self._bring_parts()
        except Refused as refused:
            self._end(str(refused))
        except Exception as error:  # whatever it is, the first response goes on
            self._end(words_of(error))
        finally:
            self._link.close()
            self._on_end()

    def _end(self, why: str) -> None:
        if not self._stop:
            self.row()
            self.error = why
            self._over = True
            self._assembly.part_with(self.source)

    def _connect(self) -> None:
        self._link.connect()
        assert self._link.sock is not None
        told = tcp_info(self._link.sock)
        self._pair = told.tuple  # a reset forgets it, not what came
        self.source.latency = max(0.001, told.rtt)

    def _bring_parts(self) -> None:
        while not self._unwanted:
            try:
                self._ask()
                if not self.source.fetches:
                    self._opened()
                    self._assembly.news.idle(_LOOK_EVERY)
                    continue
                data = self._link.read()
                self._opened()
                self._assembly.bring(self.source, data)
            except Refused as refused:
                self._refused(refused)
            except Ended:
                self._connect_later()

    @property
    def _unwanted(self) -> bool:
        return self._stop or self._assembly.news.closed

    def _ask(self) -> None:
        for fetch in self._assembly.assign(self.source):
            self._link.ask(fetch.start, fetch.stop)

    def _opened(self) -> None:
        if not self._answered:
            self._answered = True
            self._assembly.on_change()

    def _refused(self, refused: Refused) -> None:
        """Wait if the server asks for that, with a connection that is open; else it is the end."""
        self._assembly.refusals.refused(refused.refusal)
        if refused.refusal.wait is None or self.state is State.OPENING:
            raise refused
        self._assembly.refusals.waits(refused.refusal.what)
        self._connect_later()

    def _connect_later(self) -> None:
        """Connect again, not before the server allows it; what was asked for is anybody's."""
        self._assembly.give_back(self.source)
        self._let_go()
        while not self._unwanted and (wait := self._assembly.refusals.busy_for):
            self._assembly.news.idle(wait)
        if not self._unwanted:
            self._connect()

    def _let_go(self) -> None:
        self.row()
        self._earlier = self._last.bytes_received
        self._pair = None
        self._link.close()


def _unconnected(number: int, path: Path, remote: SocketAddress) -> SubflowInfo:
    return SubflowInfo(
        id=number,
        tuple=FourTuple(SocketAddress(path.address, 0), remote),
        state=TCPState.SYN_SENT,
        rtt=0.0,
        bytes_received=0,
        bytes_acked=0,
        retransmits=0,
        last_data_received=0.0,
    )
