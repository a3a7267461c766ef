"""Classes are small enough to be held in mind, and their types are known."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import mphttp

ROOMS = (
    "broker",
    "core",
    "curl",
    "engine",
    "http",
    "network",
    "ranges",
    "requests",
    "testing",
    "transports",
)
METHODS, ATTRIBUTES = 25, 15
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def nodes_of(file: Path) -> list[ast.AST]:
    """Return all that is in a file, which is read once for all tests."""
    return list(ast.walk(ast.parse(file.read_text())))


def attributes_of(made: ast.ClassDef) -> set[str]:
    """Return the names of a class's annotated fields, and of what its methods set."""
    fields = {
        node.target.id
        for node in made.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return fields | {
        node.attr
        for node in ast.walk(made)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


@pytest.mark.parametrize("room", ROOMS)
def test_classes_are_small(room: str) -> None:
    files = list(Path(mphttp.__file__).with_name(room).rglob("*.py"))
    assert files
    too_large = [
        made.name
        for file in files
        for made in nodes_of(file)
        if isinstance(made, ast.ClassDef)
        and (
            sum(isinstance(node, Function) for node in made.body) > METHODS
            or len(attributes_of(made)) > ATTRIBUTES
        )
    ]
    assert too_large == []


@pytest.mark.parametrize("room", [*ROOMS, "proxy"])
def test_any_is_rare(room: str) -> None:
    """At most once in a thousand lines."""
    files = list(Path(mphttp.__file__).with_name(room).rglob("*.py"))
    names = (node for file in files for node in nodes_of(file))
    found = sum(isinstance(node, ast.Name) and node.id == "Any" for node in names)
    assert 1000 * found <= sum(file.read_text().count("\n") for file in files)
