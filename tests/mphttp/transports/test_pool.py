"""Pools: however requests end, and whenever, no place is lost, and nobody waits beside one."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from mphttp.strategies import NDiffPorts
from mphttp.transports.places import Places, Ticket
from tests.mphttp.requests.servers import Service

from .doors import DOORS, Door

MOST = 3
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000)


class Fake:
    """A connection that is told how it is."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.state = "new"
        self.http2 = origin.isupper()
        self.expired = False

    def can_handle_request(self, origin: str) -> bool:
        return origin == self.origin

    def is_available(self) -> bool:
        if self.state == "new":
            return self.http2
        return self.state == "idle" or (self.state == "active" and self.http2)

    def is_connected(self) -> bool:
        return self.state in ("idle", "active")

    def can_multiplex(self) -> bool:
        return self.http2 and self.state != "new"

    def has_expired(self) -> bool:
        return self.expired

    def is_idle(self) -> bool:
        return self.state == "idle"

    def is_closed(self) -> bool:
        return self.state == "closed"


class Crowd:
    """Requests that come, are served, fail, and are given up, as an example says."""

    def __init__(self) -> None:
        self.made: list[Fake] = []
        self.places = Places(self._make, MOST, 2)
        self.tickets: list[Ticket] = []

    def _make(self, origin: str) -> Fake:
        self.made.append(Fake(origin))
        return self.made[-1]

    def act(self, kind: str, number: int) -> None:
        if kind == "enter":
            self.tickets.append(Ticket("aAbB"[number % 4]))
            self._closed(self.places.enter(self.tickets[-1]))
        elif self.tickets:
            ticket = self.tickets[number % len(self.tickets)]
            connection = ticket.place.connection if ticket.place else None
            getattr(self, f"_{kind}")(ticket, connection)

    def _begin(self, _: Ticket, connection: Fake | None) -> None:
        if connection and connection.state != "closed":
            connection.state = "active"

    def _finish(self, ticket: Ticket, connection: Fake | None) -> None:
        if connection and connection.state == "active":
            alone = ticket.place is not None and ticket.place.users == 1
            connection.state = "idle" if alone else "active"
            self._leave(ticket, connection)

    def _break(self, _: Ticket, connection: Fake | None) -> None:
        if connection:
            connection.state = "closed"

    def _expire(self, _: Ticket, connection: Fake | None) -> None:
        if connection:
            connection.expired = True

    def _again(self, ticket: Ticket, connection: Fake | None) -> None:
        if connection and not connection.is_available():
            self._closed(self.places.again(ticket))

    def _leave(self, ticket: Ticket, _: Fake | None) -> None:
        self.tickets.remove(ticket)
        self._closed(self.places.leave(ticket))

    @staticmethod
    def _closed(connections: list[Fake]) -> None:
        for connection in connections:
            assert connection.state != "closed"
            connection.state = "closed"


KINDS = ("enter", "begin", "finish", "break", "expire", "again", "leave")


@given(acts=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 50)), max_size=60))
def test_no_place_is_lost(acts: list[tuple[str, int]]) -> None:
    """Places are as many as may be, and who waits does so for want of any."""
    crowd = Crowd()
    for kind, number in acts:
        crowd.act(kind, number)
        there = crowd.places.connections
        assert len(there) <= MOST
        assert {id(c) for c in crowd.made if c.state in ("idle", "active")} <= set(map(id, there))
        if kind in ("enter", "leave") and crowd.places.waiting:
            assert len(there) == MOST
            given_to = {id(ticket.place.connection) for ticket in crowd.tickets if ticket.place}
            assert given_to >= set(map(id, there))
    for ticket in list(crowd.tickets):
        crowd.act("leave", crowd.tickets.index(ticket))
    assert crowd.places.used == crowd.places.waiting == 0
    assert all(connection.is_idle() for connection in crowd.places.connections)
    assert len(crowd.places.connections) <= 2


def test_first_come_first_served() -> None:
    crowd = Crowd()
    for number in (0, 0, 0, 2, 0, 2):
        crowd.act("enter", number)
    assert [ticket.place is not None for ticket in crowd.tickets] == [True] * 3 + [False] * 3
    crowd.act("begin", 0)
    crowd.act("finish", 0)
    assert [ticket.place is not None for ticket in crowd.tickets] == [True] * 3 + [False] * 2
    assert [connection.origin for connection in crowd.places.connections] == ["a", "a", "b"]


