"""The options that both commands have, each said once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ...tunnel import Upstream
from ..get.settings import PathSettings, option
from ..units import duration


@dataclass(frozen=True, kw_only=True)
class WaySettings:
    """How connections go out."""

    upstream: Upstream | None = option.value(
        "-x",
        "--proxy",
        "--upstream",
        metavar="URL",
        parse=Upstream.of,
        means="through this proxy, to which the paths lead: socks5h://HOST:PORT (it looks names "
        "up), socks5:// or http://",
    )
    ipv4: bool = option.switch("-4", "--ipv4", means="only over IPv4")
    ipv6: bool = option.switch("-6", "--ipv6", means="only over IPv6")
    connect_timeout: float = option.value(
        "--connect-timeout",
        metavar="TIME",
        parse=duration,
        default=60.0,
        means="until there is a connection (default 60s)",
    )


@dataclass(frozen=True, kw_only=True)
class ToldSettings:
    """What people and programs are told."""

    report: str | None = option.value(
        "--report",
        metavar="FILE",
        parse=str,
        means="what happened, as JSON, a line for each connection at its end",
    )
    verbose: bool = option.switch("-v", "--verbose", means="a line on stderr for what happens")


@dataclass(frozen=True, kw_only=True)
class StreamSettings(PathSettings, WaySettings, ToldSettings):
    """What both commands are asked for."""


GROUPS: dict[str, type[object]] = {
    "paths": PathSettings,
    "connections": WaySettings,
    "what is told": ToldSettings,
}
"""The headings of `--help`."""


def given(parsed: argparse.Namespace) -> dict[str, object]:
    """Return what a command line gave, by the names of fields."""
    return {name: v for name, v in vars(parsed).items() if name not in ("command", "run")}
