"""Reading a connected socket's state, whether it is MPTCP, fell back to TCP, or always was."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios

from mphttp.kernel.addresses import unmapped
from mphttp.kernel.errors import KernelError, NotMultipath
from mphttp.kernel.reading.info import (
    IPPROTO_MPTCP,
    Capture,
    FullCapture,
    PlainCapture,
    capture,
    capture_after,
    capture_tcp,
    is_stranded,
)
from mphttp.kernel.values import FourTuple, SocketAddress

Taken = Capture | PlainCapture
"""The state of a connection at some moment, not read yet."""


class SocketReader:
    """Takes down the state of one connected socket.

    Args:
        sock: connected; TLS replaces it.

    Attributes:
        multipath: whether it speaks MPTCP, as far as is known.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.multipath = sock.proto == IPPROTO_MPTCP
        self._single: FullCapture | None = None
        self._pair: FourTuple | None = None

    def all(self) -> Taken:
        """Record everything.

        Raises:
            NoSuchSubflow: the socket is closed.
        """
        self._single = None
        if self.multipath:
            try:
                taken = capture(self.sock.fileno())
            except NotMultipath:  # from the start, or a middlebox ended it after the handshake
                self.multipath = False
            else:
                if isinstance(taken, FullCapture) and taken.single:
                    self._single = taken
                return taken
        told = capture_tcp(self.sock, self._pair)
        self._pair = told.tuple  # a reset forgets it, not what came
        return told

    @property
    def unacknowledged(self) -> int:
        """Bytes that were written and that the peer hasn't acknowledged (SIOCOUTQ).

        Raises:
            OSError: the socket is closed.
        """
        (count,) = struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))
        return int(count)

    @property
    def own_host(self) -> str:
        """The local address of the first subflow, also of one that has ended.

        Raises:
            OSError: the socket is closed.
        """
        return unmapped(SocketAddress(*self.sock.getsockname()[:2])).host

    @property
    def stranded(self) -> bool:
        """Whether no subflow is left that could carry anything."""
        if not self.multipath or not is_stranded(self.sock):
            return False
        try:  # a count alone is little to end a connection for
            return all(subflow.closed for subflow in self.all().decode().subflows)
        except KernelError:
            return True

    def bytes_only(self) -> Taken:
        """Do as `all` does, for less where only bytes can be new since the last time.

        Raises:
            NoSuchSubflow: the socket is closed.
        """
        if self._single is not None:
            try:
                return capture_after(self.sock, self._single)
            except NotMultipath:
                pass  # `all` finds out
        return self.all()
