"""A receive buffer that is full of data which can't be read: seeing it, and making room.

The kernel takes nothing from a subflow while the connection's receive buffer is over its limit.
When subflows were closed, the peer sends again whatever wasn't acknowledged on any of them; what
came twice waits on the subflows, in front of the one piece that is missing. Then the buffer is
full, what would empty it can't come in, and the connection stands still for good (seen on 6.18,
with subflows closed at random while links were cut; with more room it went on at once).
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios

from ..errors import NotPermitted, NotSupported
from ..hints import GRANT_NET_ADMIN

_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")  # include/uapi/linux/sock_diag.h: rmem_alloc, rcvbuf, …


def held_back(sock: socket.socket) -> int:
    """Return about how many bytes came that can't be read yet, for want of others before them.

    It is what the kernel keeps for the connection beyond what can be read, with what it costs to
    keep that: up to as much again, so that little is told where much waits to be read.

    Args:
        sock: a connected socket.

    Raises:
        OSError: it is closed.
    """
    kept, *_ = _MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    (ready,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.FIONREAD, bytes(4)))
    return max(0, int(kept) - 2 * int(ready))


def is_stuck(sock: socket.socket) -> bool:
    """Whether the buffer is full and yet there is nothing to read.

    Args:
        sock: a connected socket.

    Raises:
        OSError: it is closed.
    """
    used, limit, *_ = _MEMINFO.unpack(
        sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    )
    if used < limit:
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return not poll.poll(0)


def enlarge(sock: socket.socket) -> int:
    """Let the buffer hold twice as much, beyond `net.core.rmem_max`.

    Args:
        sock: a connected socket.

    Returns:
        the new limit in bytes, as the kernel counts: data and what it costs to keep it.

    Raises:
        NotPermitted: CAP_NET_ADMIN is missing.
        NotSupported: the kernel refuses.
    """
    limit = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    try:
        # The kernel doubles what it is told, for what it costs to keep data (socket(7)).
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, limit)
    except PermissionError as error:
        what = "the receive buffer could not be enlarged"
        raise NotPermitted(what, errno=error.errno or 0, hint=GRANT_NET_ADMIN) from None
    except OSError as error:
        what = "the receive buffer could not be enlarged"
        raise NotSupported(what, errno=error.errno or 0) from None
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
