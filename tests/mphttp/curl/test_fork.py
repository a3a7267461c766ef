"""A child process, which inherits libcurl's handles and connections, and uses none of them."""

from __future__ import annotations

import os
import select
import signal
import ssl
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pycurl
import pytest

from mphttp.curl import CurlSession, CurlTransport
from tests.mphttp.requests.conftest import Serve
from tests.mphttp.requests.servers import answer

BODY = bytes(range(256)) * 4000
LARGE = bytes(range(256)) * 100_000

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def in_child(work: Callable[[], None], *, finalize: bool = False) -> None:
    """Do something in a child process; fail if it fails, or doesn't come to an end.

    Args:
        work: what is done.
        finalize: whether the child collects its garbage and lets go of all that it has.
    """
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
            if finalize:
                import gc

                gc.collect()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    watched = os.pidfd_open(child)
    if not select.select([watched], [], [], 20)[0]:
        os.kill(child, signal.SIGKILL)
    os.close(watched)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def trust(
    request: pytest.FixtureRequest, context: ssl.SSLContext, authority: str
) -> tuple[ssl.SSLContext | None, Any]:
    return (context, authority) if request.param else (None, True)


@pytest.mark.slow
def test_kept_connections_are_the_parent_s(serve: Serve, trust: Any) -> None:
    """The child has its own; whatever it does, the parent's go on."""
    server = serve(answer(BODY), context=trust[0])
    with ExitStack() as doors:
        session = doors.enter_context(CurlSession(verify=trust[1]))
        kept = httpx.Limits(keepalive_expiry=None)  # however long the child takes
        transport = CurlTransport(verify=trust[1], limits=kept)
        http = doors.enter_context(httpx.Client(transport=transport))

        def fetch() -> None:
            assert session.fetch(server.url).content == BODY
            assert http.get(server.url).content == BODY

        def child() -> None:
            fetch()
            session.close()
            http.close()

        fetch()
        assert server.connections == 2
        in_child(child, finalize=True)
        assert server.connections == 4
        fetch()
        assert server.connections == 4


@pytest.mark.slow
def test_what_is_on_its_way_is_the_parent_s(serve: Serve, trust: Any) -> None:
    server = serve(answer(LARGE), context=trust[0])
    with httpx.Client(transport=CurlTransport(verify=trust[1]), timeout=20) as http:
        with http.stream("GET", server.url) as response:
            parts = response.iter_raw()
            came = [next(parts)]

            def child() -> None:
                with pytest.raises(httpx.TransportError, match="another process"):
                    list(parts)
                response.close()
                http.close()

            in_child(child, finalize=True)
            came += parts
        assert b"".join(came) == LARGE


def test_many_on_their_way(serve: Serve) -> None:
    """The child is told of each that wasn't there yet; the parent's come whole."""
    server = serve(answer(BODY))
    with CurlSession() as session:
        many = session.fetch_all([server.url] * 4, at_once=2)
        first = next(many)

        def child() -> None:
            for _, outcome in many:
                assert isinstance(outcome, pycurl.error) or outcome.content == BODY
            assert session.fetch(server.url).content == BODY

        in_child(child)
        rest = [first, *many]
    assert all(not isinstance(one, Exception) and one.content == BODY for _, one in rest)


def test_a_connection_ends_where_the_parent_ends_it(serve: Serve) -> None:
    """Though there is a child that lives on: it holds no descriptor of it."""
    server = serve(answer(BODY))
    with CurlSession() as session:
        session.fetch(server.url)
        sockets = {known.file for known in session._channel._sockets._copies.values()}
        assert sockets <= opened()

        def child() -> None:
            assert not sockets & opened()

        in_child(child)


def opened() -> set[int]:
    """Return the files that this process has open, by their number."""
    files = set()
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the list's own is closed by now
            files.add(os.fstat(int(descriptor)).st_ino)
    return files


def test_a_lock_that_another_thread_had(serve: Serve) -> None:
    """The thread stayed behind; nobody would ever let go of the lock."""
    server = serve(answer(BODY))
    with httpx.Client(transport=CurlTransport(), timeout=20) as http:
        transport = http._transport
        assert isinstance(transport, CurlTransport)
        http.get(server.url)
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            lane = transport._pool._free[0]
            with transport._pool._room, lane._lock:
                held.set()
                done.wait(20)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait(20)

        def child() -> None:
            assert http.get(server.url).content == BODY

        in_child(child)
        done.set()
        thread.join()
