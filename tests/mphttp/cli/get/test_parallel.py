"""Several URLs at once, and lists of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.cli.get.parallel import Workers
from mphttp.cli.interrupt import Limit, Stop, Stopped, TimeIsOver, Waits

from ..conftest import Object, content
from ..raw import raw_server, whole

BACKENDS = pytest.mark.parametrize("backend", ["httpx", "curl"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@BACKENDS
def test_several_at_once_and_a_failure(run, server, folder: Path, backend: str) -> None:
    urls = [f"{server.url}/bytes/{size}" for size in (10, 2000, 300_000)]
    wrong = f"{server.url}/status/404"
    words = ("--backend", backend, "-f", "--remote-name-all", "--report", "report")
    result = run("get", "-Z", *words, "-w", "%{urlnum}:%{exitcode}\n", *urls, wrong)
    assert result.code == ExitCode.HTTP
    assert sorted(result.out.split()) == [b"0:0", b"1:0", b"2:0", b"3:22"]
    for size in (10, 2000, 300_000):
        assert (folder / str(size)).read_bytes() == content(size)
    told = [json.loads(line) for line in (folder / "report").read_text().splitlines()]
    assert [one["url"] for one in told] == [*urls, wrong]
    assert f"{wrong}: the server answered 404" in result.err


@BACKENDS
def test_they_run_at_the_same_time(run, folder: Path, backend: str) -> None:
    together = threading.Barrier(3, timeout=20)

    def answer(_: bytes, connection) -> None:
        together.wait()
        connection.sendall(whole(b"hello"))

    with raw_server(answer) as server:
        words = ("-Z", "--backend", backend, "--remote-name-all")
        result = run("get", *words, *(f"{server.url}/{name}" for name in "abc"))
    assert (result.code, result.err) == (0, "")
    assert [(folder / name).read_bytes() for name in "abc"] == [b"hello"] * 3


def test_no_more_at_once_than_wanted(run, server, folder: Path) -> None:
    urls = [f"{server.url}/bytes/{size}" for size in range(1, 8)]
    result = run("get", "-Z", "--parallel-max", "1", "--remote-name-all", "-w", "%{urlnum}", *urls)
    assert result.out == b"0123456"


@BACKENDS
def test_a_time_limit_for_each(run, server, folder: Path, backend: str) -> None:
    words = ("-Z", "--backend", backend, "--remote-name-all", "-m", "1")
    urls = (f"{server.url}/stuck/1000", f"{server.url}/bytes/10")
    result = run("get", *words, "-w", "%{urlnum}:%{exitcode} ", *urls)
    assert sorted(result.out.split()) == [b"0:28", b"1:0"]
    assert sorted(path.name for path in folder.iterdir()) == ["10"]


def test_the_first_failure_ends_all(run, server, folder: Path) -> None:
    urls = (f"{server.url}/status/404", f"{server.url}/bytes/10", f"{server.url}/bytes/11")
    words = ("-f", "--fail-early", "--remote-name-all")
    for more in ((), ("-Z", "--parallel-max", "1")):
        assert run("get", *words, *more, *urls).code == ExitCode.HTTP
        assert list(folder.iterdir()) == []
    endless = f"{server.url}/stuck/1000"
    assert run("get", "-Z", *words, endless, urls[0]).code == ExitCode.HTTP
    assert list(folder.iterdir()) == []


def test_bodies_are_not_mixed(run, server) -> None:
    urls = (f"{server.url}/bytes/10", f"{server.url}/bytes/11")
    result = run("get", "-Z", *urls)
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert "--remote-name-all" in result.err
    assert run("get", "-Z", urls[0]).out == content(10)


def test_one_deadline_for_all(run, server, folder: Path) -> None:
    urls = [f"{server.url}/bytes/{size}" for size in (10, 11)]
    words = ("--deadline", "1h", "--remote-name-all", "-w", "%{deadline_met} ")
    assert run("get", "--one-deadline", *words, *urls).out == b"true true "
    late = ("--deadline", "0.000001", *words[2:])
    assert run("get", "--one-deadline", *late, *urls).out == b"false false "


@BACKENDS
def test_a_list_of_urls(run, server, folder: Path, backend: str) -> None:
    lines = ["# two", "", f"{server.url}/bytes/10", f"{server.url}/bytes/11"]
    (folder / "list").write_text("\n".join(lines))
    words = ("--backend", backend, "-Z", "--input-file")
    assert run("get", *words, "list").code == 0
    assert (folder / "10").read_bytes() == content(10)
    stdin = f"{server.url}/bytes/12\n".encode()
    assert run("get", *words, "-", "-o", "file", stdin=stdin).code == 0
    assert (folder / "file").read_bytes() == content(12)


def test_a_line_that_is_no_url_alone(run, folder: Path) -> None:
    (folder / "list").write_text("http://a/b\n  out=c\n")
    result = run("get", "--input-file", "list")
    assert result.code == ExitCode.USAGE
    assert "line 2 of list" in result.err


def sums(*sizes: int) -> str:
    return "".join(f"{hashlib.sha256(content(n)).hexdigest()}  ./{n}\n" for n in sizes)


def test_a_list_of_digests(run, server, folder: Path) -> None:
    (folder / "SHA256SUMS").write_text(sums(10, 11))
    urls = [f"{server.url}/bytes/{size}" for size in (10, 11)]
    words = ("--sha256", "@SHA256SUMS", "--remote-name-all")
    assert run("get", *words, *urls).code == 0
    bsd = hashlib.sha256(content(11)).hexdigest().upper()
    (folder / "SHA256SUMS").write_text(f"SHA256 (10) = {bsd}\nSHA256 (11) = {bsd}\n")
    (folder / "10").unlink()
    assert run("get", *words, *urls).code == ExitCode.DIGEST
    assert sorted(path.name for path in folder.iterdir()) == ["11", "SHA256SUMS"]
    missing = run("get", *words, f"{server.url}/bytes/12")
    assert (missing.code, "none for '12'" in missing.err) == (ExitCode.USAGE, True)
    (folder / "SHA256SUMS").write_text("no digest\n")
    assert run("get", *words, *urls).code == ExitCode.USAGE


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("-Z",)])
@BACKENDS
def test_an_interrupt_keeps_what_is_there(
    server, run, folder: Path, backend: str, more: tuple[str, ...]
) -> None:
    data = content(300_000)
    thing = server.objects["thing"] = Object(data, {"ETag": '"x"'})
    url = f"{server.url}/object/thing"
    words = [sys.executable, "-m", "mphttp", "get", "--backend", backend, *more, "-o", "file", url]
    # Slowly, so that it is there in part for long.
    command = subprocess.Popen([*words, "--limit-rate", "50k"], stderr=subprocess.PIPE, text=True)
    try:
        parts = lambda: [p for p in folder.glob("file.*.part") if p.stat().st_size]  # noqa: E731
        until = time.monotonic() + 30
        while not parts() and time.monotonic() < until:
            time.sleep(0.02)
        command.send_signal(signal.SIGINT)
        _, words_told = command.communicate(timeout=20)
    finally:
        command.kill()
    assert command.returncode == ExitCode.INTERRUPTED
    assert "-C - -o file goes on from there" in words_told
    assert sorted(path.name for path in folder.iterdir()) == ["file", "file.mphttp"]
    size = (folder / "file").stat().st_size
    assert (folder / "file").read_bytes() == data[:size]
    assert 0 < size < len(data)
    assert run("get", "--backend", backend, "-C", "-", "-o", "file", url).code == 0
    assert (folder / "file").read_bytes() == data
    assert thing.ranged[-1] == f"bytes={size}-"
    assert os.listdir(folder) == ["file"]


def test_what_is_no_text_stays_off_a_terminal(run, server) -> None:
    server.objects["thing"] = Object(b"a\0b")
    url = f"{server.url}/object/thing"
    result = run("get", url, out_terminal=True)
    assert (result.code, result.out) == (ExitCode.WRITE, b"")
    assert re.search("hint: -o FILE .* -o - ", result.err)
    assert run("get", "-o", "-", url, out_terminal=True).out == b"a\0b"
    assert run("get", url).out == b"a\0b"
    server.objects["thing"].data = b"text\n"
    assert run("get", url, out_terminal=True).out == b"text\n"


def test_waits_end_with_the_time_that_there_is() -> None:
    waits = Waits(Limit(100.0), connect=5.0, read=None)
    assert waits.get("connect") == 5.0
    assert 99.0 < (waits.get("read") or 0.0) <= 100.0
    assert Waits(Limit(None)).get("read") is None
    stop = Stop()
    stopped = Limit(None, stop)
    stopped.require()
    stop.stop()
    assert Waits(stopped).get("read") == 0.0
    with pytest.raises(Stopped):
        stopped.require()
    with pytest.raises(Stopped):
        stop.sleep(0.0)
    with pytest.raises(TimeIsOver):
        Limit(0.0).require()


def test_workers_hand_on_what_is_raised() -> None:
    def fail(_: int) -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Workers(2, Stop(), fail_early=False).run([1, 2, 3], fail)
    assert Workers(2, Stop(), fail_early=False).run([0, 5, 0], lambda code: code) == 5
