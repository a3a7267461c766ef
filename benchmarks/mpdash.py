"""The rule of MP-DASH, to compare with: Algorithm 1 of its paper, not its authors' kernel.

Han, Qian, Ji, Gopalakrishnan: "MP-DASH: Adaptive Video Streaming Over Preference-Aware Multipath",
CoNEXT 2016, section 4. The costly path is off at first. After each packet: if the forecast rate of
the preferred one times (alpha * D - time spent) is more than what is left, the costly path is
disabled, else enabled; alpha <= 1, and 0.8 is the paper's other value. What is enabled runs at its
full rate. Once D is over, both are used. The forecast is Holt-Winters.

Checked against a reader's section by section notes (github.com/RakunKo/Network, winter
study/MP-DASH.md), since the paper's own text was not at hand. Two things differ. The weights of
Holt-Winters are those of He, Dovrolis and Ammar (SIGCOMM 2005), which the notes don't tell: 0.5
here, both. And we look each 0.1 s, as the receiver; theirs decides with each packet, and a bit in
its DSS option tells the sender, where ours sends MP_PRIO and has to wait for what is queued.
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
