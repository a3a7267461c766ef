"""What the library logs, on the command line."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mphttp.cli.exits import ExitCode

from .conftest import Run, Server


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    logger = logging.getLogger("mphttp")
    level, handlers = logger.level, list(logger.handlers)
    yield
    logger.setLevel(level)
    logger.handlers = handlers


def test_a_level_that_is_none_is_said(run: Run) -> None:
    ended = run("get", "http://127.0.0.1:9/", environ={"MPHTTP_LOG": "loud"})
    assert ended.code == ExitCode.USAGE
    assert "MPHTTP_LOG must be one of debug" in ended.err


def test_connections_and_decisions_are_told_and_no_secret(run: Run, server: Server) -> None:
    address = f"{server.url}/bytes/1000".replace("http://", "http://user:hunter2@")
    quiet = run("get", address)
    told = run("get", "--strategy", "fullmesh", address, environ={"MPHTTP_LOG": "debug"})
    assert (quiet.code, told.code, told.out) == (0, 0, quiet.out)
    assert "mphttp.engine: connected to" in told.err
    assert "mphttp.engine" not in quiet.err
    assert "hunter2" not in told.err
