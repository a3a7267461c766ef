"""What a proxy of its own process keeps in memory: nothing of attacks, and little of what idles."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from .running import PATIENCE, Running
from .test_attacks import GARBAGE, SMUGGLED

ROUND = 150
"""Attacks; what a first round takes stays for the next ones."""
MOST_FOR_EACH = 8_000
"""Bytes; a connection that is kept takes more than four times as many."""


@contextmanager
def process(*options: str) -> Iterator[tuple[int, int]]:
    """Run `mphttp proxy`; give its port and its process."""
    words = ["-m", "mphttp", "proxy", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            found = re.search(r"127\.0\.0\.1:(\d+)", running.stderr.readline())
            assert found
            yield int(found[1]), running.pid
        finally:
            running.terminate()


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def ask(port: int, data: bytes) -> None:
    """Say something, and read until the proxy has had enough."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock, suppress(OSError):
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


def silent(port: int) -> None:
    """Be one of many that say nothing, and go once they are pushed out."""
    with ExitStack() as stack:
        for start in (b"", b"\x05", b"GET http://a/ HTTP/1.1\r\nX: ") * 5:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
            sock.sendall(start)


def each(*said: bytes) -> Callable[[int], None]:
    def attack(port: int) -> None:
        for data in said:
            ask(port, data)

    return attack


def smuggled(port: int) -> None:
    start = b"POST http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\n"
    each(*(start + rest for rest in SMUGGLED))(port)


def looped(port: int) -> None:
    place = f"127.0.0.1:{port}".encode()
    each(
        b"CONNECT " + place + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://" + place + b"/ HTTP/1.1\r\nHost: a\r\n\r\n",
    )(port)


ATTACKS = {
    "garbage": each(*GARBAGE),
    "silence": silent,
    "smuggling": smuggled,
    "loops": looped,
}


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_attack_leaves_nothing_in_memory(attack: Callable[[int], None]) -> None:
    with process("--handshake-timeout", "1s") as (port, pid):
        for _ in range(ROUND):
            attack(port)
        before = resident(pid)
        for _ in range(ROUND):
            attack(port)
        assert resident(pid) - before < ROUND * MOST_FOR_EACH


@pytest.mark.slow
def test_idle_tunnels_are_small() -> None:
    """2,000 of them are to take less than 150 MB, of which 36 are the proxy's own."""
    count, most = 100, 57_000
    with process("--strategy", "handover") as (port, pid), ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=count))
        proxy = Running(port, server=None)  # type: ignore[arg-type]  in another process
        sizes = []
        for _ in range(2):
            for _ in range(count):
                stack.enter_context(proxy.socks(*listener.getsockname()))
                stack.enter_context(listener.accept()[0])
            sizes.append(resident(pid))
    assert sizes[1] - sizes[0] < count * most
