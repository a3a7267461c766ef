"""Which modules a client brings along when it is imported: what isn't used yet isn't loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ENGINE = {f"mphttp.{room}" for room in ("core", "engine", "ranges", "strategies", "kernel.reading")}
"""What is needed for the first response, and by nobody who only imports a client."""


@pytest.mark.parametrize(
    ("client", "unwanted"),
    [
        ("mphttp.httpx", {*ENGINE, "requests", "pycurl"}),
        ("mphttp.httpx2", {*ENGINE, "requests", "pycurl", "httpx", "httpcore"}),
        ("mphttp.requests", {*ENGINE, "httpx", "httpcore", "pycurl", "h11", "anyio"}),
        ("mphttp.curl", {"httpx", "httpcore", "requests", "urllib3"}),
    ],
)
def test_what_a_client_may_never_use_is_not_imported(client: str, unwanted: set[str]) -> None:
    pytest.importorskip(client)
    program = f"import json, sys, {client}; print(json.dumps([*sys.modules]))"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50
    )
    assert not unwanted & set(json.loads(told.stdout))
