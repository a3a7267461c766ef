"""A second path only when a deadline is in danger."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar, Literal

from .checks import one_of, positive_seconds
from .commands import RESPONSE, Until
from .forecast import OUTAGE
from .in_time import SHORT, SOONEST, InTime
from .steps import open_first
from .strategy import Steps, Strategy
from .view import Transfer

_STALL = 0.2
"""Seconds without an acknowledgement that are no accident."""


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

    What counts is what the network delivered, in both directions: of the request's body, what the
    peer has acknowledged. An application that is slow opens no path. A body of unknown length opens
    the second path at d/2, whatever has come, since nothing shows that it is enough.

    Args:
        d: seconds from the first byte of the request to the last of the response.
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

    @property
    def early(self) -> bool:  # type: ignore[override]  # the paper's rules know the length
        return self.rule == "forecast"

    def run(self, transfer: Transfer) -> Steps:
        if self.rule == "forecast":
            if self.d >= SHORT:  # most bodies are there before there is anything to forecast
                yield Until(elapsed=SOONEST)
            if transfer.length is None and not transfer.answered:
                yield from self._until_answered(transfer)
            if transfer.length is not None:
                while not transfer.subflows:
                    yield Until(elapsed=transfer.elapsed + SOONEST)
                yield from InTime(transfer, self.d, self.margin).run()
                if transfer.length is not None:
                    return
        yield from self._run_once(transfer)

    def _until_answered(self, transfer: Transfer) -> Steps:
        """Wait for the head of the response; meanwhile see to it that the request gets through.

        What isn't acknowledged for a while tells of an outage, which is expected to last several
        times as long. After half the time another path stands by, whoever the wait is for.
        """
        helped = False
        while not transfer.answered:
            left = self.d - transfer.elapsed
            half = transfer.elapsed >= self.d / 2
            if not helped and transfer.subflows:
                rtt = transfer.subflows[0].rtt
                lost = transfer.unacknowledged and transfer.silence > max(_STALL, 4 * rtt)
                if half or (lost and OUTAGE * transfer.silence > left / 2):
                    helped = True
                    backup = not transfer.unacknowledged
                    yield from open_first(transfer.unused_paths, backup=backup)
            look = transfer.elapsed + max(SOONEST, min(_STALL, self.d / 20))
            yield Until(elapsed=look, event=RESPONSE)

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
