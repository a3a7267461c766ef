"""The rule of MP-DASH as we understand its paper, to compare with; not its authors' code.

Han, Qian, Ji, Gopalakrishnan: "MP-DASH: Adaptive Video Streaming Over Preference-Aware Multipath",
CoNEXT 2016, section 4: the costly path is enabled exactly while the preferred one, at the rate that
Holt-Winters forecasts, doesn't bring the rest by a share of the deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mphttp.strategies import SetBackup, Steps, Strategy, Transfer, Until
from mphttp.strategies.steps import open_first

_LOOK_EVERY = 0.1
_LEVEL = _TREND = 0.5


@dataclass(frozen=True)
class MPDash(Strategy):
    """Enable the second path exactly while (alpha * d - t) times the forecast rate isn't enough.

    Args:
        d: seconds from the request to the last byte.
        alpha: the share of `d` that is planned with.
    """

    name: ClassVar[str] = "mpdash"
    d: float = 10.0
    alpha: float = 1.0

    def run(self, transfer: Transfer) -> Steps:
        second = yield from open_first(transfer.unused_paths, backup=True)
        if second is None or transfer.length is None:
            return
        enabled, last, came = False, transfer.elapsed, 0
        level = trend = 0.0
        while transfer.delivered < transfer.length:
            yield Until(elapsed=transfer.elapsed + _LOOK_EVERY)
            now = sum(s.bytes_received for s in transfer.subflows if s.id != second.id)
            rate = (now - came) / (transfer.elapsed - last)
            before = level
            level = rate if not came else _LEVEL * rate + (1 - _LEVEL) * (level + trend)
            trend = 0.0 if not came else _TREND * (level - before) + (1 - _TREND) * trend
            last, came = transfer.elapsed, now
            brings = max(0.0, level + trend) * (self.alpha * self.d - transfer.elapsed)
            wanted = brings < transfer.length - transfer.delivered
            if wanted != enabled:
                yield SetBackup(second, not wanted)
                enabled = wanted
