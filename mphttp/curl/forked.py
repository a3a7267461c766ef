"""What a child process does with the connections of its parent: nothing.

Both would write on one stream, the child even when it ends: libcurl says goodbye in TLS and HTTP/2
as it lets go of a connection, and waits for a thread that looks a name up, which stayed behind.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

import pycurl


class Inherited(Protocol):
    """What a child process has inherited."""

    def after_fork(self) -> None:
        """Begin anew; all that there is belongs to the parent."""


_known: weakref.WeakSet[Inherited] = weakref.WeakSet()


def know(inherited: Inherited) -> None:
    """Let a child process begin anew with this."""
    _known.add(inherited)


def leave(handle: pycurl.Curl | pycurl.CurlMulti) -> None:
    """See to it that a handle of libcurl's is never let go of in this process."""
    import ctypes  # in child processes alone

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handle))


def _after_fork() -> None:
    for inherited in list(_known):
        inherited.after_fork()


os.register_at_fork(after_in_child=_after_fork)
