"""What is granted is done here: act on the connection, look at it again, undo if it is another."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass

from mphttp.kernel.address_ids import AddressIds
from mphttp.kernel.broker.messages import (
    Answer,
    Claim,
    Close,
    Done,
    GetOption,
    OnConnection,
    Open,
    Opened,
    Refused,
    SetBackup,
    SetOption,
    Watch,
    Watching,
)
from mphttp.kernel.errors import KernelError, NoSuchSubflow
from mphttp.kernel.path_manager.commands import PathManagerMessage, remove
from mphttp.kernel.path_manager.control import NetlinkControl, PathManager
from mphttp.kernel.path_manager.tables import Command
from mphttp.kernel.values import ConnectionInfo, Path, SubflowInfo


@dataclass(frozen=True, slots=True)
class Passed:
    """A connection whose socket was passed.

    Args:
        sock: connected, MPTCP.
        manager: the path manager of its network namespace.
        connection: what it was a moment ago.
    """

    sock: socket.socket
    manager: PathManager
    connection: ConnectionInfo


def act(request: OnConnection, passed: Passed, interface: str) -> Answer:
    """Do what was granted to whoever holds the socket.

    Args:
        request: what it is.
        passed: the connection.
        interface: name of the interface that an `Open` names by its index.
    """
    try:
        if isinstance(request, Open):
            return _open(request, passed, interface)
        if isinstance(request, Claim):
            return Done()
        control = _Control(passed)
        match request:
            case Close(subflow):
                control.close(_find(control, subflow))
            case SetBackup(subflow, backup):
                control.set_backup(_find(control, subflow), backup)
            case SetOption(subflow, level, name, value):
                control.setsockopt(_find(control, subflow), level, name, value)
            case GetOption(subflow, level, name, size):
                return Done(control.getsockopt(_find(control, subflow), level, name, size))
            case Watch():
                return Watching(control.token, tuple(control.announced().items()))
        return Done()
    except KernelError as error:
        return Refused.of(error)


class _Witness:
    """A path manager that remembers whether it opened a subflow, or changed anything."""

    def __init__(self, manager: PathManager) -> None:
        self._manager = manager
        self.announced, self.denied = manager.announced, manager.denied
        self.misled, self.strayed = manager.misled, manager.strayed
        self.heeds_opens = manager.heeds_opens
        self.changed = self.opened = False

    def request(
        self, message: PathManagerMessage, *, dump: bool = False
    ) -> list[PathManagerMessage]:
        self.changed = True
        answers = self._manager.request(message, dump=dump)
        self.opened |= message.command is Command.SUBFLOW_CREATE
        return answers


class _Control(NetlinkControl):
    """A control that reads its connection anew only when something may have changed it."""

    def __init__(self, passed: Passed, ids: AddressIds | None = None) -> None:
        self.witness = _Witness(passed.manager)
        self.last = passed.connection
        super().__init__(passed.sock, self.witness, ids)

    def info(self) -> ConnectionInfo:
        if self.witness.changed:
            self.last = super().info()
        return self.last


def _open(request: Open, passed: Passed, interface: str) -> Answer:
    # Identifiers are the client's to keep: the broker knows nothing of a connection.
    ids = AddressIds({request.address: request.local_id})
    control = _Control(passed, ids)
    path = Path(interface, request.interface_index, request.address)
    try:
        subflow = control.open(path, request.remote, backup=request.backup)
        (_, local_port), (_, remote_port) = subflow.tuple
        number = ids.of(request.address)
        return Opened(subflow.id, subflow.state, number, local_port, remote_port)
    finally:
        # Closing and pausing name a subflow by its four-tuple, which no other connection has. Only
        # here could a token that was given away meanwhile mean somebody else's connection.
        if control.witness.opened and control.last.token != control.token:
            _undo(remove(control.token, ids.of(request.address)), passed.manager)


def _undo(removal: PathManagerMessage, manager: PathManager) -> None:
    """Close the subflows of the address that one was opened from."""
    with suppress(KernelError):  # mostly there is no such connection any more
        manager.request(removal)
    raise NoSuchSubflow("the connection ended while a subflow was opened; it was closed again")


def _find(control: NetlinkControl, subflow_id: int) -> SubflowInfo:
    for subflow in control.info().subflows:
        if subflow.id == subflow_id:
            return subflow
    raise NoSuchSubflow(f"the connection has no subflow {subflow_id}")
