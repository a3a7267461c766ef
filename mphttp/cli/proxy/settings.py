"""The options of `mphttp proxy`, each said once."""

from __future__ import annotations

import argparse
import ipaddress
from dataclasses import dataclass

from mphttp.proxy.destinations import Network
from mphttp.proxy.limits import Limits

from ..get.settings import option
from ..streams.listening import ListenAt, listen_at
from ..streams.settings import GROUPS, StreamSettings, given
from ..units import count, duration
from .rules import Rule, rule

_LIMITS = Limits()


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network, such as 192.168.1.0/24") from None


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Who may use the proxy, and for what."""

    listen: tuple[ListenAt, ...] = option.several(
        option.Option(
            ("--listen",),
            "take clients there (default 127.0.0.1:1080); repeat it for several; other machines "
            "can connect only to an address that isn't of loopback (* for all), and with --users",
            "[HOST:]PORT",
            listen_at,
        )
    )
    users: str | None = option.value(
        "--users",
        metavar="FILE",
        parse=str,
        means="ask for one of the users in this file, a line USER:PASSWORD each, which nobody else "
        "may read",
    )
    rules: tuple[Rule, ...] = option.several(
        option.Option(
            ("--rule",),
            "another strategy for a destination: a name with its subdomains, an address, a network "
            "or *, each perhaps with a port; the first that fits counts, such as "
            "'*:22=handover,within=500ms' or 'example.org=refresh,every=5s,rotate'",
            "DESTINATION=STRATEGY[,OPTION]...",
            rule,
        )
    )
    allow: tuple[Network, ...] = option.several(
        option.Option(
            ("--allow",),
            "let other machines reach this network, too, though it isn't public",
            "NETWORK",
            _network,
        )
    )


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """How much is taken."""

    connections: int = option.value(
        "--connections",
        metavar="N",
        parse=count,
        default=_LIMITS.connections,
        means=f"of all clients together (default {_LIMITS.connections})",
    )
    per_client: int = option.value(
        "--connections-per-client",
        metavar="N",
        parse=count,
        default=_LIMITS.per_client,
        means=f"of one other machine (default {_LIMITS.per_client})",
    )
    unready: int = option.value(
        "--waiting",
        metavar="N",
        parse=count,
        default=_LIMITS.unready,
        means=f"that have asked for nothing yet (default {_LIMITS.unready}); of more, the oldest "
        "ends",
    )
    handshake: float = option.value(
        "--handshake-timeout",
        metavar="TIME",
        parse=duration,
        default=_LIMITS.handshake,
        means=f"until a client has said what it wants (default {_LIMITS.handshake:g}s)",
    )
    idle: float = option.value(
        "--idle-timeout",
        metavar="TIME",
        parse=duration,
        default=_LIMITS.idle,
        means=f"between two http:// requests, or two pieces of one (default {_LIMITS.idle:g}s)",
    )
    half_closed: float = option.value(
        "--half-closed-timeout",
        metavar="TIME",
        parse=duration,
        default=_LIMITS.half_closed,
        means="for which one direction may be silent once the other has ended (default "
        f"{_LIMITS.half_closed:g}s)",
    )

    @property
    def limits(self) -> Limits:
        """The limits."""
        return Limits(
            self.connections,
            self.per_client,
            self.unready,
            self.handshake,
            self.idle,
            self.half_closed,
        )


@dataclass(frozen=True, kw_only=True)
class Settings(StreamSettings, ServerSettings, LimitSettings):
    """What a command line asks for."""

    unit: bool = option.switch(
        "--unit", means="print a systemd user unit that runs this command line, and end"
    )


GROUPS_OF_PROXY: dict[str, type[object]] = {
    "clients": ServerSettings,
    **GROUPS,
    "limits": LimitSettings,
    "installation": Settings,
}
"""The headings of `--help`."""


def settings_of(parsed: argparse.Namespace) -> Settings:
    """Return what argparse found and checked as settings."""
    return Settings(**given(parsed))  # type: ignore[arg-type]
