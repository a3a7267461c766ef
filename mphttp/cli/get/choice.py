"""Which strategy and which paths a command line asks for."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import socket
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from mphttp import registry
from mphttp.strategies import Strategy

from ..exits import usage

_AT_ONCE = 0.001
"""Seconds; a deadline that has passed: whatever helps is wanted at once."""


class _Parameter(NamedTuple):
    option: str
    field: str
    strategy: str


_PARAMETERS = (
    _Parameter("deadline", "d", "deadline"),
    _Parameter("threshold", "threshold", "refresh"),
    _Parameter("size", "size", "delayed"),
)


def chosen_strategy(arguments: argparse.Namespace) -> Strategy | None:
    """Return the strategy that is asked for, or None; a parameter alone implies its strategy.

    Raises:
        Failure: the name is unknown, or a value isn't for this strategy.
    """
    given = [p for p in _PARAMETERS if getattr(arguments, p.option) is not None]
    name = arguments.strategy or _implied(given)
    if name is None:
        return None
    strategy = _load(name)
    known = {field.name for field in dataclasses.fields(strategy)}
    for parameter in given:
        if parameter.field not in known:
            raise usage(
                f"--{parameter.option} is no parameter of strategy {name!r}",
                f"--strategy {parameter.strategy} takes it",
            )
    return _made(strategy, name, {p.field: getattr(arguments, p.option) for p in given})


def hurried(strategy: Strategy, spent: float) -> Strategy:
    """Return a strategy for an attempt that begins later, so that its deadline stays where it was.

    Args:
        strategy: of the first attempt.
        spent: seconds since that began.
    """
    if strategy.deadline is None or "d" not in {f.name for f in dataclasses.fields(strategy)}:
        return strategy
    left = max(strategy.deadline - spent, _AT_ONCE)
    changes: dict[str, Any] = {"d": left}
    return dataclasses.replace(strategy, **changes)


def check_paths(names: Iterable[str]) -> None:
    """Refuse names that are no interface of this machine.

    Raises:
        Failure: one isn't.
    """
    known = [name for _, name in socket.if_nameindex()]
    for name in names:
        if name not in known:
            raise usage(f"there is no interface {name!r}", _instead(name, known))


def _implied(given: Sequence[_Parameter]) -> str | None:
    strategies = {parameter.strategy for parameter in given}
    if len(strategies) > 1:
        options = " and ".join(f"--{parameter.option}" for parameter in given)
        raise usage(f"{options} belong to different strategies", "give one of them alone")
    return next(iter(strategies), None)


def _load(name: str) -> type[Strategy]:
    try:
        return registry.load(name)
    except registry.UnknownStrategy as error:
        raise usage(f"there is no strategy {name!r}", _instead(name, error.known)) from error
    except registry.BrokenStrategy as error:
        raise usage(str(error), "mend or remove the package that registers it") from error


def _made(strategy: type[Strategy], name: str, values: dict[str, Any]) -> Strategy:
    try:
        return strategy(**values)
    except (TypeError, ValueError) as error:
        raise usage(f"strategy {name!r}: {error}") from error


def _instead(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}known are {', '.join(known)}"
