"""Sending a request's body, unless its answer comes first and makes that needless."""

from __future__ import annotations

import math
import re
import select
import socket

_STATUS = 13
"""Bytes of a status line, up to its code."""
_REFUSAL = re.compile(rb"HTTP/\d\.\d [45]\d\d")


def send_until_refused(sock: socket.socket, data: bytes) -> None:
    """Send all of it, each part within the socket's time-out.

    Raises:
        BrokenPipeError: the server has said no, so that urllib3 goes on to its answer (RFC 9112,
            section 9.5).
        TimeoutError: it takes nothing more.
    """
    left, timeout = memoryview(data), sock.gettimeout()
    wait = None if timeout is None else math.ceil(timeout * 1000)
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    while left:
        ready = poll.poll(wait)
        if not ready:
            raise TimeoutError("timed out")
        if ready[0][1] & select.POLLIN:
            if _REFUSAL.match(sock.recv(_STATUS, socket.MSG_PEEK)):
                raise BrokenPipeError("the server has answered already")
            poll.modify(sock, select.POLLOUT)  # an interim response, which waits for its reader
        if ready[0][1] & ~select.POLLIN:
            left = left[sock.send(left) :]


def chunk_size(data: bytes) -> int:
    """Return the bytes of the body in what urllib3 sends at once: a chunk, or the last one."""
    size, _, _ = bytes(data[:16]).partition(b"\r\n")
    try:
        return int(size, 16)
    except ValueError:  # no chunk: the caller's own framing
        return len(data)
