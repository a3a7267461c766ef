"""The broker mechanism: stock Linux, without a privilege, where a broker runs (`mphttp setup`)."""

from __future__ import annotations

import select
import socket
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ..errors import KernelError, NoSuchSubflow, NotMultipath, NotPermitted, ProtocolError
from ..events import AddressAnnounced, AddressRemoved, ConnectionClosed, Event, Overflow
from ..interfaces.honoured import refusal
from ..path_manager.events import decode_event
from ..values import Path, SocketAddress
from .channel import EventChannel, RequestChannel, socket_path
from .control import BrokerControl
from .messages import Answer, Claim, EventTold, Lost, OnConnection, Watching

_MAX_READS = 64  # of events in one go, so that a flood can't hold up the caller


class BrokerMechanism:
    """Carries out calls through the broker, which acts for whoever holds a connection's socket.

    A broker that goes away takes no connection with it. The next call finds the one that came after
    it; until then no events are told.

    Raises:
        NotPermitted: this user may not ask the broker.
        NotSupported: no broker is there.
        KernelError: it refuses, or can't be understood.
    """

    name = "broker"
    reason: KernelError | None = None

    def __init__(self, path: str | None = None) -> None:
        """Connect to the broker.

        Args:
            path: where it listens; None for `socket_path()`.
        """
        self._path = path or socket_path()
        self._requests = RequestChannel(self._path)
        self._takes_claims = True
        self._lock = threading.Lock()
        self._poll = select.epoll()  # what is waited on stays the same when the broker is another
        self._events: EventChannel | None = None
        self._listening: weakref.WeakSet[BrokerControl] = weakref.WeakSet()
        self._announced: dict[int, dict[int, SocketAddress]] = {}

    def control(self, sock: socket.socket) -> BrokerControl:
        """Take charge of a connected MPTCP socket; the broker does nothing for it by itself then.

        Raises:
            NotMultipath: the connection fell back to TCP.
            NoSuchSubflow: the socket is closed.
        """
        control = BrokerControl(sock, self)
        self._claim(sock)
        return control

    def _claim(self, sock: socket.socket) -> None:
        """Claim a connection, and find out whether the broker is there still, or again."""
        try:
            self._requests.check()
            self.reason = None
            if self._takes_claims:
                self._requests.ask(Claim(), sock)
        except ProtocolError:  # a broker of an earlier version, which opens nothing by itself
            self._takes_claims = False
        except (NoSuchSubflow, NotMultipath, NotPermitted):
            pass  # it is refused, as an open would be, whose error says so
        except KernelError as error:
            self.reason = error

    def fileno(self) -> int:
        """The descriptor that is readable when events wait."""
        return self._poll.fileno()

    def events(self) -> Sequence[Event]:
        """Return what has happened since the last call, without blocking."""
        events: list[Event] = []
        for _ in range(_MAX_READS):
            try:
                answer = self._events.read() if self._events is not None else None
            except KernelError:
                self._hang_up()
                events.append(Overflow())
                break
            if answer is None:
                break
            events += self._read(answer)
        for event in events:
            self._remember(event)
        return events

    def close(self) -> None:
        """Let go of descriptors."""
        self._requests.close()
        self._hang_up()
        self._poll.close()

    def ask(self, request: OnConnection, sock: socket.socket) -> Answer:
        """Ask the broker about a connection.

        Raises:
            KernelError: it refused, or doesn't answer.
        """
        answer = self._requests.ask(request, sock)
        if self._events is None and self._listening:
            self._listen_again()
        return answer

    def listen(self, control: BrokerControl) -> None:
        """Have a connection's events told; without a broker none are."""
        self._listening.add(control)
        if self._events is None:
            self._listen_again()
        else:
            self._watch(control)

    def misled(self, path: Path, remote: SocketAddress) -> KernelError | None:
        """Say why a subflow on a path would leave by another interface; None if it wouldn't."""
        return refusal(path, remote, lambda sock: BrokerControl(sock, self))

    def announced(self, token: int) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw, by its number for each."""
        return dict(self._announced.get(token, {}))

    def _listen_again(self) -> None:
        with self._lock, suppress(KernelError):
            if self._events is None:
                events = EventChannel(self._path)
                self._poll.register(events.fileno(), select.EPOLLIN)
                self._events = events
        for control in list(self._listening):
            self._watch(control)

    def _watch(self, control: BrokerControl) -> None:
        events = self._events
        with suppress(
            KernelError
        ):  # the socket is closed; or the broker has gone: `events` sees it
            if events is not None:
                events.watch(control.socket)

    def _hang_up(self) -> None:
        with self._lock:
            events, self._events = self._events, None
            if events is not None:
                self._poll.unregister(events.fileno())
                events.close()

    def _read(self, answer: Answer) -> list[Event]:
        match answer:
            case EventTold(payload):
                return _decoded(payload)
            case Watching(token, announced):
                known = self._announced.get(token, {})
                new = ((n, remote) for n, remote in announced if known.get(n) != remote)
                return [AddressAnnounced(token, n, remote) for n, remote in new]
            case Lost():
                for control in list(self._listening):
                    self._watch(control)
                return [Overflow()]
            case _:
                return []  # a connection that isn't watched: looks tell of it, without reasons

    def _remember(self, event: Event) -> None:
        match event:
            case AddressAnnounced(token, number, remote) if self._knows(token):
                self._announced.setdefault(token, {})[number] = remote
            case AddressRemoved(token, number):
                self._announced.get(token, {}).pop(number, None)
            case ConnectionClosed(token):
                self._announced.pop(token, None)
            case Overflow():
                self._announced.clear()  # an end may be among what was lost; it is told again
            case _:
                pass

    def _knows(self, token: int) -> bool:
        return any(control.token == token for control in list(self._listening))


def _decoded(payload: bytes) -> list[Event]:
    try:
        event = decode_event(payload)
    except ProtocolError:
        return [Overflow()]
    return [] if event is None else [event]
