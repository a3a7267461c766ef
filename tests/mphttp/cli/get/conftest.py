from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .seen import CLIENTS, Client, Seen, serving
from .tunnel import Tunnel, tunnelling


@pytest.fixture
def seen() -> Iterator[Seen]:
    with serving() as made:
        yield made


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    with tunnelling() as made:
        yield made


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, run, tmp_path: Path, monkeypatch) -> Client:
    """Each backend, and curl itself, which shows that the test tells curl's meaning."""
    if request.param == "curl":
        pytest.importorskip("pycurl")
    monkeypatch.chdir(tmp_path)
    return Client(request.param, run, tmp_path)
