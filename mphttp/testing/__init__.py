"""What the author of a strategy needs: a replay, a simulator and a check of what always holds.

from mphttp.testing import Replay, check_strategy, simulate

docs/your-own-strategy.md leads through them.
"""

from .conformance import NotConforming, check_strategy, opened
from .replay import LTE, SERVER, WIFI, Replay
from .simulated_path import SimulatedPath
from .simulation import Outcome, simulate

__all__ = [
    "LTE",
    "SERVER",
    "WIFI",
    "NotConforming",
    "Outcome",
    "Replay",
    "SimulatedPath",
    "check_strategy",
    "opened",
    "simulate",
]
