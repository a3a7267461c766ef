"""What the author of a strategy needs: a replay.

docs/your-own-strategy.md leads through all of it.
"""

from .replay import LTE, SERVER, WIFI, Replay

__all__ = ["LTE", "SERVER", "WIFI", "Replay"]
