"""Which strategy a destination gets: the first rule that fits, or what holds for all. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mphttp.proxy.target import Target
from mphttp.strategies import Strategy

from ..exits import Failure
from ..get.proxies import excepted
from ..get.settings import PathSettings, add_to
from ..streams.ways import strategy_of


@dataclass(frozen=True)
class Rule:
    """A strategy for some destinations.

    Args:
        destination: a name, an address, a network or "*", perhaps with a port.
        strategy: what decides there, or None for one path.
    """

    destination: str
    strategy: Strategy | None

    def fits(self, target: Target) -> bool:
        """Tell whether the rule is about a destination."""
        host, _, port = self.destination.rpartition(":")
        if host == "*" and port.isdecimal():
            return int(port) == target.port
        bare = self.destination.removeprefix("*.") if self.destination != "*" else "*"
        return excepted(target.host, (bare,), target.port)


def rule(text: str) -> Rule:
    """Read DESTINATION=STRATEGY[,OPTION[=VALUE]]..., the options without their dashes.

    Raises:
        ValueError: it is none.
    """
    destination, separator, words = text.partition("=")
    if not (destination and separator and words):
        raise ValueError(f"{text!r} is no rule, such as 'example.org=handover' or '*:22=fullmesh'")
    name, *options = words.split(",")
    try:
        strategy = strategy_of(_settings(["--strategy", name, *(f"--{o}" for o in options)]))
    except (Failure, argparse.ArgumentError) as error:
        what = error.what if isinstance(error, Failure) else str(error)
        raise ValueError(f"{text!r}: {what}") from None
    return Rule(destination, strategy)


def chooser(
    rules: Sequence[Rule], otherwise: Strategy | None
) -> Callable[[Target], Strategy | None]:
    """Return what chooses a strategy for a destination."""

    def choose(target: Target) -> Strategy | None:
        fitting = (rule for rule in rules if rule.fits(target))
        first = next(fitting, None)
        return otherwise if first is None else first.strategy

    return choose


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise argparse.ArgumentError(None, message)


def _settings(words: Sequence[str]) -> PathSettings:
    parser = _Parser(add_help=False, allow_abbrev=False)
    add_to(parser, PathSettings)
    return PathSettings(**vars(parser.parse_args(words)))
