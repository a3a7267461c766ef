"""The one loop: clients come, ask one thing at a time, are told of events, and go.

Nothing here waits for a client. What a client sends is read one message at a time, so others have
their turn in between; what it doesn't read ends its connection; what is to be closed, `disposal`
closes.
"""

from __future__ import annotations

import errno
import resource
import socket
import struct
import time
from collections.abc import Callable

from mphttp.kernel.broker.messages import Answer, EventTold, Hello, Lost, Refused
from mphttp.kernel.broker.wire import decode_request, encode_answer
from mphttp.kernel.errors import CallRefused, KernelError, ProtocolError
from mphttp.kernel.path_manager.tables import EventType

from .descriptor import MOST_PASSED, Received, receive
from .disposal import Disposal
from .log import Log, WriteLine
from .namespace import Namespace
from .namespaces import Namespaces
from .rules import Rules
from .service import Client, Service
from .turns import PAUSE, Turns
from .users import Users
from .watchers import Watched, Watchers

_CREDENTIALS = struct.Struct("3i")  # struct ucred
_ACCEPTS = 16  # in one turn
_EVENTS = 16  # messages in one turn
_SHORT = 0.5  # seconds, while there are no descriptors, no threads or no memory
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_OWN = 16  # descriptors that the broker needs for itself
_NOBODY = -1  # whose descriptors are closed where it isn't known whose they are
_MOST = 1 << 20  # descriptors, where there is no limit (the kernel's default for it)


