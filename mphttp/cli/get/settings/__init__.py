"""The options of `mphttp get`, each said once, and what a command line gave of them.

`option` makes argparse's options of the fields in the other files; `words` reads a command line.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .accepted import AcceptedSettings
from .again import AgainSettings
from .batch import BatchSettings
from .body import BodySettings
from .connection import Backend, ConnectionSettings
from .option import Option, add_to, options_of
from .output import OutputSettings, ToldSettings
from .paths import PathSettings
from .proxy import ProxySettings
from .redirect import RedirectSettings
from .request import RequestSettings
from .session import SessionSettings
from .trust import TrustSettings

__all__ = [
    "GROUPS",
    "AcceptedSettings",
    "AgainSettings",
    "Backend",
    "BatchSettings",
    "BodySettings",
    "ConnectionSettings",
    "Option",
    "OutputSettings",
    "PathSettings",
    "ProxySettings",
    "RedirectSettings",
    "RequestSettings",
    "SessionSettings",
    "Settings",
    "ToldSettings",
    "TrustSettings",
    "add_to",
    "all_options",
    "options_of",
    "settings_of",
]

GROUPS: Mapping[str, type[object]] = MappingProxyType(
    {
        "paths": PathSettings,
        "request": RequestSettings,
        "body": BodySettings,
        "redirects": RedirectSettings,
        "users and cookies": SessionSettings,
        "output": OutputSettings,
        "which answers are wanted": AcceptedSettings,
        "what is told": ToldSettings,
        "many URLs": BatchSettings,
        "going on and trying again": AgainSettings,
        "connection": ConnectionSettings,
        "proxies": ProxySettings,
        "TLS": TrustSettings,
    }
)
"""The headings of `--help`."""


@dataclass(frozen=True, kw_only=True)
class Settings(
    PathSettings,
    RequestSettings,
    BodySettings,
    RedirectSettings,
    SessionSettings,
    OutputSettings,
    AcceptedSettings,
    ToldSettings,
    BatchSettings,
    AgainSettings,
    ConnectionSettings,
    ProxySettings,
    TrustSettings,
):
    """What a command line asks for."""


def settings_of(parsed: argparse.Namespace) -> Settings:
    """Return what argparse found and checked as settings; its own result goes no further."""
    return Settings(**vars(parsed))


def all_options() -> list[tuple[str, Option[object]]]:
    """Return each option with the name of its field."""
    return [found for group in GROUPS.values() for found in options_of(group)]
