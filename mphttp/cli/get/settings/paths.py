"""When paths are opened, and which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from mphttp import registry
from mphttp.engine.request import Multipath
from mphttp.strategies import Intent

from ... import units
from .option import Option, last, several, switch, value


def _intent(text: str) -> Intent:
    return cast("Intent", text)  # one of the choices


def _multipath(text: str) -> Multipath:
    return cast("Multipath", text)


@dataclass(frozen=True, kw_only=True)
class PathSettings:
    """What the paths are asked to do."""

    strategy: str | None = last(
        Option(
            ("--strategy",),
            "when paths are opened (default: one path alone)",
            "NAME[+NAME]",
            str,
            known=registry.names,
        )
    )
    intent: Intent | None = value(
        "--intent",
        choices=get_args(Intent),
        parse=_intent,
        means="the same by what it is for (RFC 9622)",
    )
    deadline: float | None = value(
        "--deadline",
        metavar="TIME",
        parse=units.duration,
        parameter=("deadline", "d"),
        means="until the last byte is there (default 10s)",
    )
    threshold: int | None = value(
        "--threshold",
        metavar="SIZE",
        parse=units.size,
        parameter=("refresh", "threshold"),
        means="between two subflows (default 1MiB)",
    )
    every: float | None = value(
        "--every",
        metavar="TIME",
        parse=units.duration,
        parameter=("refresh", "every"),
        means="after so long, too",
    )
    rotate: bool = switch(
        "--rotate", parameter=("refresh", "rotate"), means="go on to the next path each time"
    )
    size: int | None = value(
        "--size",
        metavar="SIZE",
        parse=units.size,
        parameter=("delayed", "size"),
        means="what one path has to carry (default 1MiB)",
    )
    within: float | None = value(
        "--within",
        metavar="TIME",
        parse=units.duration,
        parameter=("handover", "within"),
        means="from silence on one path to data on another (default 0.8s)",
    )
    standby: bool = switch(
        "--standby",
        parameter=("handover", "standby"),
        means="open the other path at once, as a backup",
    )
    subflows: int | None = value(
        "--subflows",
        metavar="N",
        parse=units.count,
        parameter=("ndiffports", "n"),
        means="so many on one path (default 2)",
    )
    dscp: dict[str, int | str] | int | str | None = value(
        "--dscp",
        metavar="[IFACE=]DSCP",
        parse=units.code_points,
        parameter=("mark", "dscp"),
        means="what the packets of each path carry, such as lte=ef,wifi=le or 46",
    )
    path: tuple[str, ...] = several(
        Option(
            ("--path",),
            "use only these interfaces, the one to start on first (repeat it; default: all)",
            "IFACE",
            str,
        )
    )
    multipath: Multipath = value(
        "--multipath",
        choices=get_args(Multipath),
        parse=_multipath,
        default="auto",
        means="what carries a body over several paths: subflows of MPTCP, parts by further TCP "
        "connections, what there is (default), or nothing",
    )
    strict: bool = switch("--strict", means="fail where what the strategy asks for doesn't work")
    fail_deadline: bool = switch(
        "--fail-deadline", means="fail if the deadline was missed; the body stays"
    )
