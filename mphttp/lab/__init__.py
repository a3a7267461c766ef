"""Two or more real paths on one machine, without root: real MPTCP in the real kernel.

`with Lab() as lab: lab.run([...])` from outside; `inside()` for what runs in it.
"""

from .client import DirectionCounters, LabClient, LinkCounters, inside
from .errors import LabError, LinkError
from .lab import DEFAULT_LINKS, Lab
from .spec import Link, parse_link

__all__ = [
    "DEFAULT_LINKS",
    "DirectionCounters",
    "Lab",
    "LabClient",
    "LabError",
    "Link",
    "LinkCounters",
    "LinkError",
    "inside",
    "parse_link",
]
