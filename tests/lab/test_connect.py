"""OpenSSH over two paths, by ProxyCommand: client and server know nothing of them."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mphttp.lab import LabClient, names
from tests.root import ROOT

from .leaks import eventually
from .streams import PATIENCE, Ssh, paths_of, reports, run, sshd

pytestmark = [
    pytest.mark.lab,
    pytest.mark.usefixtures("fast"),
    pytest.mark.skipif(not ROOT, reason="sshd needs more users than a user namespace has"),
]


@pytest.fixture
def ssh(lab: LabClient, tmp_path: Path) -> Iterator[Ssh]:
    with sshd(lab, tmp_path) as ssh:
        yield ssh


def lines(session: subprocess.Popen[bytes], count: int) -> None:
    """Read so many lines of what a session brings."""
    assert session.stdout is not None
    for _ in range(count):
        assert session.stdout.readline().strip()


def session(ssh: Ssh, strategy: str, command: str) -> subprocess.Popen[bytes]:
    words = ["ssh", *ssh.options(*strategy.split()), names.SERVER_ADDRESS, command]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


TICKS = "while sleep 0.05; do echo tick; done"


@pytest.mark.parametrize("command", [TICKS, "cat"])
def test_a_session_survives_the_silence_of_its_path(lab: LabClient, ssh: Ssh, command: str) -> None:
    """Whether the server talks, or only answers what is typed."""
    with session(ssh, "--strategy handover", command) as shell:
        assert shell.stdin is not None
        typed = b"typed\n" * 20 if command == "cat" else b""
        shell.stdin.write(typed)
        shell.stdin.flush()
        lines(shell, 20)
        lab.blackhole("wifi")
        shell.stdin.write(typed)
        shell.stdin.flush()
        lines(shell, 20)
        shell.terminate()
    eventually(lambda: ssh.report.exists() and bool(reports(ssh.report)), True)
    (report,) = reports(ssh.report)
    assert set(paths_of(report)) == {"wifi", "lte"}
    assert paths_of(report)["lte"] > 0


def test_a_session_moves_over_both_paths_in_turn(ssh: Ssh) -> None:
    with session(ssh, "--strategy refresh --every 500ms --rotate", TICKS) as shell:
        lines(shell, 60)
        shell.terminate()
    eventually(lambda: ssh.report.exists() and bool(reports(ssh.report)), True)
    (report,) = reports(ssh.report)
    assert len(report["subflows"]) >= 3
    assert min(paths_of(report).values()) > 0  # a server may refuse one while it closes another


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_copy_survives_the_silence_of_its_path(
    lab: LabClient, ssh: Ssh, tmp_path: Path, direction: str
) -> None:
    """Every byte is there, and most of them came the other way."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(4_000_000))
    remote = f"{names.SERVER_ADDRESS}:"
    ends = (
        (str(source), f"{remote}{copy}") if direction == "up" else (f"{remote}{source}", str(copy))
    )
    words = ["scp", "-q", *ssh.options("--strategy", "handover"), *ends]
    with subprocess.Popen(words) as scp:
        eventually(lambda: copy.exists() and copy.stat().st_size > 500_000, True)
        lab.blackhole("wifi")
        assert scp.wait(PATIENCE) == 0
    assert copy.read_bytes() == source.read_bytes()
    eventually(lambda: ssh.report.exists() and bool(reports(ssh.report)), True)
    (report,) = reports(ssh.report)
    count = "bytes_sent" if direction == "up" else "bytes_received"
    assert paths_of(report, count)["lte"] > 1_000_000


@pytest.mark.parametrize("program", ["scp", "rsync"])
def test_a_copy_over_both_paths(ssh: Ssh, tmp_path: Path, program: str) -> None:
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(4_000_000))
    remote, options = f"{names.SERVER_ADDRESS}:{copy}", ssh.options("--strategy", "fullmesh")
    if program == "scp":
        run("scp", "-q", *options, str(source), remote)
    else:
        run("rsync", "-e", shlex.join(["ssh", *options]), str(source), remote)
    assert copy.read_bytes() == source.read_bytes()
    eventually(lambda: ssh.report.exists() and bool(reports(ssh.report)), True)
    (report,) = reports(ssh.report)
    assert min(paths_of(report, "bytes_sent").values()) > 400_000
