"""One direction of a transfer: the rate of each path over time, one on top of the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .facts import Facts, Samples
from .series import Rates, rates, stacked

_SHOWN = 0.05
"""Of the other direction's bytes: what has fewer is heads and acknowledgements."""
ROOM = 1.03
"""What is left free above and to the right."""


@dataclass(frozen=True)
class Panel:
    """A direction.

    Args:
        words: what it shows.
        series: the rates, by the name of the path.
        goes: whether it is what leaves.
    """

    words: str
    series: Mapping[str, Rates]
    goes: bool = False

    @property
    def edges(self) -> list[tuple[list[float], list[float]]]:
        """Lower and upper edge of each path's area, in bits per second."""
        return stacked(list(self.series.values()))

    @property
    def top_rate(self) -> float:
        """The rate at its upper end."""
        return ROOM * max((max(upper) for _, upper in self.edges), default=1.0) or 1.0


def panels(facts: Facts) -> Sequence[Panel]:
    """Return what a picture shows: the direction that matters, or both."""
    return list(_panels(facts))


def _panels(facts: Facts) -> Iterator[Panel]:
    sent, received = _last(facts.sent), _last(facts.received)
    goes, comes = sent > _SHOWN * received, received >= _SHOWN * sent
    if goes:
        yield Panel("Mbit/s sent by path", _series(facts, facts.sent), goes=True)
    if comes:
        words = "Mbit/s received by path" if goes else "Mbit/s by path"
        yield Panel(words, _series(facts, facts.received))


def _last(samples: Samples) -> int:
    return sum(samples[-1][1].values()) if samples else 0


def _series(facts: Facts, samples: Samples) -> dict[str, Rates]:
    return {
        path: rates([(at, carried.get(path, 0)) for at, carried in samples], facts.seconds)
        for path in facts.paths
    }
