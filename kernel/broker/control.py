"""The subflows of one connection, changed through the broker."""

from __future__ import annotations

import errno
import socket as sockets
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from ..address_ids import AddressIds
from ..addresses import canonical, unmapped
from ..bpf.options import option_bytes
from ..errors import CallRefused, KernelError, ProtocolError
from ..interfaces.honoured import look_after
from ..reading.info import TCP_INFO, subflow_tcp_info
from ..readonly.control import ConnectionControl
from ..values import FourTuple, Path, SocketAddress, SubflowInfo
from .messages import (
    VALUE_ROOM,
    Answer,
    Close,
    Done,
    GetOption,
    OnConnection,
    Open,
    Opened,
    SetBackup,
    SetOption,
)


class Broker(Protocol):
    """What a control needs of the mechanism that it belongs to."""

    def ask(self, request: OnConnection, sock: sockets.socket) -> Answer:
        """Ask the broker about a connection."""

    def announced(self, token: int) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw."""

    def misled(self, path: Path, remote: SocketAddress) -> KernelError | None:
        """Why a subflow on a path would leave by another interface; None if it wouldn't."""

    def listen(self, control: BrokerControl) -> None:
        """Have a connection's events told."""


class BrokerControl(ConnectionControl):
    """The subflows of one connection, changed through the broker.

    Args:
        sock: the connection's socket, which the broker is passed with each request.
        broker: who is asked.
    """

    def __init__(self, sock: sockets.socket, broker: Broker) -> None:
        super().__init__(sock)
        self._broker = broker
        self._ids = AddressIds()

    @property
    def socket(self) -> sockets.socket:
        """The connection's socket."""
        return self._socket

    def listen(self) -> None:
        """Have the connection's events told from now on."""
        self._broker.listen(self)

    def announced(self) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw, by its number for each.

        They are known a moment after `listen`.
        """
        return self._broker.announced(self.token)

    def open(self, path: Path, remote: SocketAddress, *, backup: bool = False) -> SubflowInfo:
        """Send the SYN of a new subflow and return at once; the outcome is an event.

        Args:
            path: where it leaves.
            remote: address and port of the peer; port 0 is the connection's own.
            backup: ask the peer to use it only when no regular subflow works.

        Raises:
            NotReady: the connection is not fully established yet.
            OpenRefused: no SYN could be sent, it was refused at once, or the peer forbade it.
            NoSuchSubflow: the connection is gone.
            NotPermitted: the broker's configuration forbids it.
            NotSupported: the connection was created under the in-kernel path manager; or the
                subflow would leave by another interface.
            KernelError: any other refusal, or the broker doesn't answer.
        """
        remote, number = unmapped(remote), self._ids.of(path.address)
        if (misled := self._broker.misled(path, remote)) is not None:
            raise misled
        answer = self._broker.ask(
            Open(path.index, path.address, remote, number, backup), self._socket
        )
        if not isinstance(answer, Opened):
            raise _nonsense(answer)
        if answer.local_id != number:
            self._ids.set(path.address, answer.local_id)
        local = SocketAddress(canonical(path.address), answer.local_port)
        pair = FourTuple(local, SocketAddress(remote.host, answer.remote_port))
        opened = SubflowInfo(answer.subflow, pair, answer.state, 0.0, 0, 0, 0, 0.0)
        if (misled := look_after(pair, path)) is not None:
            with suppress(KernelError):
                self.close(opened)
            raise misled
        return opened

    def close(self, subflow: SubflowInfo) -> None:
        """End a subflow; its unacknowledged data goes on over the others.

        Raises:
            NoSuchSubflow: it is gone already, or the connection is.
            KernelError: any other refusal, or the broker doesn't answer.
        """
        self._ask(Close(subflow.id))

    def set_backup(self, subflow: SubflowInfo, backup: bool) -> None:
        """Send MP_PRIO: pause a subflow (True) or resume it (False).

        Raises:
            The same as `close`.
        """
        self._ask(SetBackup(subflow.id, backup))

    def setsockopt(self, subflow: SubflowInfo, level: int, name: int, value: int | bytes) -> None:
        """Set an option on one subflow alone, if any user may set it on a socket of theirs.

        Raises:
            NotPermitted: it isn't everybody's to set.
            NotSupported: this broker sets no options.
            KernelError: the same as with `bpf.options.set_option`.
        """
        data = option_bytes(value)
        _check_room(len(data))
        self._ask(SetOption(subflow.id, level, name, data))

    def getsockopt(self, subflow: SubflowInfo, level: int, name: int, size: int) -> bytes:
        """Read an option of one subflow; TCP_INFO is read without the broker.

        Raises:
            The same as `setsockopt`.
        """
        if (level, name) == (sockets.IPPROTO_TCP, TCP_INFO) and size > 0:
            return subflow_tcp_info(self._socket.fileno(), subflow.tuple, size)
        _check_room(size)
        return self._ask(GetOption(subflow.id, level, name, size)).value

    def _ask(self, request: OnConnection) -> Done:
        answer = self._broker.ask(request, self._socket)
        if not isinstance(answer, Done):
            raise _nonsense(answer)
        return answer


def _nonsense(answer: Answer) -> ProtocolError:
    return ProtocolError(f"the broker's answer, {type(answer).__name__}, is none to what was asked")


def _check_room(size: int) -> None:
    if not 1 <= size <= VALUE_ROOM:
        what = f"a value has 1 to {VALUE_ROOM} bytes, not {size}"
        raise CallRefused(what, errno=errno.EINVAL)
