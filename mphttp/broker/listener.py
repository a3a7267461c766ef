"""The socket that clients connect to: systemd's, or one of our own."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

_FIRST_PASSED = 3  # sd_listen_fds(3), SD_LISTEN_FDS_START
_BACKLOG = 128


def passed(environ: MutableMapping[str, str]) -> socket.socket | None:
    """Take the socket that systemd passed; None if it passed none.

    Args:
        environ: the process's; what is said there is for this process only, and taken out.

    Raises:
        ValueError: it passed several, or no listening Unix socket of SOCK_SEQPACKET.
    """
    process, number = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()):
        return None
    if number != "1":
        raise ValueError(f"{number} sockets were passed instead of 1")
    listener = socket.socket(fileno=_FIRST_PASSED)
    listener.set_inheritable(False)
    kind = (listener.family, listener.type)
    listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if kind != (socket.AF_UNIX, socket.SOCK_SEQPACKET) or not listening:
        raise ValueError("what was passed is no listening Unix socket of SOCK_SEQPACKET")
    return listener


def listen(path: str, mode: int, group: int | None) -> socket.socket:
    """Make a socket at a path.

    Args:
        path: where; what a broker that has gone left there is replaced.
        mode: who may connect, as of chmod(2).
        group: id of the group that it belongs to; None for this process's own.

    Raises:
        OSError: it can't be made there.
    """
    with suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o777)  # nobody may connect before it belongs to whom it should
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    if group is not None:
        os.chown(path, -1, group)
    os.chmod(path, mode)
    listener.listen(_BACKLOG)
    return listener
