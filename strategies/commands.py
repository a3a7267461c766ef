"""What a strategy may ask for, and what goes wrong when it does."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .view import Path, Remote, Subflow, Transfer

RESPONSE = "response"
"""The kind of the event that the head of the response is there."""


@dataclass(frozen=True, slots=True)
class Until:
    """Resume the strategy at the first of these that holds, which may be at once.

    Args:
        received: bytes that the application has read of the response's body, and the peer has
            acknowledged of the request's (`Transfer.received`).
        elapsed: seconds since the request began to leave.
        event: kind of an event, such as "subflow_closed", that happened since the last step; or
            several kinds, any of which will do. "response" is that its head is there.

    Raises:
        ValueError: none of the three is given, or one is no number.
    """

    received: float | None = None
    elapsed: float | None = None
    event: str | tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.received is None and self.elapsed is None and self.event is None:
            raise ValueError("Until() would never resume: give received, elapsed or event")
        for name in ("received", "elapsed"):
            value = getattr(self, name)
            if value is not None and math.isnan(value):
                raise ValueError(f"Until({name}=nan) would never resume")

    @property
    def events(self) -> tuple[str, ...]:
        """The kinds of events that resume the strategy."""
        return (self.event,) if isinstance(self.event, str) else self.event or ()

    def holds(self, transfer: Transfer) -> bool:
        """Tell whether the strategy resumes now."""
        return (
            (self.received is not None and transfer.received >= self.received)
            or (self.elapsed is not None and transfer.elapsed >= self.elapsed)
            or any(event.kind in self.events for event in transfer.events)
        )


@dataclass(frozen=True, slots=True)
class Open:
    """Open a subflow on a path; the strategy resumes with the established `Subflow` (paper, 3.3).

    Args:
        path: where it leaves.
        backup: the peer uses it only while no regular subflow works (RFC 8684, 3.1).
        remote: one of `transfer.remotes`, or None for the address that the connection was made to.

    Raises:
        TypeError: `path` or `remote` is something else.
        OpenFailed: inside the generator, when the subflow was refused or never answered.
    """

    path: Path
    backup: bool = False
    remote: Remote | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.path, Path):
            raise TypeError(f"Open takes a Path, such as transfer.paths[0], not {self.path!r}")
        if self.remote is not None and not isinstance(self.remote, Remote):
            raise TypeError(f"remote is one of transfer.remotes, not {self.remote!r}")


@dataclass(frozen=True, slots=True)
class Close:
    """Close a subflow without losing a byte (paper, 3.4); the last that works can't be closed.

    Args:
        subflow: the one.
        lost: nothing comes over it any more. The peer is told over the others (RFC 8684, 3.4.2),
            where the mechanism can, and sends again at once what was on its way.
    """

    subflow: Subflow
    lost: bool = False


@dataclass(frozen=True, slots=True)
class SetBackup:
    """Pause (True) or resume (False) a subflow by MP_PRIO, with no handshake (RFC 8684, 3.3.8)."""

    subflow: Subflow
    backup: bool


@dataclass(frozen=True, slots=True)
class SetOption:
    """Set a socket option on one subflow alone (paper, 3.5).

    Args:
        subflow: the one.
        level: such as `socket.IPPROTO_IP`.
        name: such as `socket.IP_TOS`.
        value: an int, or the bytes of the structure that the option takes.
    """

    subflow: Subflow
    level: int
    name: int
    value: int | bytes


@dataclass(frozen=True, slots=True)
class Expect:
    """Tell the application when the body is expected; the strategy resumes at once.

    Args:
        seconds: from the request to the last byte, later than the deadline; None where the deadline
            can be met after all.
    """

    seconds: float | None


Command = Until | Open | Close | SetBackup | SetOption | Expect


class CommandFailed(Exception):
    """A command didn't work; a strategy that doesn't catch it ends, and the transfer goes on."""


class OpenFailed(CommandFailed):
    """A subflow was refused, reset, or never answered."""


class PathRests(OpenFailed):
    """A path held up the others a moment ago, and isn't used in any way until it has rested."""
