"""What every control of an MPTCP connection has: token, state, and no options per subflow."""

from __future__ import annotations

import socket

from .errors import NotSupported
from .info import capture
from .values import ConnectionInfo

_NO_OPTIONS = "options of one subflow are not on this mechanism"
_ALL_OPTIONS = "set it on the connection, which sets it on every subflow (setsockopt_all)"


class ConnectionControl:
    """Reads one connection; what changes it is up to the mechanism."""

    def __init__(self, sock: socket.socket) -> None:
        """Take charge of a connected MPTCP socket.

        Raises:
            NotMultipath: the connection fell back to TCP.
            NoSuchSubflow: the socket is closed.
        """
        self._socket = sock
        self._token = self.info().token

    @property
    def token(self) -> int:
        """The token that names the connection in events."""
        return self._token

    def info(self) -> ConnectionInfo:
        """Read the connection as it is now."""
        return capture(self._socket.fileno()).decode()

    def setsockopt(self, *_call: object) -> None:
        """Refuse: stock Linux has no such call."""
        raise NotSupported(_NO_OPTIONS, hint=_ALL_OPTIONS)

    def getsockopt(self, *_call: object) -> bytes:
        """Refuse: stock Linux has no such call."""
        raise NotSupported(_NO_OPTIONS, hint=_ALL_OPTIONS)
