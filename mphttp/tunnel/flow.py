"""One direction of a stream between two sockets that don't block; no call here waits.

Bytes of a TCP socket go through a pipe to the other socket by splice(2): the kernel hands pages on,
and nothing is copied through Python. To splice from an MPTCP socket the kernel allocates pages, as
many as the pipe has room for, and copies into them (6.18, fs/splice.c, `copy_splice_read`). So that
is read into one buffer, which stays in the processor's cache, and written from there at once.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable
from enum import Enum, auto

from mphttp.kernel.reading.info import IPPROTO_MPTCP

PIPE_SIZE = 512 * 1024
"""Bytes that a pipe takes: larger ones are no faster, and what a slow reader leaves lies there."""
_BUFFER_SIZE = 256 * 1024
_AT_ONCE = 8
"""Rounds after which others have a turn."""
_MOST_SPARE = 64
_FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK
_CANT_SPLICE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


class Waits(Enum):
    """What a direction waits for."""

    READABLE = auto()
    """Something from its source."""
    WRITABLE = auto()
    """Room at its target."""
    TURN = auto()
    """Nothing: others have a turn first."""
    NOTHING = auto()
    """It has ended."""


class Pipes:
    """Pipes for bytes on their way: a stream has one only while something is in it.

    So idle streams cost none, and their descriptors are those of the sockets alone.

    Attributes:
        buffer: for what is read and written; nothing stays in it from one call to the next.
    """

    def __init__(self) -> None:
        self._spare: list[tuple[int, int]] = []
        self.buffer = memoryview(bytearray(_BUFFER_SIZE))

    def take(self) -> tuple[int, int]:
        """Return the reading and the writing end of an empty pipe.

        Raises:
            OSError: no descriptor is to be had.
        """
        if self._spare:
            return self._spare.pop()
        pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with contextlib.suppress(OSError):  # beyond what this user's pipes may have together
            fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        return pipe

    def give(self, pipe: tuple[int, int], *, empty: bool) -> None:
        """Take a pipe back; one that isn't empty is of no use to others."""
        if empty and len(self._spare) < _MOST_SPARE:
            self._spare.append(pipe)
            return
        for end in pipe:
            os.close(end)

    def close(self) -> None:
        """Close those that nobody uses."""
        while self._spare:
            for end in self._spare.pop():
                os.close(end)


class Flow:
    """One direction.

    Args:
        source: where bytes come from.
        target: where they go, in order, each once; told of the end by shutdown(2).
        pipes: lends the pipe.
        ahead: what was read of the source already, to be sent first.
        on_moved: is told each number of bytes that the target has taken.
        is_whole: tells whether what is read as the source's end is that, and no breakdown.

    Attributes:
        moved: bytes that the target has taken, those of `ahead` included.
    """

    def __init__(
        self,
        source: socket.socket,
        target: socket.socket,
        pipes: Pipes,
        *,
        ahead: bytes = b"",
        on_moved: Callable[[int], None] | None = None,
        is_whole: Callable[[], bool] = lambda: True,
    ) -> None:
        self.source = source
        self.target = target
        self.moved = 0
        self._pipes = pipes
        self._pipe: tuple[int, int] | None = None
        self._in_pipe = 0
        self._ahead = memoryview(ahead)
        self._on_moved = on_moved
        self._is_whole = is_whole
        self._ended = False
        self._splices = source.proto != IPPROTO_MPTCP

    def step(self) -> Waits:
        """Move what can be moved at once; return what is waited for then.

        Raises:
            OSError: one of the sockets is broken.
        """
        for _ in range(_AT_ONCE):
            if not self._drained():
                return Waits.WRITABLE
            if self._ended:
                return self._finished()
            if not self._filled():
                return Waits.READABLE
        return Waits.TURN

    def close(self) -> None:
        """Give back what the direction holds; the sockets are others'."""
        self._ahead = memoryview(b"")
        self._release(empty=not self._in_pipe)

    def _finished(self) -> Waits:
        if not self._is_whole():
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        self.close()
        with contextlib.suppress(OSError):  # which has ended by itself
            self.target.shutdown(socket.SHUT_WR)
        return Waits.NOTHING

    def _filled(self) -> bool:
        """Read; tell whether there was anything, if only the end."""
        try:
            came = self._spliced_in() if self._splices else self._read()
        except BlockingIOError:
            self._release(empty=True)
            return False
        except OSError as error:
            if not self._splices or error.errno not in _CANT_SPLICE:
                raise
            self._splices = False
            self._release(empty=True)
            return self._filled()
        self._ended = not came
        return True

    def _spliced_in(self) -> int:
        if self._pipe is None:
            self._pipe = self._pipes.take()
        self._in_pipe = os.splice(self.source.fileno(), self._pipe[1], PIPE_SIZE, flags=_FLAGS)
        return self._in_pipe

    def _read(self) -> int:
        came = self._pipes.buffer[: self.source.recv_into(self._pipes.buffer)]
        sent = 0
        with contextlib.suppress(BlockingIOError):
            self._count(sent := self.target.send(came))
        self._ahead = memoryview(bytes(came[sent:]))  # others use the buffer next
        return len(came)

    def _drained(self) -> bool:
        """Write; tell whether nothing is left to be written."""
        try:
            while self._ahead:
                self._count(size := self.target.send(self._ahead))
                self._ahead = self._ahead[size:]
            while self._in_pipe:
                assert self._pipe is not None
                size = os.splice(self._pipe[0], self.target.fileno(), self._in_pipe, flags=_FLAGS)
                self._in_pipe -= size
                self._count(size)
        except BlockingIOError:
            return False
        return True

    def _count(self, size: int) -> None:
        self.moved += size
        if self._on_moved is not None:
            self._on_moved(size)

    def _release(self, *, empty: bool) -> None:
        pipe, self._pipe, self._in_pipe = self._pipe, None, 0
        if pipe is not None:
            self._pipes.give(pipe, empty=empty)
