"""Which strategy and which paths a command line asks for."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mphttp import registry
from mphttp.kernel.interfaces.paths import index_of, interfaces
from mphttp.strategies import Strategy, Together, for_intent

from ..exits import usage
from .settings import Option, PathSettings, options_of

_AT_ONCE = 0.001
"""Seconds; a deadline that has passed: whatever helps is wanted at once."""


class _Parameter(NamedTuple):
    """An option that is a strategy's parameter, and its value."""

    name: str
    option: Option[object]
    strategy: str
    field: str

    def of(self, settings: PathSettings) -> object:
        return getattr(settings, self.name)

    def given(self, settings: PathSettings) -> bool:
        value = self.of(settings)
        return value is not None and value is not False


_PARAMETERS = tuple(
    _Parameter(name, option, *option.parameter)
    for name, option in options_of(PathSettings)
    if option.parameter is not None
)


def chosen_strategy(settings: PathSettings) -> Strategy | None:
    """Return the strategy that is asked for, or None; a parameter alone implies its strategy.

    Raises:
        Failure: a name is unknown, or a value isn't for this strategy.
    """
    given = [parameter for parameter in _PARAMETERS if parameter.given(settings)]
    if settings.intent is not None:
        if settings.strategy or given:
            raise usage("--intent chooses a strategy itself", "give it or --strategy")
        return for_intent(settings.intent)
    names = settings.strategy.split("+") if settings.strategy else _implied(given)
    takes = {name: _fields(_load(name)) for name in names}
    for parameter in given:
        if not any(parameter.field in fields for fields in takes.values()):
            raise usage(
                f"{parameter.option.name} is no parameter of strategy {settings.strategy!r}",
                f"--strategy {parameter.strategy} takes it",
            )
    values = {parameter.field: parameter.of(settings) for parameter in given}
    made = [
        _made(name, {field: value for field, value in values.items() if field in takes[name]})
        for name in takes
    ]
    return functools.reduce(operator.and_, made) if made else None


def hurried(strategy: Strategy, spent: float) -> Strategy:
    """Return a strategy for an attempt that begins later, so that its deadline stays where it was.

    Args:
        strategy: of the first attempt.
        spent: seconds since that began.
    """
    if isinstance(strategy, Together):
        return Together(tuple(hurried(part, spent) for part in strategy.strategies))
    if strategy.deadline is None or "d" not in {f.name for f in dataclasses.fields(strategy)}:
        return strategy
    left = max(strategy.deadline - spent, _AT_ONCE)
    changes: dict[str, object] = {"d": left}
    return dataclasses.replace(strategy, **changes)


def absent(names: Iterable[str]) -> Iterator[str]:
    """Say which names are no interface of this machine now, though they may be one later."""
    for name in names:
        if index_of(name) is None:
            hint = _instead(name, list(interfaces()))
            yield f"warning: there is no interface {name!r} now\nhint: {hint}"


def _implied(given: Sequence[_Parameter]) -> list[str]:
    strategies = list(dict.fromkeys(parameter.strategy for parameter in given))
    if len(strategies) > 1:
        options = " and ".join(parameter.option.name for parameter in given)
        raise usage(
            f"{options} belong to different strategies",
            f"give one of them alone, or --strategy {'+'.join(strategies)} for all",
        )
    return strategies


def _fields(strategy: type[Strategy]) -> set[str]:
    return {field.name for field in dataclasses.fields(strategy)}


def _load(name: str) -> type[Strategy]:
    try:
        return registry.load(name)
    except registry.UnknownStrategy as error:
        raise usage(f"there is no strategy {name!r}", _instead(name, error.known)) from error
    except registry.BrokenStrategy as error:
        raise usage(str(error), "mend or remove the package that registers it") from error


def _made(name: str, values: dict[str, object]) -> Strategy:
    strategy = _load(name)
    for parameter in _PARAMETERS:
        if parameter.strategy == name and parameter.field not in values:
            field = {field.name: field for field in dataclasses.fields(strategy)}[parameter.field]
            if field.default is field.default_factory is dataclasses.MISSING:
                option = parameter.option
                hint = f"{option.name} {option.metavar}: {option.meaning}"
                raise usage(f"strategy {name!r} needs {option.name}", hint)
    try:
        return strategy(**values)
    except (TypeError, ValueError) as error:
        raise usage(f"strategy {name!r}: {error}") from error


def _instead(name: str, known: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}known are {', '.join(known)}"
