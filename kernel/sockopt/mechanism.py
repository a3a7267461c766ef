"""The sockopt mechanism: the paper's own options, where the kernel has them (kernel/linux)."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import closing

from ..errors import KernelError, NotSupported
from ..events import Event
from ..reading.info import IPPROTO_MPTCP
from ..values import Path, SocketAddress
from . import calls
from .control import SockoptControl


class SockoptMechanism:
    """Carries out calls by options of the connection's own socket: holding it is the authority.

    No capability is needed, and either path manager will do. The interface has no events (paper,
    section 5): whoever waits for something has to look.

    Raises:
        NotSupported: the kernel hasn't these options, or no MPTCP.
    """

    name = "sockopt"
    reason: KernelError | None = None

    def __init__(self) -> None:
        """Ask for the subflows of a socket that has none: other kernels refuse the option."""
        try:
            with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)) as sock:
                calls.get_ids(sock)
        except OSError as error:
            what = "this kernel hasn't the socket options that control subflows"
            raise NotSupported(what, errno=error.errno or 0) from None

    def control(self, sock: socket.socket) -> SockoptControl:
        """Take charge of a connected MPTCP socket.

        Raises:
            NotMultipath: the connection fell back to TCP.
            NoSuchSubflow: the socket is closed.
        """
        return SockoptControl(sock)

    def misled(self, _path: Path, _remote: SocketAddress) -> KernelError | None:
        return None  # the kernel finds the interface by the path's address

    def fileno(self) -> int | None:
        return None

    def events(self) -> Sequence[Event]:
        return ()

    def close(self) -> None:
        pass
