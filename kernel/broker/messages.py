"""What the broker is asked and answers, as values.

A connection is never named: the message that asks carries its socket (SCM_RIGHTS), and what that
socket is, the broker finds out by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import (
    CallRefused,
    KernelError,
    NoSuchSubflow,
    NotMultipath,
    NotPermitted,
    NotReady,
    NotSupported,
    OpenRefused,
    ProtocolError,
)
from ..values import SocketAddress, TCPState

VALUE_ROOM = 256
"""Bytes that an option's value may have."""

_MAX_TEXT = 1024  # bytes of each text of a refusal

ERRORS: tuple[type[KernelError], ...] = (
    KernelError,
    NotMultipath,
    NotSupported,
    NotPermitted,
    NotReady,
    NoSuchSubflow,
    OpenRefused,
    ProtocolError,
    CallRefused,
)
"""The errors that a refusal can stand for, in the order of their numbers."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of each client; the only one without a socket."""


@dataclass(frozen=True, slots=True)
class Open:
    """Send the SYN of a new subflow.

    Args:
        interface_index: the interface that it leaves through, at least 1.
        address: the local IP address.
        remote: address and port of the peer; port 0 is the connection's own.
        local_id: identifier of the local address, 1 to 255 (RFC 8684, 3.2).
        backup: ask the peer to use it only when no regular subflow works.
    """

    interface_index: int
    address: str
    remote: SocketAddress
    local_id: int
    backup: bool


@dataclass(frozen=True, slots=True)
class Close:
    """End a subflow, named by its id."""

    subflow: int


@dataclass(frozen=True, slots=True)
class SetBackup:
    """Send MP_PRIO on a subflow, named by its id."""

    subflow: int
    backup: bool


@dataclass(frozen=True, slots=True)
class SetOption:
    """Set an option on a subflow, named by its id; a value has 1 to `VALUE_ROOM` bytes."""

    subflow: int
    level: int
    name: int
    value: bytes


@dataclass(frozen=True, slots=True)
class GetOption:
    """Read `size` bytes, 1 to `VALUE_ROOM`, of an option of a subflow, named by its id."""

    subflow: int
    level: int
    name: int
    size: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Tell this client the events of the connection, until it ends."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Leave the connection to this client: the broker opens nothing for it by itself."""


OnConnection = Open | Close | SetBackup | SetOption | GetOption | Watch | Claim
"""What is about the connection whose socket comes with it."""

Request = Hello | OnConnection


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to a `Hello`.

    Args:
        options: whether this broker sets options on one subflow.
    """

    options: bool


@dataclass(frozen=True, slots=True)
class Done:
    """It is done; `value` is what was read, if that was asked."""

    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Opened:
    """A SYN has left.

    Args:
        subflow: id of the new subflow.
        state: what it is already.
        local_id: the identifier that its local address really has.
        local_port: its local port.
        remote_port: its remote port.
    """

    subflow: int
    state: TCPState
    local_id: int
    local_port: int
    remote_port: int


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not done, and why: what the error is made of that the client raises."""

    kind: type[KernelError]
    errno: int
    what: str
    extack: str = ""
    hint: str = ""

    @classmethod
    def of(cls, error: KernelError) -> Refused:
        """Write down an error."""
        kind = type(error) if type(error) in ERRORS else KernelError
        texts = (_shortened(text) for text in (error.what, error.extack, error.hint))
        return cls(kind, error.errno or 0, *texts)

    def error(self) -> KernelError:
        """Make the error that was written down."""
        return self.kind(self.what, errno=self.errno, extack=self.extack, hint=self.hint)


@dataclass(frozen=True, slots=True)
class Watching:
    """Events of a connection are told from now on.

    Args:
        token: what names the connection in them.
        announced: what its peer has announced so far and not withdrawn, each with its number.
    """

    token: int
    announced: tuple[tuple[int, SocketAddress], ...] = ()


@dataclass(frozen=True, slots=True)
class EventTold:
    """What happened to a connection that is watched: the kernel's own message, not read yet.

    Args:
        payload: for `path_manager.events.decode_event`.
    """

    payload: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """Events were lost: read every connection again, and ask to watch it again."""


Answer = Welcome | Done | Opened | Refused | Watching | EventTold | Lost


def _shortened(text: str) -> str:
    return text.encode(errors="replace")[:_MAX_TEXT].decode(errors="ignore")
