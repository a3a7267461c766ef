"""A second path only when a deadline is in danger."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar, Literal

from .checks import one_of, positive_seconds
from .commands import Until
from .in_time import SHORT, SOONEST, InTime
from .steps import open_first
from .strategy import Steps, Strategy
from .view import Transfer


@dataclass(frozen=True)
class Deadline(Strategy):
    """Use a second path only when the body may not be there in `d` seconds (paper, 4.2).

    `rule="forecast"` forecasts what the preferred path will bring. While that isn't enough, the
    other paths carry, too, one after the other in their order; one that isn't needed any more is
    paused (a backup, by MP_PRIO), and taken up again if it must be (`in_time`).

    The paper's own two rules only ever open the second path. `rule="rate"`: when the rate so far,
    s_n / (t_n - t_0), falls below s / d; it is looked at from `grace` on, since at t_0 nothing has
    come and the literal rule always fires. `rule="half"`: if after d/2 less than half has come;
    looked at once.

    What counts is what the network delivered: a slow reader opens no path. A response of unknown
    length opens the second path at d/2, whatever has come, since nothing shows that it is enough.

    Args:
        d: seconds from the request to the last byte of the body.
        rule: "forecast", "rate" or "half".
        grace: seconds before the rate is first looked at by "rate"; None is a tenth of `d`.
        margin: seconds before `d` at which "forecast" plans to be done; None is two round trips,
            and more where the rate varies (0.24 s for 30%).
        keep: whether what it opened stays as a backup for the connection's next response.

    Raises:
        ValueError: a time isn't a positive, finite number, or `rule` is another word.
    """

    name: ClassVar[str] = "deadline"
    d: float = 10.0
    rule: Literal["forecast", "rate", "half"] = "forecast"
    grace: float | None = None
    margin: float | None = None
    keep: bool = False

    def __post_init__(self) -> None:
        positive_seconds("d", self.d)
        one_of("rule", self.rule, ("forecast", "rate", "half"))
        for name, value in (("grace", self.grace), ("margin", self.margin)):
            if value is not None:
                positive_seconds(name, value)

    @property
    def deadline(self) -> float | None:
        return self.d

    def run(self, transfer: Transfer) -> Steps:
        if self.rule == "forecast" and transfer.length is not None:
            if self.d >= SHORT:  # most bodies are there before there is anything to forecast
                yield Until(elapsed=SOONEST)
            while not transfer.subflows:
                yield Until(elapsed=transfer.elapsed + SOONEST)
            yield from InTime(transfer, transfer.length, self.d, self.margin).run()
        else:
            yield from self._run_once(transfer)

    def _run_once(self, transfer: Transfer) -> Steps:
        """Open a second path if a rule of the paper's says so, and leave it at that."""
        if self.rule == "half" or transfer.length is None:
            yield Until(elapsed=self.d / 2)
            in_danger = self._less_than_half(transfer)
        else:
            in_danger = yield from self._watch_rate(transfer, transfer.length)
        if in_danger:
            yield from open_first(transfer.unused_paths)

    def _less_than_half(self, transfer: Transfer) -> bool:
        if transfer.slow_reader:
            return False
        return transfer.length is None or transfer.delivered * 2 < transfer.length

    def _watch_rate(self, transfer: Transfer, length: int) -> Generator[Until, None, bool]:
        look = self.d / 10 if self.grace is None else self.grace
        while True:
            yield Until(elapsed=look)
            if transfer.delivered >= length:
                return False
            enough_until = self.d * transfer.delivered / length
            if transfer.elapsed > enough_until and not transfer.slow_reader:
                return True
            # Even if nothing more came, the rate would do until then: no need to look before.
            look = max(enough_until, transfer.elapsed + self.d / 1000)
