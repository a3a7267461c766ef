"""What the documentation shows is what happens: its programs run, and its table is complete."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from mphttp import registry

DOCS = Path(__file__).parents[3] / "docs"


def programs(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


def test_your_own_strategy_runs_from_top_to_bottom(tmp_path: Path) -> None:
    whole = tmp_path / "documentation.py"
    whole.write_text("\n".join(programs("your-own-strategy.md")))
    names = runpy.run_path(str(whole), run_name="documentation")
    assert names["outcome"].carried["lte"] > 0


@pytest.mark.parametrize("name", registry.names())
def test_every_registered_strategy_is_in_the_table(name: str) -> None:
    assert f"| `{name}`" in (DOCS / "strategies.md").read_text()
