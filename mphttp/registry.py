"""Strategies by name: one look-up for built-in ones and those that other packages plug in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mphttp.strategies import Strategy

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "mphttp.strategies"
"""The entry-point group; the built-in strategies are registered in it the same way."""


class UnknownStrategy(LookupError):
    """No strategy is registered under this name.

    Args:
        name: the one that was asked for.
        known: the names that are registered.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"there is no strategy {name!r}; known are {', '.join(known)}")
        self.name = name
        self.known = known


class BrokenStrategy(ImportError):
    """A strategy is registered, but what stands behind its name can't be used."""


def names() -> tuple[str, ...]:
    """Return the names of all registered strategies, sorted."""
    return tuple(sorted(_registered()))


def load(name: str) -> type[Strategy]:
    """Return the class of a strategy.

    Args:
        name: as it is registered, such as "deadline".

    Raises:
        UnknownStrategy: nothing is registered under the name.
        BrokenStrategy: it can't be imported, or isn't a `Strategy`.
    """
    registered = _registered()
    if name not in registered:
        raise UnknownStrategy(name, names())
    strategy = _imported(registered[name])
    if not (isinstance(strategy, type) and issubclass(strategy, Strategy)):
        raise BrokenStrategy(f"strategy {name!r} ({registered[name].value}) is no Strategy class")
    return strategy


def _registered() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # only where a name is looked up

    return {point.name: point for point in entry_points(group=GROUP)}


def _imported(point: EntryPoint) -> object:
    try:
        return point.load()
    except Exception as error:  # importing runs another package's code, which may raise anything
        told = f"strategy {point.name!r} ({point.value}) can't be imported: {error}"
        raise BrokenStrategy(told) from error
