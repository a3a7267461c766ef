"""One subflow's states, and what leads from one to another: everything there is to know is here.

Only the table changes a state. A cause that a state doesn't list can't happen in it, and is a fault
of ours (`ImpossibleTransition`); that a subflow is gone (`ENDED`) may happen in every state.
`python -m mphttp.core.subflow` prints the table as the diagram of docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from mphttp.kernel.values import FourTuple, SubflowInfo


class State(Enum):
    """What a subflow is good for."""

    OPENING = "opening"
    """Its SYN has left; nobody knows yet whether the peer takes it."""
    ESTABLISHED = "established"
    """It carries data, or may: also as a backup."""
    DRAINING = "draining"
    """The peer was asked to avoid it; it is closed when what was on its way has arrived."""
    RETIRED = "retired"
    """The transfer that wanted it has ended: it is closed soon, and nothing is built on it."""
    CLOSING = "closing"
    """The kernel is told to close it."""
    CLOSED = "closed"
    """It is gone."""


class Cause(Enum):
    """What moves a subflow from one state to another."""

    CONFIRMED = "confirmed"
    """The peer's fourth packet came, or no reset in time (kernel.connection.establishment)."""
    REFUSED = "refused"
    """The peer reset it, or never answered."""
    DRAIN = "drain"
    """Whoever wanted it doesn't any more, while the peer still uses it."""
    RETIRE = "retire"
    """The only transfer that wanted it has ended."""
    STAY = "stay"
    """The others have gone meanwhile: the last subflow that works isn't closed."""
    CLOSE = "close"
    """It is to end at once."""
    ENDED = "ended"
    """The kernel tells that it is gone, or the connection is."""


TRANSITIONS: Mapping[State, Mapping[Cause, State]] = {
    State.OPENING: {
        Cause.CONFIRMED: State.ESTABLISHED,
        Cause.REFUSED: State.CLOSING,
        Cause.CLOSE: State.CLOSING,
        Cause.ENDED: State.CLOSED,
    },
    State.ESTABLISHED: {
        Cause.DRAIN: State.DRAINING,
        Cause.RETIRE: State.RETIRED,
        Cause.CLOSE: State.CLOSING,
        Cause.ENDED: State.CLOSED,
    },
    State.DRAINING: {
        Cause.STAY: State.ESTABLISHED,
        Cause.CLOSE: State.CLOSING,
        Cause.ENDED: State.CLOSED,
    },
    State.RETIRED: {
        Cause.STAY: State.ESTABLISHED,
        Cause.CLOSE: State.CLOSING,
        Cause.ENDED: State.CLOSED,
    },
    State.CLOSING: {Cause.ENDED: State.CLOSED},
    State.CLOSED: {},
}


class ImpossibleTransition(Exception):
    """A fault of ours: the state doesn't know the cause."""


@dataclass(slots=True, eq=False)
class SubflowRecord:
    """What is known of one subflow; times are the driver's clock, in seconds.

    Args:
        id: the kernel's unique id.
        path: name of the interface.
        tuple: both addresses.
        info: what the kernel last told.
        state: see `State`.
        initial: whether the connection began with it.
        backup: what the peer was last asked.
        opened_at: when it was established, or None while it isn't.
        left_at: since when it is on its way out, or None.
        closed_at: when it ended, or None.
        wanted_by: transfers that asked for it.
        used_by: transfers that want the peer to use it.
        failed: whether it was refused, or ended though nobody asked for that.
        told: whether transfers were told why it ended.
    """

    id: int
    path: str
    tuple: FourTuple
    info: SubflowInfo
    state: State = State.OPENING
    initial: bool = False
    backup: bool = False
    opened_at: float | None = None
    left_at: float | None = None
    closed_at: float | None = None
    wanted_by: set[Hashable] = field(default_factory=set)
    used_by: set[Hashable] = field(default_factory=set)
    failed: bool = False
    told: bool = False

    @property
    def alive(self) -> bool:
        """Whether it is established and stays so."""
        return self.state is State.ESTABLISHED

    def move(self, cause: Cause, now: float) -> None:
        """Go where the table says.

        Raises:
            ImpossibleTransition: it says nothing.
        """
        after = TRANSITIONS[self.state].get(cause)
        if after is None:
            raise ImpossibleTransition(f"{cause.value} of a subflow that is {self.state.value}")
        if after is State.ESTABLISHED:
            self.left_at = None
        elif self.left_at is None:
            self.left_at = now
        if after is State.CLOSED:
            self.closed_at = now
        self.state = after


def diagram() -> str:
    """Draw the table in Mermaid's language."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.OPENING.value}"]
    for before, causes in TRANSITIONS.items():
        lines += [f"    {before.value} --> {a.value}: {c.value}" for c, a in causes.items()]
    return "\n".join([*lines, f"    {State.CLOSED.value} --> [*]"])


if __name__ == "__main__":
    print(diagram())
