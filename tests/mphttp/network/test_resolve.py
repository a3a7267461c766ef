"""Looking names up: within a limit, whatever the name server does, and with few threads."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import pytest

from mphttp.network.dial_async import look_up_async
from mphttp.network.resolve import MOST_THREADS, look_up
from mphttp.network.time_limit import TimeLimit
from tests.kernel.namespaces import in_child

real = socket.getaddrinfo


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A name server that says nothing until the event is set; `localhost` is known without it."""
    answers = threading.Event()

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        if host.endswith(".example"):
            assert answers.wait(30)
            host = "127.0.0.1"
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    before = len(os.listdir("/proc/self/fd"))
    yield answers
    answers.set()
    for thread in resolvers():
        thread.join(30)
    assert len(os.listdir("/proc/self/fd")) == before


def resolvers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mphttp-resolve"]


@pytest.mark.parametrize("backend", [None, "asyncio", "trio"])
def test_a_silent_name_server_is_a_time_out(silent: threading.Event, backend: str | None) -> None:
    asked = "www.example", 80, TimeLimit(0.1)
    if backend is None:
        ask = partial(look_up, *asked)
    else:
        ask = partial(anyio.run, look_up_async, *asked, backend=backend)
    with pytest.raises(TimeoutError, match=r"www\.example"):
        ask()
    assert not silent.is_set()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_look_ups_that_were_left_pile_up_to_a_bound(silent: threading.Event, backend: str) -> None:
    """And a name that comes when all threads wait is looked up once one is free again."""

    async def give_up(number: int) -> None:
        with anyio.move_on_after(0.1):
            await look_up_async(f"{number}.example", 80, TimeLimit(None))

    async def ask_many() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(2 * MOST_THREADS):
                tasks.start_soon(give_up, number)
        assert len(resolvers()) == MOST_THREADS
        silent.set()
        assert await look_up_async("last.example", 80, TimeLimit(30))

    anyio.run(ask_many, backend=backend)


def test_an_address_asks_nobody(silent: threading.Event) -> None:
    assert look_up("127.0.0.1", 80, TimeLimit(0.1))[0][4] == ("127.0.0.1", 80)
    assert not resolvers()
    assert not silent.is_set()


@pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example", "a\0b"])
def test_what_is_no_name_can_t_be_resolved(name: str) -> None:
    """Python's own errors for these are no OSErrors."""
    with pytest.raises(socket.gaierror):
        look_up(name, 80, TimeLimit(30))


@pytest.mark.parametrize("port", [-1, 0, 65536, 65536 + 80])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_that_can_t_be_is_an_error(host: str, port: int) -> None:
    """`getaddrinfo` takes 65536 + n for n."""
    with pytest.raises(OSError, match=f"port {port} is outside of 1 to 65535"):
        look_up(host, port, TimeLimit(30))


def test_a_child_process_has_threads_of_its_own(silent: threading.Event) -> None:
    """Where those of its parent all wait for an answer."""
    for number in range(MOST_THREADS):
        with pytest.raises(TimeoutError):
            look_up(f"{number}.example", 80, TimeLimit(0.001))
    in_child(lambda: look_up("localhost", 80, TimeLimit(30)))
    assert not silent.is_set()
