"""A client's two connections to the broker: one asks and is answered, one is told of events.

Thin: what the bytes mean is `wire`'s business.
"""

from __future__ import annotations

import array
import errno
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import KernelError, NoSuchSubflow, NotPermitted, NotSupported
from ..hints import hint_for
from .messages import Answer, Hello, OnConnection, Refused, Watch, Welcome
from .wire import MAX_ANSWER, decode_answer, encode_request

DEFAULT_SOCKET = "/run/mphttp/broker.sock"
SOCKET_VARIABLE = "MPHTTP_BROKER"
"""Environment variable that names another socket."""

_TIMEOUT = 2  # seconds that the broker may take to answer
_REST = 30  # seconds for which one that didn't answer in time isn't asked again
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
_START = "sudo systemctl start mphttpd.socket"
_RESTART = "sudo systemctl restart mphttpd.service"


def socket_path() -> str:
    """Where the broker listens."""
    return os.environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET


class RequestChannel:
    """Asks the broker, one request at a time; threads wait in line.

    It connects when it is made, and again for a request if the broker has gone meanwhile.

    Args:
        path: where the broker listens.

    Raises:
        NotPermitted: this user may not connect.
        NotSupported: nobody listens there.
        KernelError: the broker can't be understood.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self._socket: socket.socket | None = _connect(path)

    def ask(self, request: OnConnection, sock: socket.socket) -> Answer:
        """Pass the broker a socket, with what is asked, and wait for its answer.

        Raises:
            NoSuchSubflow: the socket is closed.
            KernelError: the broker refused, or doesn't answer.
        """
        with self._lock, self._in_time():
            answer = _receive(self._send(request, sock))
        if isinstance(answer, Refused):
            raise answer.error()
        return answer

    def check(self) -> None:
        """See to it that a broker is there; it isn't asked anything.

        Raises:
            KernelError: nobody listens, or who does didn't answer a moment ago.
        """
        with self._lock, self._in_time():
            try:
                if self._socket is not None:
                    _check_silent(self._socket)
            except OSError:
                self._forget()
            if self._socket is None:
                self._socket = _connect(self._path)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        if time.monotonic() < self._rests_until:
            what = f"the broker isn't asked, since it took longer than {_TIMEOUT} s to answer"
            raise KernelError(what, hint=_RESTART)
        try:
            yield
        except OSError as error:
            self._forget()
            if error.errno == errno.EAGAIN:  # SO_RCVTIMEO and SO_SNDTIMEO end so
                self._rests_until = time.monotonic() + _REST
            raise _translated(error) from None

    def close(self) -> None:
        """Let go of the descriptor; a later request connects again."""
        with self._lock:
            self._forget()

    def _send(self, request: OnConnection, sock: socket.socket) -> socket.socket:
        if self._socket is not None:
            try:
                _check_silent(self._socket)
                _pass(self._socket, request, sock)
                return self._socket
            except OSError as error:
                # A broker that has gone has read nothing of this: it can be asked again.
                self._forget()
                if error.errno not in _GONE:
                    raise
        self._socket = _connect(self._path)
        _pass(self._socket, request, sock)
        return self._socket

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class EventChannel:
    """Is told of the events of connections that were passed; any thread may pass one.

    Args:
        path: where the broker listens.

    Raises:
        The same as `RequestChannel`.
    """

    def __init__(self, path: str) -> None:
        self._socket = _connect(path)

    def watch(self, sock: socket.socket) -> None:
        """Ask for the events of a connection, without waiting; what comes of it, `read` returns.

        Raises:
            NoSuchSubflow: the socket is closed.
            KernelError: the broker has gone, or lets this process wait.
        """
        try:
            _pass(self._socket, Watch(), sock, socket.MSG_DONTWAIT)
        except OSError as error:
            raise _translated(error) from None

    def read(self) -> Answer | None:
        """Return what the broker tells, without blocking; None if nothing waits.

        Raises:
            KernelError: the broker has gone, or can't be understood.
        """
        try:
            return _receive(self._socket, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            raise _translated(error) from None

    def fileno(self) -> int:
        """The descriptor that is readable when the broker tells something."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the descriptor."""
        self._socket.close()


def _connect(path: str) -> socket.socket:
    """Connect and say hello."""
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:  # a sandbox may refuse it, or there is no descriptor left
        number = error.errno or 0
        raise NotSupported("no broker can be asked", errno=number, hint=hint_for(number)) from None
    try:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", _TIMEOUT, 0))
        sock.connect(path)
        sock.send(encode_request(Hello()))
        answer = _receive(sock)
    except OSError as error:
        sock.close()
        raise _unreachable(error, path) from None
    if isinstance(answer, Welcome):
        return sock
    sock.close()
    if isinstance(answer, Refused):
        raise answer.error()
    raise KernelError(f"who listens at {path} is no broker")


def _pass(
    broker: socket.socket, request: OnConnection, sock: socket.socket, flags: int = 0
) -> None:
    rights = array.array("i", [sock.fileno()])
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
    broker.sendmsg([encode_request(request)], ancillary, flags | socket.MSG_NOSIGNAL)


def _check_silent(broker: socket.socket) -> None:
    """Refuse to ask where an answer lies that nobody asked for: it would be taken for this one's.

    Raises:
        ConnectionResetError: one lies there, or the broker has gone.
    """
    with suppress(BlockingIOError):
        broker.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        raise ConnectionResetError(errno.ECONNRESET, "the broker has gone, or makes no sense")


def _receive(broker: socket.socket, flags: int = 0) -> Answer:
    message = broker.recv(MAX_ANSWER, flags)
    if not message:
        raise ConnectionResetError(errno.ECONNRESET, "the broker has gone")
    return decode_answer(message)


def _unreachable(error: OSError, path: str) -> KernelError:
    if isinstance(error, KernelError):
        return error
    number = error.errno or 0
    if isinstance(error, PermissionError):
        join = 'sudo usermod --append --groups mphttp "$USER", then log in again'
        return NotPermitted(f"this user may not ask the broker at {path}", errno=number, hint=join)
    return NotSupported(f"no broker answers at {path}", errno=number, hint=_START)


def _translated(error: OSError) -> KernelError:
    number = error.errno or 0
    if isinstance(error, KernelError):
        return error
    if number == errno.EBADF:
        return NoSuchSubflow("the socket is closed", errno=number)
    return KernelError("the broker didn't answer", errno=number, hint=_START)
