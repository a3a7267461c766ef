"""The file that gives programs' connections a strategy: TOML into rules. Pure.

[[rule]]
port = 22
strategy = "handover"

[[rule]]
user = "backup"
destination = ["192.0.2.0/24", "2001:db8::/32"]
strategy = "refresh"
threshold = "4MiB"
"""

from __future__ import annotations

import difflib
import functools
import ipaddress
import operator
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from mphttp import registry
from mphttp.cli.units import duration, size
from mphttp.strategies import Strategy

from .rules import Network, Rule

_HEADER = re.compile(r"^\s*\[\[\s*rule\s*\]\]")
_CHOOSES = ("port", "user", "program", "destination", "paths", "strategy")
_MOST_PORT = 65535
_SAMPLE = 'write a rule as: [[rule]], port = 22, strategy = "handover"'


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a file, and where.

    Args:
        where: the file, and the line.
        what: one sentence.
        hint: what mends it, or "".
    """

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" (hint: {self.hint})" if self.hint else "")


class _Wrong(ValueError):
    """What is wrong with a rule: the key, one sentence, and what mends it."""

    def __init__(self, key: str, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.key, self.what, self.hint = key, what, hint


def read_rules(
    text: str, name: str, user_id: Callable[[str], int]
) -> tuple[list[Rule], list[Complaint]]:
    """Read the rules of a file; a bad one is left out, and the others hold.

    Args:
        text: what the file holds.
        name: of the file, for complaints.
        user_id: tells the number of a user by name; raises KeyError where there is none.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return [], [Complaint(name, f"it is no TOML: {error}", _SAMPLE)]
    listed, rules = document.pop("rule", []), []
    complaints = [
        Complaint(_place(name, text, 0, key), f"{key!r} means nothing here", _SAMPLE)
        for key in document
    ]
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        where = _place(name, text, 0, "rule")
        return [], [*complaints, Complaint(where, "'rule' must be a table each", _SAMPLE)]
    for number, table in enumerate(listed, 1):
        try:
            rules.append(_rule(table, user_id))
        except _Wrong as error:
            where = _place(name, text, number, error.key)
            complaints.append(Complaint(where, f"rule {number}: {error.what}", error.hint))
    return rules, complaints


def _place(name: str, text: str, number: int, key: str) -> str:
    """Name the line of a key in the rule of that number, or of its beginning; 0 is before any."""
    line_of_rule, seen = 0, 0
    wanted = re.compile(rf"^\s*\[{{0,2}}[\"']?{re.escape(key)}[\"']?\s*[=.\]]") if key else None
    for place, line in enumerate(text.splitlines(), 1):
        if _HEADER.match(line):
            seen += 1
            line_of_rule = place if seen == number else line_of_rule
        elif seen == number and wanted is not None and wanted.match(line):
            return f"{name}, line {place}"
    return f"{name}, line {line_of_rule}" if line_of_rule else name


def _rule(table: Mapping[str, object], user_id: Callable[[str], int]) -> Rule:
    paths = tuple(_texts(table, "paths"))
    return Rule(
        strategy=_strategy(table),
        ports=frozenset(_ports(table)),
        users=frozenset(_users(table, user_id)),
        programs=frozenset(_texts(table, "program")),
        destinations=tuple(_networks(table)),
        paths=paths or None,
    )


def _all(table: Mapping[str, object], key: str) -> list[object]:
    """Return what a key has: one thing, or a list."""
    given = table.get(key, [])
    if isinstance(given, list) and not given and key in table:
        raise _Wrong(key, f"{key!r} is empty, so that the rule fits nothing", "leave it out")
    return given if isinstance(given, list) else [given]


def _texts(table: Mapping[str, object], key: str) -> Iterator[str]:
    for one in _all(table, key):
        if not isinstance(one, str) or not one:
            raise _Wrong(key, f"{key} must be a name, or a list of names, not {one!r}")
        yield one


def _ports(table: Mapping[str, object]) -> Iterator[int]:
    for port in _all(table, "port"):
        if type(port) is not int or not 1 <= port <= _MOST_PORT:
            raise _Wrong("port", f"{port!r} is no port", f"a number from 1 to {_MOST_PORT}")
        yield port


def _users(table: Mapping[str, object], user_id: Callable[[str], int]) -> Iterator[int]:
    for user in _all(table, "user"):
        if type(user) is int and user >= 0:
            yield user
            continue
        try:
            yield user_id(user if isinstance(user, str) else "")
        except (KeyError, ValueError):
            raise _Wrong("user", f"there is no user {user!r}", "`id NAME` tells") from None


def _networks(table: Mapping[str, object]) -> Iterator[Network]:
    for text in _texts(table, "destination"):
        try:
            yield ipaddress.ip_network(text, strict=False)
        except ValueError:
            what = f"{text!r} is neither an address nor a network"
            raise _Wrong("destination", what, 'such as "192.0.2.7" or "2001:db8::/32"') from None


def _strategy(table: Mapping[str, object]) -> Strategy:
    named = table.get("strategy")
    if not isinstance(named, str) or not named:
        raise _Wrong("strategy", "it names no strategy", 'strategy = "handover", for one')
    kinds = [_kind(name) for name in named.split("+")]
    given = {key: value for key, value in table.items() if key not in _CHOOSES}
    known = {field.name for kind in kinds for field in fields(kind)}
    for key in given:
        if key not in known:
            raise _unknown(key, named, [*_CHOOSES, *sorted(known)])
    return functools.reduce(operator.and_, (_made(kind, given) for kind in kinds))


def _unknown(key: str, named: str, known: Sequence[str]) -> _Wrong:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return _Wrong(key, f"{key!r} is nothing that a rule or {named!r} has", hint)


def _kind(name: str) -> type[Strategy]:
    try:
        return registry.load(name)
    except registry.UnknownStrategy as error:
        near = difflib.get_close_matches(name, error.known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(error.known)}"
        raise _Wrong("strategy", f"there is no strategy {name!r}", hint) from None
    except registry.BrokenStrategy as error:
        raise _Wrong("strategy", str(error)) from None


def _made(kind: type[Strategy], given: Mapping[str, object]) -> Strategy:
    types = {field.name: str(field.type) for field in fields(kind)}
    values = {key: _value(key, value, types[key]) for key, value in given.items() if key in types}
    try:
        return kind(**values)
    except Exception as error:  # another package's code may raise anything
        key = next((key for key in values if key in str(error)), "strategy")
        raise _Wrong(key, f"{kind.name}: {error}") from None


def _value(key: str, value: object, kind: str) -> Any:
    """Read "4MiB" and "10s" as people write them, where the parameter is a number."""
    if not isinstance(value, str) or "str" in kind:
        return value
    try:
        return duration(value) if "float" in kind else size(value) if "int" in kind else value
    except ValueError as error:
        raise _Wrong(key, str(error)) from None
