"""Which modules a client brings along when it is imported: what isn't used yet isn't loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ENGINE = {
    "mphttp.engine",
    "mphttp.core",
    "mphttp.strategies",
    "mphttp.kernel.reading",
    "mphttp.ranges",
}
"""What is needed for the first response, and by nobody who only imports a client."""


@pytest.mark.parametrize(
    ("client", "unwanted"),
    [
        ("mphttp.httpx", ENGINE | {"requests", "pycurl"}),
        ("mphttp.httpx2", ENGINE | {"requests", "pycurl", "httpx", "httpcore"}),
        (
            "mphttp.requests",
            ENGINE | {"httpx", "httpcore", "pycurl", "h11", "anyio", "dataclasses"},
        ),
        ("mphttp.curl", {"httpx", "httpcore", "requests", "urllib3"}),
    ],
)
def test_a_client_is_imported_without_what_it_may_never_use(
    client: str, unwanted: set[str]
) -> None:
    pytest.importorskip(client)
    program = f"import json, sys, {client}; print(json.dumps([*sys.modules]))"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50
    )
    assert not unwanted & set(json.loads(told.stdout))
