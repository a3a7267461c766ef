"""Where a sandbox refuses netlink everything downloads, and says what is missing."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys

import pytest

from mphttp.kernel.hints import ALLOW_NETLINK
from tests import sandbox
from tests.mphttp import confined_downloads

pytestmark = pytest.mark.skipif(
    sandbox.SOCKET_CALL is None, reason="the number of socket(2) isn't known here"
)

SYSTEMD = (errno.EAFNOSUPPORT, socket.AF_NETLINK, socket.AF_PACKET)
SECCOMP = (errno.EPERM, socket.AF_NETLINK, socket.AF_UNIX)


def confined(refusal: tuple[int, ...], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*sandbox.refusing(*refusal), *command],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(SYSTEMD, id="systemd"),
        pytest.param(SECCOMP, id="seccomp", marks=pytest.mark.slow),
    ],
)
def test_every_client_downloads_with_every_strategy(refusal: tuple[int, ...]) -> None:
    """asyncio itself needs a Unix socket pair, which a filter for AF_UNIX doesn't refuse."""
    done = confined(refusal, sys.executable, "-m", confined_downloads.__name__)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told) == 6 * len(confined_downloads.STRATEGIES)


@pytest.mark.slow
def test_the_command_line_downloads_and_tells() -> None:
    done = confined(SYSTEMD, sys.executable, "-m", "mphttp", "doctor")
    assert "this process may not use netlink" in done.stdout
    assert ALLOW_NETLINK in done.stdout


@pytest.mark.slow
def test_watch_says_why_it_can_not() -> None:
    done = confined(SYSTEMD, sys.executable, "-m", "mphttp", "watch", "--once")
    assert done.stderr.startswith("error: the connections can't be listed: this process may not")
    assert ALLOW_NETLINK in done.stderr