class Server:
    """Serves clients until it is stopped.

    Args:
        listener: a listening Unix socket of SOCK_SEQPACKET.
        namespaces: where connections can be.
        rules: the configuration.
        log: takes one line.
        claim: told the token of each connection that a client looks after by itself.
    """

    def __init__(
        self,
        listener: socket.socket,
        namespaces: Namespaces,
        rules: Rules,
        log: WriteLine,
        claim: Callable[[int], None] | None = None,
    ) -> None:
        self._listener = listener
        self._namespaces = namespaces
        self._rules = rules
        self._log = Log(log)
        self._claim = claim
        self._service = Service(namespaces, rules)
        self._users = Users(rules)
        self._disposal = Disposal()
        self._clients: dict[int, Client] = {}
        self._watchers = Watchers(self._users)
        self._sources: dict[int, Namespace] = {}
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._most_descriptors = _MOST if most == resource.RLIM_INFINITY else most
        self._turns = Turns()
        listener.setblocking(False)
        self._turns.add(listener.fileno())
        self._stopped = False
        self._wakers = woken, waker = socket.socketpair()
        waker.setblocking(False)
        self._turns.add(woken.fileno())
        self._hear(namespaces.own)

    def run(self) -> None:
        """Serve until `stop`; what was begun is brought to its end."""
        while not self._stopped:
            try:
                for fd in self._turns.wait(_SHORT if self._disposal.short else None):
                    self._on_ready(fd)
                self._turns.resume()
                if self._disposal.short:
                    self._disposal.help()
            except Exception as error:  # such as no memory: everybody else's service goes on
                self._log.line(f"trouble: {error!r}")
                time.sleep(PAUSE)

    def stop(self, *_signal: object) -> None:
        """End `run` when it wakes; the handler of a signal."""
        self._stopped = True

    def waker(self) -> int:
        """The descriptor that wakes it, for `signal.set_wakeup_fd`: any thread gets a signal."""
        return self._wakers[1].fileno()

    def _on_ready(self, fd: int) -> None:
        if fd == self._listener.fileno():
            self._accept()
        elif fd in self._clients:
            self._serve(self._clients[fd])
        elif fd in self._sources:
            self._tell_events(fd)

    # Clients.

    def _accept(self) -> None:
        for _ in range(_ACCEPTS):
            if self._disposal.all_waiting() >= self._rules.closings or not self._room():
                self._turns.pause(self._listener.fileno())
                return
            try:
                sock, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _FULL:  # who waits is still there: it would be told at once
                    self._wait_for_more(error)
                return  # else nobody waits any more
            try:
                self._admit(sock)
            except Exception:
                self._disposal.close(_NOBODY, [sock.detach()])
                raise

    def _wait_for_more(self, error: OSError) -> None:
        """Take nobody for a while."""
        self._log.line(f"no client can be taken now: {error.strerror}")
        self._turns.pause(self._listener.fileno(), time.monotonic() + _SHORT)

    def _room(self) -> bool:
        """Whether all descriptors that one message can have would find a place.

        What the kernel had to drop it would close in this thread (see `descriptor.receive`).
        """
        there = len(self._clients) + self._disposal.all_waiting() + _OWN
        return there + min(MOST_PASSED, self._most_descriptors // 2) <= self._most_descriptors

    def _admit(self, sock: socket.socket) -> None:
        now = time.monotonic()
        sock.setblocking(False)
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        process, number, group = _CREDENTIALS.unpack(credentials)
        client = Client(sock, number, process, group)
        user = self._users.find(number, now)
        rules = self._rules
        if user.clients >= rules.clients_per_user or len(self._clients) >= rules.clients:
            self._refuse(client, CallRefused("too many processes are connected to the broker"))
            self._disposal.close(number, [sock.detach()])
            return
        self._turns.add(sock.fileno())
        user.clients += 1
        self._clients[sock.fileno()] = client

    def _serve(self, client: Client) -> None:
        now = time.monotonic()
        user = self._users.find(client.user, now)
        waiting = self._disposal.waiting(client.user)
        if waiting >= self._rules.closings_per_user or not self._room():
            self._pause(client)
            return
        if not user.requests.take(now):
            self._pause(client, user.requests.next_time(now))
            return
        try:
            received = receive(client.sock, self._rules.message_bytes)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        try:
            self._answer(client, received)
        except Exception as error:  # a fault of ours must not end everybody's service
            self._log.about(client, f"a bug: {error!r}")
            self._drop(client)
        finally:
            if received.descriptors:
                self._disposal.close(client.user, received.descriptors)

    def _answer(self, client: Client, received: Received) -> None:
        if not received.message and not received.descriptors:  # it has gone
            self._drop(client)
            return
        try:
            if not received.whole:
                raise ProtocolError("a message is too long, or its descriptors are too many")
            request = decode_request(received.message)
            if not client.greeted and not isinstance(request, Hello):
                raise ProtocolError("the first message must be a hello")
        except ProtocolError as error:
            self._refuse(client, error)
            self._drop(client)
            return
        user = self._users.find(client.user, time.monotonic())
        outcome = self._service.carry_out(request, received.descriptors, client, user.watched)
        if outcome.claims is not None and self._claim is not None:
            self._claim(outcome.claims)
        if outcome.watch is not None:
            self._hear(outcome.watch[0])
            self._watchers.add(client, outcome.watch)
        if isinstance(outcome.answer, Refused):
            self._refuse(client, outcome.answer.error())
            return
        if outcome.effect is not None:
            self._log.effect(client, user, outcome.effect)
        self._send(client, outcome.answer)

    def _refuse(self, client: Client, error: KernelError) -> None:
        now = time.monotonic()
        if self._users.find(client.user, now).refusals.take(now):
            self._log.about(client, f"refused: {error}")
        self._send(client, Refused.of(error))

    def _send(self, client: Client, answer: Answer) -> None:
        try:
            client.sock.send(encode_answer(answer), socket.MSG_NOSIGNAL)
        except OSError:  # it has gone, or doesn't read
            self._drop(client)

    def _drop(self, client: Client) -> None:
        fd = client.sock.fileno()
        if self._clients.pop(fd, None) is None:
            return
        self._turns.remove(fd)
        for watched in list(client.watched):
            self._watchers.remove(client, watched)
        self._users.find(client.user, time.monotonic()).clients -= 1
        self._disposal.close(client.user, [client.sock.detach()])
        for namespace in self._namespaces.leave(client):
            if self._sources.pop(namespace.fileno(), None) is not None:
                self._turns.remove(namespace.fileno())
            namespace.close()

    # Events.

    def _hear(self, namespace: Namespace) -> None:
        if namespace.fileno() not in self._sources:
            self._sources[namespace.fileno()] = namespace
            self._turns.add(namespace.fileno())

    def _tell_events(self, fd: int) -> None:
        for _ in range(_EVENTS):
            namespace = self._sources.get(fd)
            if namespace is None:  # its last client was found gone, and it was closed
                return
            events = namespace.events()
            if events is None:
                self._tell_lost(namespace)
                return
            if not events:
                return
            for token, payload in events:
                self._tell((namespace, token), payload)

    def _tell(self, watched: Watched, payload: bytes) -> None:
        for client in self._watchers.of(watched):
            if payload[0] == EventType.CLOSED:  # the token may be another connection's soon
                self._watchers.remove(client, watched)
            self._send(client, EventTold(payload))

    def _tell_lost(self, namespace: Namespace) -> None:
        """End all watching here: the end of a connection may be among what was lost."""
        for client in list(self._clients.values()):
            concerned = [watched for watched in client.watched if watched[0] is namespace]
            for watched in concerned:
                self._watchers.remove(client, watched)
            if concerned:
                self._send(client, Lost())

    def _pause(self, client: Client, until: float | None = None) -> None:
        """Read nothing more from a client for a while."""
        fd = client.sock.fileno()
        self._turns.pause(fd, until, lambda: client is self._clients.get(fd))