@pytest.fixture
def server() -> Iterator[Service]:
    """Answers each request, some after a while; those for /together when `MOST` are there."""
    together = threading.Barrier(MOST, timeout=20)
    chance = random.Random(2016)

    def talk(sock: socket.socket) -> None:
        with sock.makefile("rb") as lines:
            while line := lines.readline():
                while lines.readline().strip():
                    """The rest of the head."""
                if b"/together" in line:
                    together.wait()
                elif chance.random() < 0.3:
                    threading.Event().wait(0.004)
                sock.sendall(LARGE if b"/large" in line else OK)

    service = Service(talk)
    yield service
    service.close()


def all_places(door: Door, client: Any, url: str) -> list[Callable[[], Any]]:
    """Return the requests that only come to an end where every place is there."""
    limits = {"timeout": door.library.Timeout(20, pool=10)}
    return [lambda: client.get(f"{url}together", **limits) for _ in range(MOST)]


def limited(door: Door) -> Any:
    limits = door.library.Limits(max_connections=MOST, max_keepalive_connections=2)
    return door.transport(limits=limits)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_threads_that_give_up(server: Service, name: str) -> None:
    """Time-outs of the pool, of reading, and responses that are dropped in the middle."""
    door = DOORS[name]
    url = f"http://127.0.0.1:{server.port}/"
    with door.library.Client(transport=limited(door)) as client:

        def work(seed: int) -> None:
            chance = random.Random(seed)
            for _ in range(30):
                pool, read = (chance.choice((1e-4, 0.002, 5)) for _ in range(2))
                with contextlib.suppress(door.library.TimeoutException):
                    timeout = door.library.Timeout(5, pool=pool, read=read)
                    with client.stream("GET", url, timeout=timeout) as response:
                        if chance.random() < 0.5:
                            response.read()

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
        last = [threading.Thread(target=get) for get in all_places(door, client, url)]
        for some in (threads, last):
            for thread in some:
                thread.start()
            for thread in some:
                thread.join()
        assert all(connection.is_idle() for connection in client._transport._pool.connections)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, door in DOORS.items() if door.backend])
def test_tasks_that_are_cancelled(server: Service, name: str) -> None:
    """At every await there is, by the scope they are in."""
    door = DOORS[name]
    url = f"http://127.0.0.1:{server.port}/"

    async def work(client: Any, chance: random.Random) -> None:
        for _ in range(30):
            async with anyio.create_task_group() as group:
                group.start_soon(_get, client, url)
                for _ in range(chance.randrange(14)):
                    await checkpoint()
                group.cancel_scope.cancel()

    async def main() -> None:
        timeout = door.library.Timeout(20, pool=10)
        async with door.library.AsyncClient(transport=limited(door), timeout=timeout) as client:
            async with anyio.create_task_group() as group:
                for seed in range(12):
                    group.start_soon(work, client, random.Random(seed))
            async with anyio.create_task_group() as group:
                for get in all_places(door, client, url):
                    group.start_soon(get)
            assert all(connection.is_idle() for connection in client._transport._pool.connections)

    anyio.run(main, backend=door.backend)


async def _get(client: Any, url: str) -> None:
    await client.get(url)


def test_tasks_that_asyncio_cancels(server: Service) -> None:
    """By its own means, which no scope of anyio's can keep off."""
    import asyncio

    door = DOORS["httpx-asyncio"]
    url = f"http://127.0.0.1:{server.port}/"

    async def main() -> None:
        timeout = door.library.Timeout(20, pool=10)
        async with door.library.AsyncClient(transport=limited(door), timeout=timeout) as client:
            chance = random.Random(7)
            for _ in range(60):
                tasks = [asyncio.create_task(client.get(url)) for _ in range(6)]
                for _ in range(chance.randrange(14)):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.gather(*(get() for get in all_places(door, client, url)))
            assert all(connection.is_idle() for connection in client._transport._pool.connections)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["httpx-asyncio", "httpx-trio"])
def test_no_thread_of_anyio_s_is_needed(server: Service, name: str) -> None:
    """They may all be taken by jobs that wait for this very response (Starlette's are)."""
    door = DOORS[name]
    url = f"http://127.0.0.1:{server.port}/"

    async def main() -> None:
        limiter = anyio.to_thread.current_default_thread_limiter()
        for _ in range(int(limiter.total_tokens)):
            await limiter.acquire_on_behalf_of(object())
        transport = door.transport(strategy=NDiffPorts(3))
        async with door.library.AsyncClient(transport=transport) as client:
            with anyio.fail_after(20):
                for _ in range(30):
                    await client.get(f"{url}large")

    anyio.run(main, backend=door.backend)
