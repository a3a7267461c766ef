"""What one option is, said once: names, value, meaning; argparse and `--help` are made from it.

A class of settings is a frozen dataclass whose fields are made by `value`, `several`,
`last` and `switch`.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, overload

_T = TypeVar("_T")
_OPTIONS, _SEVERAL = "options", "several"


@dataclass(frozen=True)
class Option(Generic[_T]):
    """One way to write something on the command line.

    Args:
        names: such as "-o" and "--output", the one for people last.
        meaning: for `--help`.
        metavar: stands for its value.
        parse: makes a value of what is written, and raises ValueError with words for people; None
            if the option has no value.
        constant: the value of an option that is written without one.
        choices: the values that there are, if they are few.
        parameter: a strategy and its parameter's name, if it is one.
        backend: the only backend that can do it, or "".
        known: finds the values that there are, where people are told of the option.
    """

    names: tuple[str, ...]
    meaning: str
    metavar: str | None = None
    parse: Callable[[str], _T] | None = None
    constant: _T | None = None
    choices: tuple[str, ...] = ()
    parameter: tuple[str, str] | None = None
    backend: str = ""
    known: Callable[[], Iterable[str]] | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.names[-1]

    @property
    def told(self) -> str:
        """What `--help` tells of it."""
        if self.parameter is not None:
            return f"strategy {self.parameter[0]}: {self.meaning}"
        if self.known is not None:
            return f"{self.meaning}: {', '.join(self.known())}"
        return f"{self.meaning} (--backend {self.backend})" if self.backend else self.meaning


@overload
def value(
    *names: str,
    means: str,
    parse: Callable[[str], _T],
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
    parameter: tuple[str, str] | None = None,
    backend: str = "",
    default: None = None,
) -> _T | None: ...
@overload
def value(
    *names: str,
    means: str,
    parse: Callable[[str], _T],
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
    parameter: tuple[str, str] | None = None,
    backend: str = "",
    default: _T,
) -> _T: ...
def value(
    *names: str,
    means: str,
    parse: Callable[[str], _T],
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
    parameter: tuple[str, str] | None = None,
    backend: str = "",
    default: _T | None = None,
) -> _T | None:
    """Return the field of an option whose last value counts."""
    made = Option(names, means, metavar, parse, None, choices, parameter, backend)
    return dataclasses.field(default=default, metadata={_OPTIONS: (made,)})


def several(*options: Option[_T]) -> tuple[_T, ...]:
    """Return the field of options whose values, in the order given, are one list."""
    empty: tuple[_T, ...] = ()
    return dataclasses.field(default=empty, metadata={_OPTIONS: options, _SEVERAL: True})


def last(*options: Option[_T]) -> _T | None:
    """Return the field of several options of which the one that is written last counts."""
    return dataclasses.field(default=None, metadata={_OPTIONS: options})


def switch(
    *names: str, means: str, parameter: tuple[str, str] | None = None, backend: str = ""
) -> bool:
    """Return the field of an option that is there or not; `--no-NAME` takes it back."""
    made = Option(names, means, constant=True, parameter=parameter, backend=backend)
    return dataclasses.field(default=False, metadata={_OPTIONS: (made,)})


def options_of(settings: type[object]) -> Iterator[tuple[str, Option[object]]]:
    """Yield the names of a class's own fields with each of their options."""
    for name, field in _own_fields(settings):
        for one in field.metadata[_OPTIONS]:
            yield name, one


def add_to(
    group: argparse._ActionsContainer, settings: type[object], *, tells: bool = True
) -> None:
    """Add a class's own options to a group of a parser; what isn't given leaves no trace there.

    Args:
        group: of a parser.
        settings: the class.
        tells: whether the parser can tell what they are for.
    """
    for name, field in _own_fields(settings):
        repeated = _SEVERAL in field.metadata
        for one in field.metadata[_OPTIONS]:
            _add(group, name, one, one.told if tells else None, repeated=repeated)


def opposite(switch: Option[object]) -> str:
    """Return the name that takes a switch back."""
    bare = switch.name.removeprefix("--")
    return f"--{bare.removeprefix('no-')}" if bare.startswith("no-") else f"--no-{bare}"


def _add(
    group: argparse._ActionsContainer,
    name: str,
    one: Option[object],
    told: str | None,
    *,
    repeated: bool,
) -> None:
    if one.parse is None and repeated:
        group.add_argument(
            *one.names,
            dest=name,
            action=_Add,
            nargs=0,
            const=one.constant,
            default=argparse.SUPPRESS,
            help=told,
        )
    elif one.parse is None:
        _add_constant(group, name, one.names, one.constant, told)
        if one.constant is True:
            _add_constant(group, name, (opposite(one),), constant=False)
    else:
        _add_value(group, name, one, told, repeated=repeated)


def _add_value(
    group: argparse._ActionsContainer,
    name: str,
    one: Option[object],
    told: str | None,
    *,
    repeated: bool,
) -> None:
    assert one.parse is not None
    group.add_argument(
        *one.names,
        dest=name,
        action=_Add if repeated else "store",
        type=_checked(one.parse),
        metavar=one.metavar,
        choices=one.choices or None,
        default=argparse.SUPPRESS,
        help=told,
    )


def _add_constant(
    group: argparse._ActionsContainer,
    name: str,
    names: tuple[str, ...],
    constant: object,
    meaning: str | None = argparse.SUPPRESS,
) -> None:
    group.add_argument(
        *names,
        dest=name,
        action="store_const",
        const=constant,
        default=argparse.SUPPRESS,
        help=meaning,
    )


class _Add(argparse.Action):
    """Adds a value, or a constant, to a tuple, which nobody can change later."""

    def __call__(
        self,
        _: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        __: str | None = None,
    ) -> None:
        added = self.const if self.nargs == 0 else values
        setattr(namespace, self.dest, (*getattr(namespace, self.dest, ()), added))


def _own_fields(settings: type[object]) -> Iterator[tuple[str, dataclasses.Field[object]]]:
    fields: dict[str, dataclasses.Field[object]] = vars(settings)["__dataclass_fields__"]
    for name in vars(settings).get("__annotations__", {}):
        yield name, fields[name]


def _checked(parse: Callable[[str], object]) -> Callable[[str], object]:
    def checked(text: str) -> object:
        try:
            return parse(text)
        except ValueError as error:  # argparse would replace its words by poorer ones
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked
