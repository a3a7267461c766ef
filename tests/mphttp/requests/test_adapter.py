"""`MultipathAdapter` in a session: all that works with requests' own adapter works with it."""

from __future__ import annotations

import gc
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import responses
from urllib3 import Retry
from urllib3.exceptions import MaxRetryError

from mphttp import Deadline, FullMesh, MultipathAdapter, Refresh, SinglePath
from mphttp.errors import StrategyProblem
from mphttp.requests import report, using
from mphttp.strategies import Steps, Transfer, Until

from .conftest import Open, Serve
from .servers import answer, chunked, listening, until_closed
from .test_body import told

BODY = bytes(range(256)) * 10_000

# Connections.


def test_a_connection_is_kept_and_each_response_starts_clean(
    session: requests.Session, serve: Serve
) -> None:
    server = serve(answer(BODY), answer(b"short"), chunked(BODY, BODY))
    answers = [session.get(server.url) for _ in range(3)]
    assert server.connections == 1
    assert [told(response).bytes for response in answers] == [len(BODY), 5, 2 * len(BODY)]
    assert [told(response).length for response in answers] == [len(BODY), 5, None]
    assert len({told(response).subflows[0].local for response in answers}) == 1


def test_a_response_that_ends_with_its_connection(session: requests.Session, serve: Serve) -> None:
    """http.client gives the socket away to it, before its body is read."""
    server = serve(answer(BODY, "Connection: close"))
    for number in (1, 2):
        with session.get(server.url, stream=True) as response:
            assert told(response).subflows[0].closed_at is None
            assert response.content == BODY
        assert told(response).bytes == len(BODY)
        assert server.connections == number


@pytest.mark.parametrize("how", ["close", "with", "forget", "session"])
@pytest.mark.parametrize("framed", [answer, chunked, until_closed])
def test_a_response_that_is_dropped_unread(
    open_session: Open, serve: Serve, framed: Callable[[bytes], bytes], how: str
) -> None:
    """The server hears of it at once, and the next request has a new connection."""
    session = open_session()
    server = serve(framed(BODY * 10), answer(b"next"))
    response = session.get(server.url, stream=True)
    found = told(response)
    assert found.subflows[0].closed_at is None
    if how == "forget":
        del response
    elif how == "with":
        with response:
            next(response.iter_content(1000))
    else:
        response.close()
    assert found.bytes < 10 * len(BODY)
    assert session.get(server.url).text == "next"
    assert server.connections == 2
    server.close()  # waits for the thread that was sending


def test_a_session_closed_under_an_open_response(session: requests.Session, serve: Serve) -> None:
    """As with requests' own adapter, the response can still be read."""
    response = session.get(serve(answer(BODY)).url, stream=True)
    session.close()
    assert response.content == BODY
    assert told(response).bytes == len(BODY)


def test_threads_share_a_session(session: requests.Session, serve: Serve) -> None:
    server = serve(answer(BODY))

    def work(number: int) -> tuple[int, str]:
        strategy = Refresh(number)
        with using(strategy):
            response = session.get(server.url)
        assert response.content == BODY
        assert told(response).strategy["threshold"] == number
        return told(response).bytes, told(response).url

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(2**31, 2**31 + 40))) == {(len(BODY), server.url)}


def test_a_connection_that_the_server_has_closed_is_replaced(
    session: requests.Session, serve: Serve
) -> None:
    first = serve(answer(b"1"))
    assert session.get(first.url).text == "1"
    first.close()
    with pytest.raises(requests.ConnectionError):
        session.get(first.url)


def test_source_address(open_session: Open, serve: Serve) -> None:
    """As an adapter's subclass gives it to urllib3."""

    class From(MultipathAdapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, source_address=("127.0.0.2", 0), **options)

    response = open_session(adapter=From).get(serve(answer()).url)
    assert told(response).subflows[0].local[0] == "127.0.0.2"


