"""What every control of an MPTCP connection has: token, state, and options of one subflow."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from ..bpf.options import get_option, set_option
from ..errors import NotSupported
from ..reading.info import capture, token_of
from ..values import ConnectionInfo, SocketAddress, SubflowInfo


class ConnectionControl:
    """Reads one connection; what changes it is up to the mechanism."""

    def __init__(self, sock: socket.socket) -> None:
        """Take charge of a connected MPTCP socket.

        Raises:
            NotMultipath: the connection fell back to TCP.
            NoSuchSubflow: the socket is closed.
        """
        self._socket = sock
        self._token = token_of(sock)

    @property
    def token(self) -> int:
        """The token that names the connection in events."""
        return self._token

    def info(self) -> ConnectionInfo:
        """Read the connection as it is now."""
        return capture(self._socket.fileno()).decode()

    def listen(self) -> None:
        """Nothing is to be done: there are no events, or all are told."""

    def withdraw(self, _subflow: SubflowInfo) -> None:
        """There is no such call but netlink's; see `Control.withdraw`."""
        raise NotSupported("this mechanism can't withdraw an address")

    def announced(self) -> Mapping[int, SocketAddress]:
        """No address is known to be announced where there are no events."""
        return {}

    def setsockopt(self, subflow: SubflowInfo, level: int, name: int, value: int | bytes) -> None:
        """Set an option on one subflow alone; see `bpf.options.set_option`."""
        set_option(self._socket, subflow, level, name, value)

    def getsockopt(self, subflow: SubflowInfo, level: int, name: int, size: int) -> bytes:
        """Read an option of one subflow; see `bpf.options.get_option`."""
        return get_option(self._socket, subflow, level, name, size)
