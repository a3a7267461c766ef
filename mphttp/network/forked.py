"""What a child process does with the connections of its parent: nothing.

Both would read one stream and write on it. In the child each of their descriptors leads nowhere,
so that nothing said on it reaches the peer, and a connection ends when it ends in the parent.
"""

from __future__ import annotations

import os
import socket
import weakref
from typing import Protocol

WHOSE = "the connection is that of another process, before its fork"


class Inherited(Protocol):
    """What a child process has inherited."""

    def after_fork(self) -> None:
        """Begin anew; all that there is belongs to the parent."""


_known: weakref.WeakSet[Inherited] = weakref.WeakSet()
_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
_generation = 0


def know(inherited: Inherited) -> None:
    """Let a child process begin anew with this."""
    _known.add(inherited)


def keep_back(sock: socket.socket) -> socket.socket:
    """Keep a socket from child processes; return it."""
    _sockets.add(sock)
    return sock


def generation() -> int:
    """Return how many forks there were from the first process to this one."""
    return _generation


def _after_fork() -> None:
    global _generation  # noqa: PLW0603  there is one of it in a process
    _generation += 1
    for sock in list(_sockets):
        if sock.fileno() >= 0:
            _lead_nowhere(sock.fileno())
            sock.close()
    for inherited in list(_known):
        inherited.after_fork()


def _lead_nowhere(descriptor: int) -> None:
    """Let a descriptor lead nowhere, for whoever has only its number, such as OpenSSL."""
    try:
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:  # no descriptor can be had: closing it is the next best
        return
    os.dup2(nowhere, descriptor, inheritable=False)
    os.close(nowhere)


os.register_at_fork(after_in_child=_after_fork)