def test_a_source_port_is_refused(open_session: Open, serve: Serve) -> None:
    class From(MultipathAdapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
            super().init_poolmanager(*arguments, source_address=("127.0.0.1", 9), **options)

    with pytest.raises(ValueError, match="each subflow has a port of its own"):
        open_session(adapter=From).get(serve(answer()).url)


def test_the_pools_below_work_without_the_adapter(open_session: Open, serve: Serve) -> None:
    """What is sent past it has no strategy and no report."""
    adapter = open_session(FullMesh()).get_adapter("http://")
    assert adapter.poolmanager.request("GET", serve(chunked(BODY)).url).data == BODY


# What the session does around the adapter.


@pytest.mark.slow
def test_every_response_of_a_redirect_has_its_report(
    session: requests.Session, serve: Serve
) -> None:
    server = serve(answer(b"elsewhere", "Location: /there", status="302 Found"), answer(BODY))
    response = session.get(server.url)
    (before,) = response.history
    assert (told(before).status, told(before).bytes) == (302, 9)
    assert (told(response).url, told(response).bytes) == (server.url + "there", len(BODY))


@pytest.mark.slow
def test_retries_end_with_the_last_answer(open_session: Open, serve: Serve) -> None:
    """Each try is a request of its own; the connection is kept, since bodies are read."""
    retries = Retry(3, status_forcelist=[503], backoff_factor=0)
    server = serve(*[answer(b"busy", status="503 Busy")] * 2, answer(BODY))
    response = open_session(Deadline(60), max_retries=retries).get(server.url)
    assert response.content == BODY
    assert (told(response).status, told(response).bytes) == (200, len(BODY))
    assert (len(server.heads), server.connections) == (3, 1)


def test_retries_have_an_end(open_session: Open, serve: Serve) -> None:
    retries = Retry(2, status_forcelist=[503], backoff_factor=0)
    server = serve(answer(b"busy", status="503 Busy"))
    with pytest.raises(requests.exceptions.RetryError):
        open_session(max_retries=retries).get(server.url)
    assert len(server.heads) == 3


def test_a_session_pickles(open_session: Open, serve: Serve) -> None:
    """With what its adapters were given; connections don't go with it."""
    session = open_session(FullMesh(), paths=["lo"], strict=True, max_retries=2)
    server = serve(answer(b"once"), multipath=False)
    with using(SinglePath()):
        session.get(server.url)
    with pickle.loads(pickle.dumps(session)) as copy:
        adapter = copy.get_adapter("http://")
        assert adapter.max_retries.total == 2
        with using(SinglePath()):
            assert copy.get(server.url).text == "once"
        assert server.connections == 2
        with pytest.raises(requests.ConnectionError) as caught:
            copy.get(server.url)
        assert isinstance(caught.value.__cause__, StrategyProblem)


def test_a_pickled_response_has_no_report(session: requests.Session, serve: Serve) -> None:
    response = session.get(serve(answer(BODY)).url)
    copy = pickle.loads(pickle.dumps(response))
    assert copy.content == BODY
    assert report(copy) is None
    assert report(response) is not None


def test_other_adapters_responses_have_no_report(serve: Serve) -> None:
    with requests.Session() as plain:
        assert report(plain.get(serve(answer()).url)) is None


def test_a_report_goes_with_its_response(session: requests.Session, serve: Serve) -> None:
    """It is held by nothing else, and can be kept longer."""
    response = session.get(serve(answer(BODY)).url)
    kept = told(response)
    del response
    gc.collect()
    assert kept.bytes == len(BODY)


def test_users_tests_with_responses_go_on(open_session: Open, serve: Serve) -> None:
    """Also with a strict adapter mounted, and for what is let through."""
    server = serve(answer(b"real"))
    for strict in (False, True):
        session = open_session(strict=strict)
        with responses.RequestsMock() as mock:
            mock.get("http://example.org/", body="mocked", status=201)
            mock.add_passthru(server.url)
            response = session.get("http://example.org/")
            assert (response.text, response.status_code) == ("mocked", 201)
            assert report(response) is None
            through = session.get(server.url)
            assert (through.text, told(through).bytes) == ("real", 4)


# Strategies.


def test_strategies_by_adapter_and_by_request(open_session: Open, serve: Serve) -> None:
    server = serve(answer(BODY))
    session = open_session(Deadline(60))
    session.mount(server.url + "large", MultipathAdapter(Refresh(10**9)))
    names = [told(session.get(server.url + place)).strategy["name"] for place in ("", "large")]
    with using(FullMesh()):
        names.append(told(session.get(server.url)).strategy["name"])
    names.append(told(session.get(server.url)).strategy["name"])
    assert names == ["deadline", "refresh", "fullmesh", "deadline"]


def test_the_deadline_is_told(open_session: Open, serve: Serve) -> None:
    found = told(open_session(Deadline(60)).get(serve(answer(BODY)).url))
    assert found.deadline
    assert (found.deadline.seconds, found.deadline.met) == (60, True)


def test_what_is_no_strategy_is_refused() -> None:
    wrong: Any = "deadline"
    with pytest.raises(ValueError, match="must be a Strategy, such as Deadline"):
        MultipathAdapter(wrong)
    with pytest.raises(ValueError, match="must be a Strategy"), using(wrong):
        pytest.fail("it was taken")


# Strict.


@dataclass(frozen=True)
class Crashes(SinglePath):
    """Ends with an error after so many bytes, or with the body; no machine lacks what it wants."""

    after: int = 1000

    def run(self, transfer: Transfer) -> Steps:
        try:
            yield Until(received=self.after)
        finally:
            raise RuntimeError("on purpose")


def test_a_strict_problem_is_requests_error_and_is_not_retried(
    open_session: Open, serve: Serve
) -> None:
    server = serve(answer(BODY), multipath=False)
    session = open_session(FullMesh(), strict=True, max_retries=Retry(5))
    with pytest.raises(requests.ConnectionError, match="plain TCP") as caught:
        session.get(server.url)
    assert isinstance(caught.value.__cause__, StrategyProblem)
    assert caught.value.request is not None
    assert len(server.heads) == 1


@pytest.mark.slow
@pytest.mark.parametrize("framed", [answer, chunked, until_closed])
@pytest.mark.parametrize("after", [1000, 10**9])
def test_a_strict_problem_within_the_body(
    open_session: Open, serve: Serve, framed: Callable[[bytes], bytes], after: int
) -> None:
    """Or with its last byte."""
    session = open_session(Crashes(after=after), strict=True, max_retries=Retry(5))
    server = serve(framed(BODY))
    with pytest.raises(requests.ConnectionError, match="on purpose") as caught:
        for _ in session.get(server.url, stream=True).iter_content(2**14):
            pass
    assert isinstance(caught.value.__cause__, StrategyProblem)
    with pytest.raises(requests.ConnectionError, match="on purpose"):
        session.get(server.url)
    with pytest.raises(StrategyProblem):
        session.get(server.url, stream=True).raw.read()
    assert len(server.heads) == 3


def test_a_refused_response_gives_its_place_in_the_pool_back(
    open_session: Open, serve: Serve
) -> None:
    server = serve(answer(BODY), multipath=False)
    session = open_session(FullMesh(), strict=True, pool_maxsize=1, pool_block=True)
    for _ in range(3):
        with pytest.raises(requests.ConnectionError, match="plain TCP"):
            session.get(server.url)
    with using(SinglePath()):
        assert session.get(server.url).content == BODY


def test_what_is_not_strict_goes_on(open_session: Open, serve: Serve) -> None:
    response = open_session(Crashes()).get(serve(chunked(*[BODY[:5000]] * 50)).url)
    assert response.content == BODY[:5000] * 50
    assert [problem.what for problem in told(response).problems] == [
        "the strategy 'crashes' ended with RuntimeError: on purpose"
    ]


def test_time_begins_with_the_first_byte_of_the_request(
    session: requests.Session, serve: Serve
) -> None:
    """Sending its body counts."""
    began = []

    def pieces() -> Iterator[bytes]:
        began.append(time.monotonic())
        yield b"some"
        time.sleep(0.3)

    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    response = session.post(serve(sent).url, data=pieces())
    assert 0.3 <= told(response).seconds <= time.monotonic() - began[0] + 0.1


# What fails.


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL on a port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}/"


