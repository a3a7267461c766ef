"""The security page names tests that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parents[1] / "docs" / "security.md"
_ROW = re.compile(r"^\| (CVE-\d{4}-\d{4,}) \| .+ \| .+ \| `(\S+\.py)::(\w+)` \|$", re.MULTILINE)


def test_every_test_in_the_table_exists() -> None:
    rows = _ROW.findall(PAGE.read_text())
    assert len(rows) == PAGE.read_text().count("| CVE-")  # none is written in another way
    names = {file: _tests_of(TESTS / file) for _, file, _ in rows}
    assert [(file, name) for _, file, name in rows if name not in names[file]] == []


def test_each_is_told_once() -> None:
    published = [number for number, _, _ in _ROW.findall(PAGE.read_text())]
    assert len(published) == len(set(published)) >= 40


def _tests_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
