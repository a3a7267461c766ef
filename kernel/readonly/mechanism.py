"""The mechanism where nothing can be changed: it tells what is, and why no more is possible."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from ..errors import KernelError
from ..events import Event
from ..values import Path, SocketAddress, SubflowInfo
from .control import ConnectionControl


class ReadonlyControl(ConnectionControl):
    """Tells about one connection and refuses to change it."""

    def __init__(self, sock: socket.socket, reason: KernelError) -> None:
        super().__init__(sock)
        self._reason = reason

    def open(self, *_call: object, backup: bool = False) -> SubflowInfo:  # noqa: ARG002
        raise _again(self._reason)

    def close(self, *_call: object) -> None:
        raise _again(self._reason)

    def withdraw(self, *_call: object) -> None:
        raise _again(self._reason)

    def set_backup(self, *_call: object) -> None:
        raise _again(self._reason)


class ReadonlyMechanism:
    """Information only.

    Args:
        reason: why, as the error that every change raises; its hint says what to do about it.
    """

    name = "readonly"

    def __init__(self, reason: KernelError) -> None:
        self.reason = reason

    def control(self, sock: socket.socket) -> ReadonlyControl:
        return ReadonlyControl(sock, self.reason)

    def misled(self, _path: Path, _remote: SocketAddress) -> KernelError | None:
        return None  # none is opened

    def fileno(self) -> int | None:
        return None

    def events(self) -> Sequence[Event]:
        return ()

    def close(self) -> None:
        pass


def _again(reason: KernelError) -> KernelError:
    """Make the error anew: one object raised twice would drag along its first traceback."""
    return type(reason)(
        reason.what, errno=reason.errno or 0, extack=reason.extack, hint=reason.hint
    )
