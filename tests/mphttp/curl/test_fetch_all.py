"""Several transfers of libcurl's at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pycurl

from mphttp import Refresh
from mphttp.curl import (
    CurlRequest,
    CurlResponse,
    CurlSession,
    fetch,
    fetch_all,
)
from tests.mphttp.requests.conftest import Serve
from tests.mphttp.requests.servers import answer

from .expected import BODY


def outcomes(found: Iterator[tuple[CurlRequest, CurlResponse | Exception]]) -> dict[str, Any]:
    return {request.url: outcome for request, outcome in found}


def test_many_at_once(serve: Serve) -> None:
    """On one thread, over as many connections as may be on their way at once."""
    server = serve(answer(BODY))
    found = outcomes(fetch_all((f"{server.url}{n}" for n in range(100)), at_once=20))
    digest = hashlib.sha256(BODY).digest()
    assert len(found) == 100
    assert {hashlib.sha256(one.content).digest() for one in found.values()} == {digest}
    assert all(one.report.url == url for url, one in found.items())
    assert server.connections <= 20


def test_a_failure_is_one_request_s_alone(serve: Serve) -> None:
    """Whether it is libcurl's, or an exception of that request's callback."""

    def refuse(_: bytes) -> None:
        raise KeyError("why")

    server = serve(answer(BODY))
    wanted = [
        CurlRequest("http://127.0.0.1:1/"),
        CurlRequest(server.url + "refused", to=refuse),
        CurlRequest(server.url),
        CurlRequest(server.url + "nonsense", headers={"X": "\N{SNOWMAN}"}),
        CurlRequest("nothing://127.0.0.1/"),
    ]
    found = outcomes(fetch_all(wanted))
    assert isinstance(found[wanted[0].url], pycurl.error)
    assert isinstance(found[wanted[1].url], KeyError)
    assert found[wanted[2].url].content == BODY
    assert isinstance(found[wanted[3].url], UnicodeEncodeError)
    assert isinstance(found[wanted[4].url], pycurl.error)


def test_requests_are_taken_as_there_is_room(serve: Serve) -> None:
    """So that there may be any number of them."""
    server, taken = serve(answer(BODY)), []

    def endless() -> Iterator[str]:
        while True:
            taken.append(server.url)
            yield server.url

    found = fetch_all(endless(), at_once=3)
    for _ in range(10):
        next(found)
    found.close()
    assert len(taken) <= 13


def test_one_fetch_between_many(serve: Serve) -> None:
    """A session's other transfers go on meanwhile, and nothing of theirs is lost."""
    server = serve(answer(BODY))
    with CurlSession() as session:
        many = session.fetch_all([server.url] * 4)
        first = next(many)
        assert session.fetch(server.url).content == BODY
        rest = [first, *many]
    assert all(not isinstance(o, Exception) and o.content == BODY for _, o in rest)
    assert len(rest) == 4


def test_the_callback_s_own_stepping(serve: Serve) -> None:
    """Without a privilege it is the report that says what didn't work; the body comes."""
    response = fetch(serve(answer(BODY)).url, Refresh(10_000), stepping="callback")
    assert response.content == BODY
    assert response.report.strategy["name"] == "refresh"
    assert response.report.bytes == len(BODY)
