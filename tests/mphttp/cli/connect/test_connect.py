"""`mphttp connect` as ssh and shells run it: a process of its own, between two pipes."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.mphttp.proxy.running import echo, everything, exactly, peer, running

from ..conftest import Run

PATIENCE = 30.0


@contextmanager
def connected(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "mphttp", "connect", *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[bytes]) -> tuple[int, bytes, str]:
    """Wait for the end; return exit code, what was left of the output, and words."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err.decode()


@pytest.mark.slow
def test_both_directions_and_half_close(tmp_path: Path) -> None:
    """What the server says after standard input's end still comes, and the report tells of it."""
    heard: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"banner\n")
        heard.append(everything(sock))
        sock.sendall(b"bye\n")

    report = tmp_path / "report.json"
    with (
        peer(serve) as port,
        connected("--report", str(report), "127.0.0.1", str(port)) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.read(7) == b"banner\n"
        process.stdin.write(b"typed")
        process.stdin.close()
        process.stdin = None
        assert end(process) == (0, b"bye\n", "")
    assert heard == [b"typed"]
    told = json.loads(report.read_text())
    assert (told["url"], told["bytes"]) == (f"tcp://127.0.0.1:{port}", 11)


@pytest.mark.slow
def test_no_byte_is_kept_back() -> None:
    """A keystroke's echo comes before the next one."""
    with peer(echo) as port, connected("127.0.0.1", str(port)) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for number in range(100):
            process.stdin.write(bytes((number,)))
            assert process.stdout.read(1) == bytes((number,))


@pytest.mark.slow
def test_much_in_both_directions_at_once() -> None:
    """Neither direction waits for the other, though nobody reads for a while."""
    data = os.urandom(2_000_000)
    with peer(echo) as port, connected("127.0.0.1", str(port)) as process:
        assert process.stdin is not None
        sending = threading.Thread(target=lambda: process.stdin and process.stdin.write(data))
        sending.start()
        assert process.stdout is not None
        came = b""
        while len(came) < len(data):
            came += process.stdout.read(65536)
        sending.join(PATIENCE)
        assert end(process)[:2] == (0, b"")
    assert came == data


@pytest.mark.slow
def test_the_server_ends_first() -> None:
    """Output ends then, and what is typed after that still arrives."""
    heard: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.shutdown(socket.SHUT_WR)
        heard.append(everything(sock))

    with peer(serve) as port, connected("127.0.0.1", str(port)) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.read() == b""
        process.stdin.write(b"late")
        assert end(process) == (0, b"", "")
    assert heard == [b"late"]


@pytest.mark.slow
def test_a_connection_that_breaks() -> None:
    def serve(sock: socket.socket) -> None:
        exactly(sock, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with peer(serve) as port, connected("127.0.0.1", str(port)) as process:
        assert process.stdin is not None
        process.stdin.write(b"x")
        code = process.wait(PATIENCE)  # though standard input is still open
        assert process.stderr is not None
        assert (code, process.stderr.read()[:29]) == (56, b"error: the connection broke: ")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals(number: signal.Signals, tmp_path: Path) -> None:
    """Ssh ends its ProxyCommand with SIGHUP; the server sees the end, and the report is there."""
    report = tmp_path / "report.json"
    ended = threading.Event()

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"x")
        try:
            everything(sock)
        finally:
            ended.set()

    with (
        peer(serve) as port,
        connected("--report", str(report), "127.0.0.1", str(port)) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.read(1) == b"x"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
        assert ended.wait(PATIENCE)
    assert json.loads(report.read_text())["bytes"] == 1


@pytest.mark.slow
def test_nobody_reads_any_more() -> None:
    def serve(sock: socket.socket) -> None:
        sock.sendall(b"x")
        exactly(sock, 1)
        sock.sendall(b"y" * 100_000)
        with suppress(ConnectionResetError):
            everything(sock)

    with peer(serve) as port, connected("127.0.0.1", str(port)) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.read(1) == b"x"
        process.stdout.close()
        process.stdin.write(b"g")
        assert process.wait(PATIENCE) == 23


@pytest.mark.slow
def test_through_a_proxy() -> None:
    with running() as proxy, peer(echo) as port:
        for scheme in ("socks5h", "http"):
            words = ("-x", f"{scheme}://127.0.0.1:{proxy.port}", "127.0.0.1", str(port))
            with connected(*words) as process:
                assert process.stdin is not None
                process.stdin.write(b"through")
                assert end(process) == (0, b"through", "")
            break  # one peer serves one connection


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ["127.0.0.1"]),
        (2, ["127.0.0.1", "0"]),
        (2, ["127.0.0.1", "70000"]),
        (2, ["127.0.0.1", "ssh"]),
        (2, ["", "22"]),
        (2, ["a b", "22"]),
        (2, ["-4", "-6", "127.0.0.1", "22"]),
        (2, ["--deadline", "3", "127.0.0.1", "22"]),
        (2, ["--strategy", "no-such", "127.0.0.1", "22"]),
        (2, ["--multipath", "ranges", "127.0.0.1", "22"]),
        (2, ["--report", "-", "127.0.0.1", "22"]),
        (2, ["--listen", "70000", "127.0.0.1", "22"]),
        (2, ["-x", "https://a:1", "127.0.0.1", "22"]),
        (2, ["-x", "socks5://a:99999", "127.0.0.1", "22"]),
        (5, ["-x", "http://127.0.0.1:1", "127.0.0.1", "22"]),
        (6, ["no-such-host.invalid", "22"]),
        (7, ["127.0.0.1", "1"]),
        (7, ["-6", "127.0.0.1", "1"]),
        (7, ["[::1]", "1"]),
    ],
)
def test_what_can_t_be(run: Run, code: int, words: list[str]) -> None:
    result = run("connect", *words)
    assert (result.code, result.out) == (code, b"")
    assert result.err.startswith("error: ")
    assert "a bug" not in result.err


def test_a_strict_stream(run: Run) -> None:
    """A server without MPTCP is a problem to it, and an error."""
    with peer(echo) as port:
        result = run("connect", "--strict", "--strategy", "handover", "127.0.0.1", str(port))
    assert (result.code, result.err.count("plain TCP")) == (111, 1)


def test_passwords_of_a_proxy_are_not_told(run: Run) -> None:
    for url in ("ftp://me:secret@a:1", "socks5://me:secret@a:x", "http://me:secret@127.0.0.1:1"):
        assert "secret" not in run("connect", "-x", url, "127.0.0.1", "22").err


def test_a_proxy_that_refuses(run: Run) -> None:
    with running() as proxy:
        for scheme, code in (("socks5h", 97), ("http", 5)):
            words = ("-x", f"{scheme}://127.0.0.1:{proxy.port}", "127.0.0.1", "1")
            assert run("connect", *words).code == code
