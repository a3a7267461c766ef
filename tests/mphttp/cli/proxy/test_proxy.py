"""`mphttp proxy`: what it refuses to start as, its rules, its unit, and one that runs."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mphttp.cli.proxy.rules import chooser, rule
from mphttp.cli.proxy.unit import user_unit
from mphttp.cli.streams.listening import ListenAt, listen_at
from mphttp.proxy.target import Target
from mphttp.strategies import FullMesh, Handover, Mark, Refresh, Together

from ..conftest import Run, Server

PATIENCE = 30.0


def users(folder: Path, mode: int = 0o600, text: str = "somebody:secret\n") -> str:
    file = folder / "users"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


@pytest.mark.parametrize("place", ["*:0", "0.0.0.0:0", "[::]:0"])
def test_no_open_proxy(run: Run, place: str) -> None:
    """Without users, only this machine can connect: whoever listens for others has to name some."""
    result = run("proxy", "--listen", place)
    assert (result.code, result.err.count("without a password")) == (2, 1)


@pytest.mark.parametrize(("mode", "text"), [(0o644, "a:b\n"), (0o600, ""), (0o600, "somebody\n")])
def test_users_that_can_t_be_used(run: Run, tmp_path: Path, mode: int, text: str) -> None:
    result = run("proxy", "--users", users(tmp_path, mode, text), "--listen", "*:0")
    assert (result.code, "hint: chmod 600" in result.err) == (26, True)


@pytest.mark.parametrize(
    "words",
    [
        ["--rule", "example.org"],
        ["--rule", "=handover"],
        ["--rule", "a=no-such"],
        ["--rule", "a=handover,rotate"],
        ["--rule", "a=refresh,every=x"],
        ["--rule", "a=refresh,report=x"],
        ["--rule", "a=deadline"],
        ["--allow", "10.0.0.0/99"],
        ["--listen", "1080x"],
        ["--listen", "[::1:1080"],
        ["--connections", "many"],
        ["--deadline", "3s"],
        ["--users", "/no/such/file"],
    ],
)
def test_what_can_t_be(run: Run, words: list[str]) -> None:
    result = run("proxy", "--listen", "127.0.0.1:0", *words)
    assert result.code in (2, 26)
    assert result.err.startswith("error: ")
    assert "hint: " in result.err


def test_a_port_that_is_taken(run: Run, server: Server) -> None:
    assert run("proxy", "--listen", f"127.0.0.1:{server.server_port}").code == 7


def test_another_proxy_that_is_this_one(run: Run) -> None:
    words = ("--listen", "127.0.0.1:21080", "--upstream", "socks5h://127.0.0.1:21080")
    assert "is this proxy itself" in run("proxy", *words).err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1080", ListenAt("127.0.0.1", 1080)),
        ("*:0", ListenAt("", 0)),
        ("[::1]:1080", ListenAt("::1", 1080)),
        ("localhost:1", ListenAt("localhost", 1)),
    ],
)
def test_places(text: str, place: ListenAt) -> None:
    assert listen_at(text) == place


def test_rules() -> None:
    """The first that fits counts."""
    rules = [
        rule("*:22=handover,within=500ms,standby"),
        rule("example.org=refresh,every=5s,rotate"),
        rule("*.example.net=fullmesh"),
        rule("192.0.2.0/24=mark+fullmesh,dscp=46"),
        rule("[2001:db8::1]:443=single"),
    ]
    choose = chooser(rules, Handover())
    assert choose(Target("example.org", 22)) == Handover(within=0.5, standby=True)
    for name in ("example.org", "www.EXAMPLE.org."):
        assert choose(Target(name, 443)) == Refresh(every=5.0, rotate=True)
    assert choose(Target("www.example.net", 80)) == FullMesh()
    assert choose(Target("192.0.2.9", 80)) == Together((Mark(46), FullMesh()))
    assert type(choose(Target("2001:db8::1", 443))).__name__ == "SinglePath"
    for host in ("2001:db8::1", "example.com", "notexample.org"):
        assert choose(Target(host, 80)) == Handover()
    assert chooser([rule("*=fullmesh")], None)(Target("a", 1)) == FullMesh()


def test_the_unit_runs_this_command_line() -> None:
    unit = user_unit("/opt/my python/bin/python3", ["--rule", "*:22=handover", "--listen", "1081"])
    (line,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    words = shlex.split(line.removeprefix("ExecStart=:"))
    assert words[:6] == ["/opt/my python/bin/python3", "-I", "-m", "mphttp", "proxy", "--rule"]
    assert "WantedBy=default.target" in unit


@pytest.mark.slow
def test_the_unit_has_the_login_of_this_command_line() -> None:
    """It couldn't run without, whatever is hidden from readers elsewhere."""
    upstream = "socks5h://user:secret@proxy.example:1080"
    command = [sys.executable, "-m", "mphttp", "proxy", "--upstream", upstream, "--unit"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert f"--upstream {upstream}\n" in told


@pytest.mark.slow
def test_one_that_runs(server: Server, tmp_path: Path) -> None:
    """It says where it listens, serves, reports, and ends by SIGTERM."""
    report = tmp_path / "reports"
    command = [sys.executable, "-m", "mphttp", "proxy", "--listen", "127.0.0.1:0", "-v"]
    command += ["--report", str(report), "--strategy", "handover"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            place = first.removeprefix("HTTP and SOCKS5 at ").partition(",")[0]
            for scheme in ("http", "socks5h"):
                proxy = f"{scheme}://{place}"
                fetch = ["curl", "-sS", "--noproxy", "", "-x", proxy, f"{server.url}/bytes/1000"]
                done = subprocess.run(fetch, capture_output=True, check=True, timeout=PATIENCE)
                assert len(done.stdout) == 1000
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.stderr.read() if process.stderr else ""
    assert process.returncode == 128 + signal.SIGTERM, rest
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [line["strategy"]["name"] for line in lines] == ["handover"] * 2
    assert os.stat(report).st_size > 0
