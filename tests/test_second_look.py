"""What .ci/run does about tests that failed: it looks once more, whichever share they were in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_FAILED = "tests/lab/test_http2.py::test_tasks_that_are_cancelled_stop_no_others[trio]"


@pytest.mark.slow
@pytest.mark.parametrize("share", ["1/3", "2/3"])
def test_a_test_that_failed_is_looked_at_again_in_any_share(tmp_path: Path, share: str) -> None:
    failed = tmp_path / "v" / "cache" / "lastfailed"
    failed.parent.mkdir(parents=True)
    failed.write_text(json.dumps({_FAILED: True}))
    words = ["-m", "lab", "--share", share, "--last-failed", "-o", f"cache_dir={tmp_path}"]
    command = [sys.executable, "-m", "pytest", *words, "--collect-only", "-q"]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert _FAILED in told.stdout.splitlines()
