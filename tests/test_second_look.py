"""What .ci/run does about tests that failed: it looks once more, in a lab, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_FAILED = "tests/lab/test_lab.py::test_the_first_link_is_the_system_s_choice"


@pytest.mark.slow
def test_a_test_that_failed_is_looked_at_again_in_a_lab(tmp_path: Path) -> None:
    failed = tmp_path / "v" / "cache" / "lastfailed"
    failed.parent.mkdir(parents=True)
    failed.write_text(json.dumps({_FAILED: True}))
    words = ["--labs", "3", "-m", "lab", "--last-failed", "-n", "0", "-o", f"cache_dir={tmp_path}"]
    command = [sys.executable, "-m", "pytest", *words, "-q"]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert "1 passed" in told.stdout, told.stdout
