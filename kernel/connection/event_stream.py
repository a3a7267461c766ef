"""The events of one connection, to iterate over: blocking, or in asyncio and trio."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..connection_events import ConnectionEvent
from ..errors import KernelError
from ..events import Event
from ..interfaces.monitor import InterfaceMonitor
from ..mechanism import Mechanism
from ..path_manager.mechanism import NetlinkMechanism
from ..probe import best_mechanism
from ..values import ConnectionInfo, SocketAddress, SubflowInfo
from .tracker import ConnectionTracker

LOOK_EVERY = 0.2
"""Seconds between two looks at the connection."""


class EventStream:
    """What happens to one connection from now on; an iterator, and a context manager.

    It ends with `ConnectionClosed`. Any number of streams can be open, each for one thread or task.
    Without the privilege to listen (CAP_NET_ADMIN), looks at the connection tell when subflows open
    and close, and no more. Where netlink is refused, nothing tells of interfaces.

    Args:
        sock: a connected MPTCP socket; it stays the caller's.
        mechanism: what tells of events, or None for one of its own. One that is given stays the
            caller's, and all its events are read here; if others read some of them, looks tell
            what is missing, a little later.
        look_every: seconds between two looks at the connection, which find time-outs.
        announced: addresses that the peer is known to have announced, by its number for each.

    Raises:
        NotMultipath: the connection fell back to TCP.
        NoSuchSubflow: the socket is closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        mechanism: Mechanism | None = None,
        *,
        look_every: float = LOOK_EVERY,
        announced: Mapping[int, SocketAddress] | None = None,
    ) -> None:
        self._owned = mechanism is None
        self._mechanism = _listening() if mechanism is None else mechanism
        self._interfaces = _monitor()
        self._poll = select.epoll()
        self._look_every = look_every
        self._told: deque[ConnectionEvent] = deque()
        try:
            self._control = self._mechanism.control(sock)
            self._control.listen()
            self._tracker = ConnectionTracker(
                self._control.info(),
                events_tell=self._mechanism.fileno() is not None,
                announced={**(announced or {}), **self._control.announced()},
            )
        except BaseException:
            self.close()
            raise
        for source in (self._mechanism, self._interfaces):
            if source is not None and (fd := source.fileno()) is not None:
                self._poll.register(fd, select.EPOLLIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of descriptors; iteration ends when what was read is told."""
        if not self._poll.closed:
            self._poll.close()
            if self._interfaces is not None:
                self._interfaces.close()
            if self._owned:
                self._mechanism.close()

    def on_syn(self, subflow: SubflowInfo) -> None:
        """Take that this process opens a subflow, so that its id is known however short it lives.

        Any thread may call.
        """
        self._tracker.on_syn(subflow)

    def receive(self, timeout: float | None = None) -> ConnectionEvent | None:
        """Wait for the next event.

        Args:
            timeout: seconds to wait at most, 0 for not at all; None for as long as it takes.

        Returns:
            The event; None if there was none in time, or the connection is gone.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._told and not self._poll.closed:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0 and timeout:
                return None
            wait = self._look_every if left is None else max(0.0, min(left, self._look_every))
            woken = self._poll.poll(wait)
            self._step(idle=not woken and wait >= self._look_every)
            if timeout == 0:
                break
        return self._told.popleft() if self._told else None

    def __iter__(self) -> Iterator[ConnectionEvent]:
        return self

    def __next__(self) -> ConnectionEvent:
        event = self.receive()
        if event is None:
            raise StopIteration
        return event

    def __aiter__(self) -> AsyncIterator[ConnectionEvent]:
        return self

    async def __anext__(self) -> ConnectionEvent:
        import anyio
        import anyio.lowlevel

        await anyio.lowlevel.checkpoint()  # also where many wait, others have their turn
        while not self._told:
            if self._poll.closed:
                raise StopAsyncIteration
            with anyio.move_on_after(self._look_every) as waited:
                await anyio.wait_readable(self._poll)
            self._step(idle=waited.cancelled_caught)
        return self._told.popleft()

    def _step(self, *, idle: bool) -> None:
        if self._poll.closed:  # by another task, while this one waited
            return
        events: list[Event] = list(self._mechanism.events())
        self._told += self._tracker.step(events, self._look(), idle=idle)
        if self._tracker.closed:
            self.close()
        elif self._interfaces is not None:
            self._told += self._interfaces.events()

    def _look(self) -> ConnectionInfo | None:
        with suppress(KernelError):
            return self._control.info()
        return None


def _listening() -> Mechanism:
    """Choose a mechanism that has events; the kernel's own path manager has them, too."""
    try:
        return NetlinkMechanism(every_connection=False)
    except KernelError:
        return best_mechanism()


def _monitor() -> InterfaceMonitor | None:
    with suppress(KernelError):
        return InterfaceMonitor()
    return None
