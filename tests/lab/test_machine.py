"""Programs that know nothing of mphttp, looked after by the broker: curl, ssh."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mphttp.kernel.interfaces.paths import paths_to
from mphttp.kernel.values import SocketAddress
from mphttp.lab import LabClient, names
from tests.mphttp.broker.brokers import Broker, running
from tests.root import ROOT

from .downloads import url
from .leaks import eventually
from .servers import WITH_MPTCP
from .streams import PATIENCE, SSH_PORT, Ssh, sshd

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 4_000_000
WRITES = ("-o", "/dev/null", "-w", "%{size_download}")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The address of the second path, as the name of an endpoint."""
    path = next(p for p in paths_to(SocketAddress(names.SERVER_ADDRESS, 443)) if p.name == "lte")
    ip("mptcp", "limits", "set", "subflows", "2", "add_addr_accepted", "2")
    yield f"{path.address} dev lte"
    ip("mptcp", "endpoint", "flush")


def curl(lab: LabClient) -> dict[str, int]:
    """Download by curl, made to speak MPTCP; return what came over each link, in bytes."""
    before = lab.counters()
    done = subprocess.run(
        [*WITH_MPTCP, "curl", "-sS", "--noproxy", "*", *WRITES, url(SIZE)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert done.stdout == str(SIZE)
    after = lab.counters()
    return {name: after[name].down.bytes - before[name].down.bytes for name in after}


def test_curl_uses_both_paths_of_the_endpoints(lab: LabClient, endpoint: str) -> None:
    ip("mptcp", "endpoint", "add", *endpoint.split(), "subflow")
    with running():
        carried = curl(lab)
    assert min(carried.values()) > SIZE / 10


def test_curl_leaves_a_backup_alone(lab: LabClient, endpoint: str) -> None:
    ip("mptcp", "endpoint", "add", *endpoint.split(), "subflow", "backup")
    with running():
        carried = curl(lab)
    assert carried["lte"] < SIZE / 50


@contextmanager
def ruled(folder: Path, text: str) -> Iterator[Broker]:
    rules = folder / "mphttpd.toml"
    rules.write_text(text)
    with running("--rules", str(rules)) as broker:
        yield broker


def session(ssh: Ssh, command: str) -> subprocess.Popen[bytes]:
    """Begin a session whose ssh speaks MPTCP and knows nothing else of it."""
    program = [*WITH_MPTCP, "ssh", *ssh.directly(), names.SERVER_ADDRESS, command]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.skipif(not ROOT, reason="sshd needs more users than a user namespace has")
@pytest.mark.parametrize("rule", ['"handover"', '"handover"\nstandby = true'])
def test_a_session_of_ssh_survives_its_path(lab: LabClient, tmp_path: Path, rule: str) -> None:
    """By what the session itself sees: each line that is typed comes back within two seconds."""
    text = f"[[rule]]\nport = {SSH_PORT}\nstrategy = {rule}\n"
    with sshd(lab, tmp_path) as ssh, ruled(tmp_path, text) as broker, session(ssh, "cat") as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        longest = 0.0
        for number in range(120):
            if number == 40:
                told = any("for a connection to" in line for line in broker.log)
                assert told, broker.log
                lab.blackhole("wifi")
            began = time.monotonic()
            shell.stdin.write(b"typed\n")
            shell.stdin.flush()
            assert shell.stdout.readline() == b"typed\n"
            if number:  # the first one waits for the session to begin
                longest = max(longest, time.monotonic() - began)
            time.sleep(0.02)
        shell.terminate()
    assert longest < 2, longest


@pytest.mark.skipif(not ROOT, reason="sshd needs more users than a user namespace has")
def test_a_session_of_ssh_survives_its_path_while_only_the_server_speaks(
    lab: LabClient, tmp_path: Path
) -> None:
    text = f'[[rule]]\nport = {SSH_PORT}\nstrategy = "handover"\n'
    command = "while sleep 0.05; do echo tick; done"
    with sshd(lab, tmp_path) as ssh, ruled(tmp_path, text), session(ssh, command) as shell:
        assert shell.stdout is not None
        longest = 0.0
        for number in range(120):
            if number == 60:
                lab.blackhole("wifi")
            began = time.monotonic()
            assert shell.stdout.readline() == b"tick\n"
            if number:
                longest = max(longest, time.monotonic() - began)
        shell.terminate()
    assert longest < 2, longest


@pytest.mark.skipif(not ROOT, reason="sshd needs more users than a user namespace has")
def test_a_copy_of_ssh_over_both_paths(lab: LabClient, tmp_path: Path) -> None:
    text = f'[[rule]]\nport = {SSH_PORT}\nstrategy = "fullmesh"\n'
    with sshd(lab, tmp_path) as ssh, ruled(tmp_path, text):
        before = lab.counters()
        with session(ssh, f"head -c {SIZE} /dev/urandom") as shell:
            assert shell.stdout is not None
            assert len(shell.stdout.read()) == SIZE
        after = lab.counters()
    carried = {name: after[name].down.bytes - before[name].down.bytes for name in after}
    eventually(lambda: min(carried.values()) > SIZE / 10, True)
