"""The page about options of one subflow says what the kernel says."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ..namespaces import Net

ROOT = Path(__file__).parents[3]


def table(text: str) -> list[str]:
    """The lines that are about an option, whose names are in capitals."""
    return [line for line in text.splitlines() if line.startswith("| ") and line[2:4].isupper()]


@pytest.mark.slow
def test_the_table_is_what_the_command_says(root_net: Net) -> None:
    """Measured again, it has the same options; on the kernel that it names, the same answers."""
    page = table((ROOT / "docs" / "subflow-options.md").read_text())
    command = [sys.executable, "scripts/subflow_options.py"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in page] == [line.split()[1] for line in table(told)]
    assert page == table(told) or not platform.release().startswith("6.18.")
