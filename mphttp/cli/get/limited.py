"""A strategy under `--limit-rate`: the reader's own pace is nothing that more paths would mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mphttp.strategies import Path, Steps, Strategy, Transfer


@dataclass(frozen=True)
class Limited(Strategy):
    """Another strategy, left out where the limit alone makes its deadline impossible.

    Strategies look at what the network delivered, which a slow reader doesn't change until the
    kernel's receive buffer is full; from then on both go at the same pace, and only the reader
    knows whose it is.

    Args:
        strategy: with a deadline.
        rate: bytes that are read in a second.
    """

    strategy: Strategy
    rate: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.strategy.name)  # a report tells of that strategy

    def run(self, transfer: Transfer) -> Steps:
        if seconds_too_many(transfer.length, self.rate, self.deadline) is None:
            yield from self.strategy.run(transfer)

    def connect_on(self, paths: Sequence[Path]) -> Path | None:
        return self.strategy.connect_on(paths)

    @property
    def deadline(self) -> float | None:
        return self.strategy.deadline

    @property
    def early(self) -> bool:  # type: ignore[override]  # that strategy's
        return self.strategy.early

    def parameters(self) -> dict[str, object]:
        return self.strategy.parameters()


def seconds_too_many(length: int | None, rate: int, deadline: float | None) -> float | None:
    """Return the seconds that a limit makes a body take, if they are more than its deadline has.

    Args:
        length: bytes of the body, or None if nobody knows.
        rate: bytes that are read in a second.
        deadline: seconds, or None.
    """
    if length is None or deadline is None or length / rate <= deadline:
        return None
    return length / rate
