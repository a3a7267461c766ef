"""A class of service for each path."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from .commands import CommandFailed, SetOption, Until
from .strategy import Steps, Strategy
from .view import Subflow, Transfer

NAMES = (
    {f"cs{n}": 8 * n for n in range(8)}
    | {f"af{n}{drop}": 8 * n + 2 * drop for n in range(1, 5) for drop in range(1, 4)}
    | {"le": 1, "va": 44, "ef": 46, "df": 0}
)
"""Code points by name (RFC 2474, 2597, 3246, 5865, 8622)."""

_SHIFT = 2  # the two bits below are for congestion (RFC 3168)


@dataclass(frozen=True)
class Mark(Strategy):
    """Mark the packets of each path's subflows with a DSCP (paper, 3.5, figure 5).

        wifi ━━━━━━━━━━━━━━━━   unmarked
        lte  ╺EF╺EF╺EF╺EF╺EF╺   Mark({"lte": "ef"})

    A mark is on what this side sends. It needs a mechanism that sets options of one subflow; where
    there is none, the report says so. Subflows that are opened later are marked, too:
    `Deadline(10) & Mark({"lte": "ef"})`.

    Args:
        dscp: the code point for each interface, 0 to 63 or a name such as "ef", "af41" or "le"; or
            one for all of them.

    Raises:
        ValueError: one is neither.
    """

    name: ClassVar[str] = "mark"
    dscp: Mapping[str, int | str] | int | str

    def __post_init__(self) -> None:
        points = self.dscp.values() if isinstance(self.dscp, Mapping) else [self.dscp]
        for point in points:
            _number(point)

    def run(self, transfer: Transfer) -> Steps:
        marked = set[int]()
        while True:
            for subflow in transfer.subflows:
                point = self._point(subflow)
                if point is not None and subflow.id not in marked:
                    marked.add(subflow.id)
                    try:
                        yield _option(subflow, point)
                    except CommandFailed:
                        continue
            yield Until(event="subflow_established")

    def _point(self, subflow: Subflow) -> int | None:
        if not isinstance(self.dscp, Mapping):
            return _number(self.dscp)
        point = self.dscp.get(subflow.path.name)
        return None if point is None else _number(point)


def _option(subflow: Subflow, point: int) -> SetOption:
    if subflow.remote is not None and ":" in subflow.remote.host:
        return SetOption(subflow, socket.IPPROTO_IPV6, socket.IPV6_TCLASS, point << _SHIFT)
    return SetOption(subflow, socket.IPPROTO_IP, socket.IP_TOS, point << _SHIFT)


def _number(point: int | str) -> int:
    number = NAMES.get(point.lower()) if isinstance(point, str) else point
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 63:
        raise ValueError(f"a DSCP is 0 to 63 or a name such as 'ef' or 'af41', not {point!r}")
    return number
