"""What the path manager wants done: calls of the kernel, and words for transfers."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from mphttp.kernel.values import Path, SocketAddress, SubflowInfo

from .subflow import SubflowRecord


@dataclass(frozen=True, slots=True, eq=False)
class OpenSubflow:
    """Send the SYN of a new subflow; its outcome is a `SubflowInfo` (Control.open).

    Args:
        path: where it leaves.
        remote: address and port of the peer.
        backup: ask the peer to use it only when no regular subflow works.
    """

    path: Path
    remote: SocketAddress
    backup: bool


@dataclass(frozen=True, slots=True, eq=False)
class CloseSubflow:
    """End a subflow (Control.close); one that is gone already has ended, too."""

    subflow: SubflowInfo


@dataclass(frozen=True, slots=True, eq=False)
class WithdrawAddress:
    """Tell the peer that a subflow's address is gone (Control.withdraw)."""

    subflow: SubflowInfo


@dataclass(frozen=True, slots=True, eq=False)
class SetSubflowBackup:
    """Send MP_PRIO (Control.set_backup)."""

    subflow: SubflowInfo
    backup: bool


@dataclass(frozen=True, slots=True, eq=False)
class SetSubflowOption:
    """Set an option of one subflow (Control.setsockopt)."""

    subflow: SubflowInfo
    level: int
    name: int
    value: int | bytes


KernelCall = OpenSubflow | CloseSubflow | WithdrawAddress | SetSubflowBackup | SetSubflowOption
"""Each is told back, once, by `PathManager.completed` or `PathManager.failed`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Resume a transfer's strategy with what came of its command.

    Args:
        transfer: whose.
        subflow: the one that was opened; None for other commands.
    """

    transfer: Hashable
    subflow: SubflowRecord | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Resume a transfer's strategy with an exception: its command didn't work.

    Args:
        transfer: whose.
        error: a `CommandFailed`.
        hint: what mends it, or "".
    """

    transfer: Hashable
    error: Exception
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Write down an event.

    Args:
        kind: such as "subflow_closed".
        subflow: the one that it happened to, or None.
        detail: what else is known, or "".
        transfer: whom it concerns; None for all of the connection.
    """

    kind: str
    subflow: SubflowRecord | None = None
    detail: str = ""
    transfer: Hashable | None = None


@dataclass(frozen=True, slots=True)
class Explain:
    """Say more of an event that all transfers noted before it was known why it happened.

    Args:
        kind: of the event.
        subflow: that it happened to.
        detail: what is known now.
    """

    kind: str
    subflow: SubflowRecord
    detail: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Write down a problem.

    Args:
        what: one sentence.
        hint: what mends it, or "".
        transfer: whom it concerns; None for all of the connection.
    """

    what: str
    hint: str = ""
    transfer: Hashable | None = None


Effect = KernelCall | Answer | Failure | Note | Explain | Trouble
