"""The options of `mphttp connect`, each said once."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from ..get.settings import option
from ..streams.listening import ListenAt, listen_at
from ..streams.settings import StreamSettings, given


@dataclass(frozen=True, kw_only=True)
class ConnectSettings:
    """Where bytes come from, if not from standard input."""

    listen: tuple[ListenAt, ...] = option.several(
        option.Option(
            ("--listen",),
            "forward this local port, each of its connections by one of its own; only this machine "
            "can connect, unless HOST is another address (* for all); repeat it for several",
            "[HOST:]PORT",
            listen_at,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Settings(StreamSettings, ConnectSettings):
    """What a command line asks for.

    Args:
        host: where to connect.
        port: TCP port there.
    """

    host: str
    port: int


def settings_of(parsed: argparse.Namespace) -> Settings:
    """Return what argparse found and checked as settings."""
    return Settings(**given(parsed))  # type: ignore[arg-type]
