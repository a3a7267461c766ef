"""What users notice is noted so that the changelog can be made of it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_each_change_is_of_a_kind() -> None:
    kinds = "|".join(kind["directory"] for kind in PROJECT["tool"]["towncrier"]["type"])
    files = [file for file in (ROOT / "changes").iterdir() if file.name != "README.md"]
    odd = [file.name for file in files if not re.fullmatch(rf"\+[\w-]+\.({kinds})\.md", file.name)]
    assert odd == []
    assert all(file.read_text().strip() for file in files)


def test_the_newest_section_is_of_this_version() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == PROJECT["project"]["version"]
