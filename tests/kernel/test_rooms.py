"""The rooms of `mphttp.kernel`: which may import from which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mphttp.kernel

KERNEL = Path(mphttp.kernel.__file__ or "").parent
assert mphttp.kernel.__doc__
ROOMS = mphttp.kernel.__doc__.rpartition(":\n")[2].rstrip().rstrip(".").split(", ")
"""In the order that the package's docstring gives them."""


def modules_imported(module: Path, level: int) -> Iterator[str]:
    """What a module imports, relatively, from the package: the first name of each."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("mphttp"), f"{module}: import relatively"
            if node.level == level:
                first = (node.module or "").partition(".")[0]
                yield from [first] if first else (alias.name for alias in node.names)


def test_every_room_is_in_the_order() -> None:
    assert sorted(ROOMS) == sorted(path.parent.name for path in KERNEL.glob("*/__init__.py"))


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_those_before_it(room: str) -> None:
    later = set(ROOMS[ROOMS.index(room) + 1 :])
    for module in (KERNEL / room).glob("*.py"):
        assert later.isdisjoint(modules_imported(module, level=2)), module


@pytest.mark.parametrize("room", ROOMS[:-1])
def test_no_room_but_the_last_needs_to_choose_a_mechanism(room: str) -> None:
    for module in (KERNEL / room).glob("*.py"):
        assert "probe" not in set(modules_imported(module, level=2)), module


@pytest.mark.parametrize("name", sorted(p.stem for p in KERNEL.glob("[!_]*.py")))
def test_what_all_rooms_speak_of_needs_no_room(name: str) -> None:
    """All but `probe`, which looks into every mechanism's room."""
    imported = set(modules_imported(KERNEL / f"{name}.py", level=1))
    assert imported.isdisjoint(ROOMS) == (name != "probe")
