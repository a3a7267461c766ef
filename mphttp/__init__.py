"""An HTTP client whose requests use several network paths, and whose application decides when.

import httpx
from mphttp import Deadline, MultipathTransport

with httpx.Client(transport=MultipathTransport(strategy=Deadline(10))) as client:
    response = client.get("https://example.org/film.mp4")
    print(response.extensions["multipath"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import StrategyProblem
    from .httpx import AsyncMultipathTransport, MultipathTransport
    from .report import Report, report_of
    from .requests import MultipathAdapter
    from .strategies import (
        Background,
        CheapestFirst,
        Deadline,
        DelayedByContentLength,
        DropSlow,
        FullMesh,
        Handover,
        HandshakeOn,
        KernelPathManager,
        Mark,
        NDiffPorts,
        Refresh,
        SinglePath,
        Strategy,
        for_intent,
    )

__version__ = "0.1.0"

__all__ = [
    "AsyncMultipathTransport",
    "Background",
    "CheapestFirst",
    "Deadline",
    "DelayedByContentLength",
    "DropSlow",
    "FullMesh",
    "Handover",
    "HandshakeOn",
    "KernelPathManager",
    "Mark",
    "MultipathAdapter",
    "MultipathTransport",
    "NDiffPorts",
    "Refresh",
    "Report",
    "SinglePath",
    "Strategy",
    "StrategyProblem",
    "for_intent",
    "report_of",
]

_HOMES = {
    "MultipathAdapter": ".requests",
    "AsyncMultipathTransport": ".httpx",
    "MultipathTransport": ".httpx",
    "Report": ".report",
    "StrategyProblem": ".errors",
    "report_of": ".report",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for, so that `import mphttp` costs nothing that isn't used."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES.get(name, ".strategies"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
