"""What carries out the calls: one interface for netlink, a broker, real socket options, or none.

The engine speaks to these two protocols and never to netlink. Nothing here blocks longer than one
exchange with the kernel: `open` returns when the SYN has left, and what came of it is an event.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from .errors import KernelError
from .events import Event
from .values import ConnectionInfo, Path, SocketAddress, SubflowInfo


class Control(Protocol):
    """The subflows of one connection."""

    @property
    def token(self) -> int:
        """The token that names the connection in events."""

    def info(self) -> ConnectionInfo:
        """Read the connection as it is now.

        Raises:
            NotMultipath: the connection fell back to TCP.
            NoSuchSubflow: the socket is closed.
        """

    def listen(self) -> None:
        """Have the connection's events told from now on; before that, they may not be."""

    def announced(self) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw, by its number for each.

        Only `Mechanism.events` reads more of them.
        """

    def open(self, path: Path, remote: SocketAddress, *, backup: bool = False) -> SubflowInfo:
        """Send the SYN of a new subflow and return at once; the outcome is an event.

        Args:
            path: where it leaves; its address and interface index are both sent.
            remote: address and port of the peer, both needed.
            backup: ask the peer to use it only when no regular subflow works (RFC 8684, 3.1).

        Raises:
            NotReady: the connection is not fully established yet.
            KernelError: any other refusal.
        """

    def close(self, subflow: SubflowInfo) -> None:
        """End a subflow; its unacknowledged data goes on over the others.

        Raises:
            NoSuchSubflow: it is gone already.
        """

    def withdraw(self, subflow: SubflowInfo) -> None:
        """Tell the peer over the others that this one's address is gone (RFC 8684, 3.4.2).

        Both sides end the subflows from there, and the peer sends again at once what was on its way
        to them. Over a path that is dead, no `close` reaches it.

        Raises:
            NoSuchSubflow: it is gone already.
            NotSupported: this mechanism has no such call.
            KernelError: any other refusal; nothing has changed.
        """

    def set_backup(self, subflow: SubflowInfo, backup: bool) -> None:
        """Send MP_PRIO (RFC 8684, 3.3.8): pause a subflow (True) or resume it (False)."""

    def setsockopt(self, subflow: SubflowInfo, level: int, name: int, value: int | bytes) -> None:
        """Set an option on one subflow alone (paper, section 3.5); takes up to some ms by BPF."""

    def getsockopt(self, subflow: SubflowInfo, level: int, name: int, size: int) -> bytes:
        """Read an option of one subflow (paper, section 3.5); takes up to some ms by BPF."""


class Mechanism(Protocol):
    """A way to carry out the calls, shared by all connections of a process.

    Methods are called by one thread at a time; `control` may be called by any.
    """

    name: str

    @property
    def reason(self) -> KernelError | None:
        """Why nothing can be changed, with what to do about it; None where it can."""

    def control(self, sock: socket.socket) -> Control:
        """Take charge of a connected MPTCP socket; keeps the object, not a copy of its descriptor.

        Raises:
            NotMultipath: the connection fell back to TCP.
        """

    def misled(self, path: Path, remote: SocketAddress) -> KernelError | None:
        """Say why a subflow on a path would leave by another interface, and what mends it, or None.

        `Control.open` raises it. The first time it may take some milliseconds; any thread may ask.
        """

    def fileno(self) -> int | None:
        """Descriptor that is readable when events wait, or None where there are no events."""

    def events(self) -> Sequence[Event]:
        """Return what has happened since the last call, without blocking.

        An `Overflow` among them says that some were lost: read every connection's `info` again.
        """

    def close(self) -> None:
        """Let go of descriptors."""
