"""What a signal's handler raises while libcurl is at work."""

from __future__ import annotations

import gc
import random
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from mphttp.curl import CurlSession, CurlTransport
from mphttp.curl.loop import Loop
from tests.mphttp.requests.conftest import Serve
from tests.mphttp.requests.servers import answer

BODY = bytes(range(256)) * 4000


class Alarm(Exception):
    pass


@pytest.fixture
def alarm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Raise something after some seconds, wherever the program is then.

    Where that is a finaliser, nobody hears of it: pytest would keep it until the end of the test,
    and with it the frames of a response that holds a place and a socket.
    """
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    def ring(*_: Any) -> None:
        raise Alarm

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def interrupted(fetch: Callable[[], bytes], alarm: Callable[[float], None], after: float) -> bool:
    """Fetch; tell whether the alarm came before the whole body did."""
    try:
        try:
            alarm(after)
            assert fetch() == BODY
        finally:
            alarm(0)
    except Alarm:
        return True
    return False


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # where a socket was just being closed
def test_it_reaches_the_caller_and_nothing_is_lost(
    serve: Serve, alarm: Callable[[float], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """pycurl prints what a callback raises as it begins; here it ends the transfer, and that only.

    The next one has a place, a connection and every byte.
    """
    url, times = serve(answer(BODY)).url, random.Random(2016)
    with (
        CurlSession() as session,
        httpx.Client(
            transport=CurlTransport(limits=httpx.Limits(max_connections=1)), timeout=20
        ) as http,
    ):
        transport = http._transport
        assert isinstance(transport, CurlTransport)

        def get() -> bytes:
            if transport._pool._taken:
                gc.collect()  # httpx was about to close the response, and does it no more
            return http.get(url).content

        doors = [lambda: session.fetch(url).content, get]
        found = [
            interrupted(door, alarm, times.uniform(1e-4, 5e-3)) for _ in range(40) for door in doors
        ]
        assert all(door() == BODY for door in doors)
    assert any(found)
    assert "mphttp/curl" not in capfd.readouterr().err


@pytest.mark.parametrize("callback", ["_watch", "_set_timer"])
@pytest.mark.parametrize("call", range(1, 4))
def test_the_loop_s_own_callbacks(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, callback: str, call: int
) -> None:
    """What is raised there reaches the caller, too, and libcurl is heard nevertheless."""
    url, calls, real = serve(answer(BODY)).url, iter(range(1, 10**9)), getattr(Loop, callback)

    def fails(*arguments: Any) -> None:
        if next(calls) == call:
            raise KeyboardInterrupt
        real(*arguments)

    with CurlSession() as session:
        monkeypatch.setattr(Loop, callback, fails)
        with pytest.raises(KeyboardInterrupt):
            session.fetch(url)
        assert session.fetch(url).content == BODY