def test_nobody_listens(open_session: Open, nobody: str) -> None:
    for retries in (0, Retry(2, backoff_factor=0)):
        with pytest.raises(requests.ConnectionError) as caught:
            open_session(max_retries=retries).get(nobody)
        assert isinstance(caught.value.args[0], MaxRetryError)


def test_a_name_that_is_nobody_s(session: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError, match=r"nobody\.invalid"):
        session.get("http://nobody.invalid/")


def test_nobody_answers(session: requests.Session) -> None:
    with listening() as sock, pytest.raises(requests.ReadTimeout):
        session.get(f"http://127.0.0.1:{sock.getsockname()[1]}/", timeout=0.1)


def test_a_body_that_stops(session: requests.Session, serve: Serve) -> None:
    """The time-out of a read is requests' own, and the connection isn't used again."""
    server = serve(answer(BODY)[:-1], answer(b"next"))
    with pytest.raises(requests.ConnectionError, match="timed out"):
        session.get(server.url, timeout=(5, 0.1))
    assert session.get(server.url).text == "next"
    assert server.connections == 2


def test_nobody_accepts(session: requests.Session) -> None:
    """A full queue lets connecting take too long."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        with socket.create_connection(address), pytest.raises(requests.ConnectTimeout):
            session.get(f"http://127.0.0.1:{address[1]}/", timeout=(0.1, 5))


def test_garbage(session: requests.Session, serve: Serve) -> None:
    with pytest.raises(requests.ConnectionError):
        session.get(serve(b"this is not HTTP\r\n\r\n").url)


def test_importing_mphttp_imports_no_requests() -> None:
    program = "import mphttp, sys; print({'requests', 'urllib3'} & set(sys.modules) or 'none')"
    assert subprocess.check_output([sys.executable, "-c", program]) == b"none\n"
