"""`mphttp connect` and `mphttp proxy` as processes in the lab, and programs that use them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mphttp.lab import LabClient, names

from .servers import WITH_MPTCP, serving

MPHTTP = f"{sys.executable} -m mphttp"
SSH_PORT = 2222
SSHD = """
Port {port}
ListenAddress {address}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin yes
Subsystem sftp internal-sftp
"""
PATIENCE = 40.0
"""Seconds after which what must happen counts as never happening."""


def reports(file: Path) -> list[dict[str, Any]]:
    """Read the reports of streams that have ended."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def paths_of(report: dict[str, Any], count: str = "bytes_received") -> dict[str, int]:
    """Return what each path has carried."""
    carried: dict[str, int] = {}
    for subflow in report["subflows"]:
        carried[subflow["path"]] = carried.get(subflow["path"], 0) + subflow[count]
    return carried


@dataclass(frozen=True)
class Ssh:
    """OpenSSH's programs, whose connections go through `mphttp connect`.

    Args:
        folder: where keys and reports are.
    """

    folder: Path

    def options(self, *words: str) -> list[str]:
        """Return what ssh and scp are told; the words are options of `mphttp connect`."""
        command = f"{MPHTTP} connect --report {self.report} {' '.join(words)} %h %p"
        return self.directly(ProxyCommand=command)

    def directly(self, **more: str) -> list[str]:
        """Return what ssh is told that makes its connection by itself."""
        told = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "Port": str(SSH_PORT),
            **more,
        }
        pairs = [word for name, value in told.items() for word in ("-o", f"{name}={value}")]
        return ["-F", "none", "-i", str(self.folder / "user"), *pairs]

    @property
    def report(self) -> Path:
        """Where the report is, once the connection has ended."""
        return self.folder / "report"


@contextmanager
def sshd(lab: LabClient, folder: Path) -> Iterator[Ssh]:
    """Run Debian's sshd where the server is, with Multipath TCP."""
    for key in ("host", "user"):
        generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)]
        subprocess.run(generate, check=True)
    Path("/run/sshd").mkdir(exist_ok=True)  # where it has nothing to do, without privileges
    settings = SSHD.format(port=SSH_PORT, address=names.SERVER_ADDRESS, folder=folder)
    (folder / "sshd_config").write_text(settings)
    command = [*WITH_MPTCP, "/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd_config")]
    with serving(lab, command, SSH_PORT):
        yield Ssh(folder)


@contextmanager
def proxy(report: Path, *words: str, listen: str = "127.0.0.1:0") -> Iterator[str]:
    """Run `mphttp proxy`; give its place, such as "127.0.0.1:40001"."""
    command = [sys.executable, "-m", "mphttp", "proxy", "--report", str(report)]
    command += ["--listen", listen, *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = re.search(r"HTTP and SOCKS5 at (\S+?),", process.stderr.readline())
            assert found
            reading = threading.Thread(target=process.stderr.read, daemon=True)
            reading.start()
            yield found[1]
        finally:
            process.terminate()
            process.wait(PATIENCE)


def run(*command: str, **environ: str) -> str:
    """Run a command to its end, and return its output."""
    done = subprocess.run(
        command,
        env={**os.environ, "no_proxy": "", **environ},
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, (command, done.stdout[-1000:], done.stderr[-2000:])
    return done.stdout
