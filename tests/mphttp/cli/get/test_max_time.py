"""`--max-time`, and standard output: each in a process of its own, since they end it."""

from __future__ import annotations

import fcntl
import gzip
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from ..raw import raw_server, whole

LIMIT = ("--max-time", "500ms")
LONG = 30.0
"""Seconds; a command that waits for something takes longer, or until the test's own time-out."""
BOMB = gzip.compress(gzip.compress(bytes(1 << 24)) * 64)
"""A gigabyte in 64 members; it takes more than a second to undo."""


def command(*arguments: object, **options) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "mphttp", "get", *map(str, arguments)]
    return subprocess.Popen(words, stderr=subprocess.PIPE, **options)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    try:
        _, words = process.communicate(timeout=LONG)
    finally:
        process.kill()
    return process.returncode, words.decode()


def in_time(process: subprocess.Popen[bytes]) -> None:
    code, words = ended(process)
    assert (code, "wasn't done in time" in words) == (ExitCode.TIMEOUT, True)


def big(_: bytes, connection: socket.socket) -> None:
    connection.sendall(whole(bytes(4 << 20)))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_a_standard_output_that_nobody_reads(backend: str) -> None:
    with raw_server(big) as server:
        reading, writing = os.pipe()
        process = command(*LIMIT, "--backend", backend, server.url, stdout=writing)
        os.close(writing)
        in_time(process)
        os.close(reading)


@pytest.mark.slow
def test_a_pipe_that_nobody_opens(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with raw_server(big) as server:
        in_time(command(*LIMIT, "-o", tmp_path / "pipe", server.url))


@pytest.mark.parametrize(
    "option", ["-d", *(pytest.param(name, marks=pytest.mark.slow) for name in ("--report", "-w"))]
)
def test_a_pipe_beside_the_transfer(tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    value = str(tmp_path / "pipe") if option == "--report" else f"@{tmp_path / 'pipe'}"
    with raw_server(big) as server:
        in_time(command(*LIMIT, option, value, "-o", tmp_path / "file", server.url))


@pytest.mark.slow
def test_a_bomb(tmp_path: Path) -> None:
    def answer(_: bytes, connection: socket.socket) -> None:
        connection.sendall(whole(BOMB, b"200 OK", b"Content-Encoding: gzip, gzip"))

    with raw_server(answer) as server:
        in_time(command(*LIMIT, "--compressed", "-o", "/dev/null", server.url))


@pytest.mark.slow
def test_a_file_that_is_long_to_hash(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 40)
    with raw_server(big) as server:
        digest = ("--sha256", "0" * 64)
        in_time(command(*LIMIT, "-C", "-", *digest, "-o", tmp_path / "file", server.url))
        assert server.heads == []
    assert (tmp_path / "file").stat().st_size == 1 << 40


@pytest.mark.slow
def test_redirects_without_end() -> None:
    def answer(_: bytes, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 F\r\nLocation: /\r\nContent-Length: 9\r\n\r\nless")

    with raw_server(answer) as server:
        in_time(command(*LIMIT, "-L", server.url))


@pytest.mark.parametrize("asked", [b"Retry-After: 3600", b"Retry-After: " + b"9" * 99])
def test_no_server_makes_it_wait_for_longer(run, asked: bytes) -> None:
    answer = whole(b"busy", b"503 Busy", asked)
    waits: list[float] = []
    with raw_server(lambda _, connection: connection.sendall(answer)) as server:
        options = ("--retry", "3", "--max-time", "60")
        assert run("get", *options, server.url, sleep=waits.append).out == b"busy"
        assert run("get", "-f", *options, server.url, sleep=waits.append).code == ExitCode.HTTP
    assert waits == []


@pytest.mark.slow
def test_an_output_that_blocks_no_writer_gets_all() -> None:
    """Where whoever has the other end of a terminal or a pipe made it so."""
    with raw_server(big) as server:
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETFL, os.O_NONBLOCK)
        process = command(server.url, stdout=writing)
        os.close(writing)
        with open(reading, "rb") as reader:
            assert reader.read() == bytes(4 << 20)
        assert ended(process) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--compressed", "--retry", "3", "-i")])
def test_a_reader_that_leaves_is_no_news(options: tuple[str, ...]) -> None:
    with raw_server(big) as server:
        process = command(*options, server.url, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.read(1)
        process.stdout.close()
        assert ended(process) == (ExitCode.WRITE, "")
        assert len(server.heads) == 1


@pytest.mark.parametrize(
    "options",
    [
        (),
        pytest.param(("-C", "-"), marks=pytest.mark.slow),
        pytest.param(
            ("--backend", "curl", "--retry", "2", "--retry-all-errors"), marks=pytest.mark.slow
        ),
    ],
)
def test_a_file_that_may_not_grow(tmp_path: Path, options: tuple[str, ...]) -> None:
    """As where `ulimit -f` holds, which sends SIGXFSZ; the same goes for a full disk or a quota."""
    words = ["mphttp", "get", *options, "-o", str(tmp_path / "file")]
    shell = 'ulimit -f 100; exec "$@"'
    with raw_server(big) as server:
        line = ["bash", "-c", shell, "bash", sys.executable, "-m", *words, server.url]
        done = subprocess.run(line, capture_output=True, text=True, timeout=LONG, check=False)
        assert (done.returncode, len(server.heads)) == (ExitCode.WRITE, 1)
    assert "can't be written: File too large" in done.stderr
