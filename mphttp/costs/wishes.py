"""The file that says which paths are preferred, which cost money, and which are never used. Pure.

[paths]
order = ["eth0", "wlan0"]
metered = ["wwan*"]
unmetered = ["usb0"]
never = ["docker*"]
cost = {wwan0 = 5, wlan0 = 0.5}
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from typing import Any

_SAMPLE = 'such as metered = ["wwan0"]'


@dataclass(frozen=True, slots=True)
class Wishes:
    """What files and the machine say of paths; names of interfaces may be patterns ("wwan*").

    Args:
        order: interfaces that are preferred, the most first.
        metered: interfaces that cost money by what they carry.
        unmetered: interfaces that don't, whatever else says so.
        never: interfaces that are used only if a caller names them.
        cost: what interfaces cost, in any unit; 0 is free.
        told: whether an interface is metered, as the machine tells; what isn't there isn't known.
    """

    order: tuple[str, ...] = ()
    metered: tuple[str, ...] = ()
    unmetered: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    cost: Mapping[str, float] = field(default_factory=dict)
    told: Mapping[str, bool] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything is said."""
        return self != _NOTHING and bool(self.said or any(self.told.values()))

    @property
    def said(self) -> bool:
        """Whether a file says anything."""
        return replace(self, told={}) != _NOTHING

    def is_metered(self, name: str) -> bool:
        """Tell whether an interface costs money by what it carries."""
        if _fits(name, self.unmetered):
            return False
        if _fits(name, self.metered):
            return True
        cost = self._stated_cost(name)
        return cost > 0 if cost is not None else self.told.get(name, False)

    def is_barred(self, name: str) -> bool:
        """Tell whether an interface is used only if a caller names it."""
        return _fits(name, self.never)

    def rank(self, name: str) -> tuple[int, float]:
        """Tell how preferred an interface is, the lowest most."""
        places = (place for place, one in enumerate(self.order) if fnmatchcase(name, one))
        cost = self._stated_cost(name)
        if cost is None:
            cost = 1.0 if self.is_metered(name) else 0.0
        return next(places, len(self.order)), cost

    def _stated_cost(self, name: str) -> float | None:
        costs = (cost for one, cost in self.cost.items() if fnmatchcase(name, one))
        return next(costs, None)


_NOTHING = Wishes()
_LISTS = tuple(f.name for f in fields(Wishes) if f.name not in ("cost", "told"))
_KEYS = (*_LISTS, "cost")


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def read_wishes(text: str, name: str, before: Wishes) -> tuple[Wishes, list[str]]:
    """Read a file over what another one says; what is bad is left out.

    Args:
        text: what the file holds.
        name: of the file, for complaints.
        before: what holds where this file says nothing.

    Returns:
        What holds then, and one sentence for each thing that is wrong, with its place.
    """
    import tomllib  # most machines have no such file

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return before, [f"{name}: it is no TOML: {error}"]
    complaints = [f"{name}: {key!r} means nothing here" for key in document if key != "paths"]
    table = document.get("paths", {})
    if not isinstance(table, dict):
        return before, [*complaints, f"{name}: 'paths' must be a table: [paths]"]
    found: dict[str, Any] = {}
    for key, value in table.items():
        try:
            found[key] = _value(key, value)
        except ValueError as error:
            complaints.append(f"{name}{_line(text, key)}: {error}")
    return replace(before, **found), complaints


def _value(key: str, value: object) -> Sequence[str] | Mapping[str, float]:
    if key not in _KEYS:
        import difflib

        near = difflib.get_close_matches(key, _KEYS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_KEYS)}"
        raise ValueError(f"{key!r} means nothing here; {hint}")
    if key == "cost":
        if not isinstance(value, dict) or not all(map(_is_cost, value.values())):
            raise ValueError("cost must be numbers by interface, such as cost = {wwan0 = 5}")
        return value
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(one, str) and one for one in names):
        raise ValueError(f"{key} must be names of interfaces, {_SAMPLE}, not {value!r}")
    return tuple(names)


def _is_cost(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0  # type: ignore[arg-type,operator]


def _line(text: str, key: str) -> str:
    for place, line in enumerate(text.splitlines(), 1):
        if line.replace('"', "").strip().startswith(key):
            return f", line {place}"
    return ""
