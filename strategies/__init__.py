"""The decisions: pure, without a socket, a clock, a thread or a log.

@dataclass(frozen=True)
class Refresh(Strategy):
    threshold: int

    def run(self, transfer):
        for n in count(1):
            yield Until(received=n * self.threshold)
            old = transfer.current
            yield Open(old.path)  # make before break
            yield Close(old)
"""

if __name__ == "strategies":  # the folder's bare name would give every class a second identity
    raise ImportError("import mphttp.strategies, not strategies")

from .background import Background
from .baselines import FullMesh, KernelPathManager, SinglePath
from .cheapest_first import CheapestFirst
from .commands import (
    Close,
    Command,
    CommandFailed,
    Expect,
    Open,
    OpenFailed,
    PathRests,
    SetBackup,
    SetOption,
    Until,
)
from .deadline import Deadline
from .delayed import DelayedByContentLength
from .drop_slow import DropSlow
from .handover import Handover
from .handshake_on import HandshakeOn
from .intents import Intent, for_intent
from .mark import Mark
from .ndiffports import NDiffPorts
from .refresh import Refresh
from .run import Run
from .strategy import Steps, Strategy, returns_at_once
from .together import Together
from .view import Event, Path, Remote, Source, Subflow, Transfer

__all__ = [
    "Background",
    "CheapestFirst",
    "Close",
    "Command",
    "CommandFailed",
    "Deadline",
    "DelayedByContentLength",
    "DropSlow",
    "Event",
    "Expect",
    "FullMesh",
    "Handover",
    "HandshakeOn",
    "Intent",
    "KernelPathManager",
    "Mark",
    "NDiffPorts",
    "Open",
    "OpenFailed",
    "Path",
    "PathRests",
    "Refresh",
    "Remote",
    "Run",
    "SetBackup",
    "SetOption",
    "SinglePath",
    "Source",
    "Steps",
    "Strategy",
    "Subflow",
    "Together",
    "Transfer",
    "Until",
    "for_intent",
    "returns_at_once",
]
