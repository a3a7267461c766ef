"""`fetch` and sessions on the loopback interface, without any privilege."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pycurl
import pytest

from mphttp.curl import (
    CurlSession,
    fetch,
)
from tests.mphttp.requests.conftest import Serve
from tests.mphttp.requests.servers import answer, chunked, until_closed

from .expected import BODY, fails


@pytest.mark.parametrize(
    ("sent", "status", "length", "body"),
    [
        (answer(b"12345"), 200, 5, b"12345"),
        (answer(b""), 200, 0, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, 0, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, 0, b""),
        (chunked(b"123", b"45", trailers=b"X: 1\r\n"), 200, None, b"12345"),
        (until_closed(b"12345"), 200, None, b"12345"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(b"12345"), 200, 5, b"12345"),
    ],
    ids=["length", "empty", "204", "304", "chunked", "until closed", "103 before"],
)
def test_the_length_is_what_the_head_promises(
    serve: Serve, sent: bytes, status: int, length: int | None, body: bytes
) -> None:
    """A response without a body has the length 0, whatever its head says (RFC 9112, 6.3)."""
    response = fetch(serve(sent).url)
    assert (response.status, response.content) == (status, body)
    told = response.report
    assert (told.status, told.length, told.bytes) == (status, length, len(body))
    assert told.protocol == "mptcp"


def test_a_head_request(serve: Serve) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    with CurlSession() as session:
        response = session.fetch(server.url, method="HEAD")
    assert (response.headers["content-length"], response.report.length) == ("5", 0)
    assert server.heads[0].startswith(b"HEAD / HTTP/1.1")


def test_bytes_are_counted_as_they_came(serve: Serve) -> None:
    """A compressed body stays compressed: it is what the network carried."""
    packed = gzip.compress(BODY)
    response = fetch(serve(answer(packed, "Content-Encoding: gzip")).url)
    assert response.content == packed
    assert response.report.bytes == len(packed)


def test_where_a_body_goes(serve: Serve, tmp_path: Path) -> None:
    """To a file by its name, an open file, or a function; it isn't kept in memory then."""
    url, place, opened, parts = serve(answer(BODY)).url, tmp_path / "body", io.BytesIO(), []
    with CurlSession() as session:
        targets: list[Any] = [place, opened, parts.append]
        responses = [session.fetch(url, to=target) for target in targets]
    assert [response.content for response in responses] == [b"", b"", b""]
    assert place.read_bytes() == opened.getvalue() == b"".join(parts) == BODY
    assert len(parts) > 1


def test_an_empty_body_makes_an_empty_file(serve: Serve, tmp_path: Path) -> None:
    fetch(serve(answer(b"")).url, to=tmp_path / "body")
    assert (tmp_path / "body").read_bytes() == b""


def test_no_response_makes_no_file(serve: Serve, tmp_path: Path) -> None:
    with fails(pycurl.E_UNSUPPORTED_PROTOCOL, "HTTP/0.9"):
        fetch(serve(b"Connection: close").url, to=tmp_path / "body")
    assert not (tmp_path / "body").exists()


def test_a_file_that_can_t_be_written_is_the_caller_s_error(serve: Serve, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        fetch(serve(answer(BODY)).url, to=tmp_path)


@pytest.mark.parametrize("raised", [KeyError("why"), KeyboardInterrupt(), SystemExit(3)])
def test_what_a_callback_raises_reaches_the_caller(serve: Serve, raised: BaseException) -> None:
    """Itself, though libcurl was in between; the session stays usable."""
    came: list[bytes] = []

    def refuse(chunk: bytes) -> None:
        came.append(chunk)
        raise raised

    server = serve(answer(BODY))
    with CurlSession() as session:
        with pytest.raises(type(raised)) as caught:
            session.fetch(server.url, to=refuse)
        assert caught.value is raised
        assert len(came) == 1
        assert session.fetch(server.url).content == BODY


def test_what_the_request_s_body_raises_reaches_the_caller(serve: Serve) -> None:
    def content() -> Iterator[bytes]:
        yield b"12345"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        fetch(serve(answer()).url, method="PUT", content=content())


def test_redirects_are_followed_if_wanted(serve: Serve) -> None:
    """Only the last response is told of: its length, its bytes, and where it came from."""
    last = serve(answer(BODY))
    first = serve(answer(b"elsewhere", f"Location: {last.url}x", status="302 Found"))
    told = fetch(first.url)
    assert (told.status, told.content) == (302, b"elsewhere")
    response = fetch(first.url, follow_redirects=True)
    assert (response.status, response.url, response.content) == (200, f"{last.url}x", BODY)
    report = response.report
    assert (report.url, report.status, report.length) == (f"{last.url}x", 200, len(BODY))
    assert report.bytes == len(BODY)
    assert report.subflows[0].remote[1] == last.port


def test_redirects_that_are_not_followed(serve: Serve) -> None:
    loop = serve(answer(b"", "Location: /again", status="302 Found"))
    with fails(pycurl.E_TOO_MANY_REDIRECTS):
        fetch(loop.url, follow_redirects=True, max_redirects=3)
    assert len(loop.heads) == 4
    elsewhere = serve(answer(b"", "Location: ftp://127.0.0.1/", status="302 Found"))
    with fails(pycurl.E_UNSUPPORTED_PROTOCOL):
        fetch(elsewhere.url, follow_redirects=True)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n12345", 18),
        (b"220 mail.example ESMTP\r\nConnection: close\r\n\r\n", 1),
        (b"HTTP/1.1 101 Switching\r\nConnection: close\r\n\r\nhello", 8),
    ],
)
def test_what_is_no_whole_response(serve: Serve, sent: bytes, code: int) -> None:
    with fails(code):
        fetch(serve(sent).url)


@pytest.mark.parametrize("lengths", [["3, 3"], ["3,3", "3"], ["03"], ["0003, 0003"]])
def test_one_length_told_twice(serve: Serve, lengths: list[str]) -> None:
    """RFC 9110, 8.6: one may take it for that number."""
    fields = "".join(f"Content-Length: {length}\r\n" for length in lengths)
    response = fetch(serve(f"HTTP/1.1 200 OK\r\n{fields}\r\nabc".encode()).url)
    assert (response.content, response.report.length) == (b"abc", 3)


@pytest.mark.parametrize("length", [b"9" * 20, b"9" * 5000, b"%d" % 2**63])
def test_a_length_that_nobody_can_count_to(serve: Serve, length: bytes) -> None:
    """What has come isn't said to be all."""
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\nConnection: close\r\n\r\nabc" % length
    with pytest.raises(pycurl.error, match=r"\((8|18|56|63),"):
        fetch(serve(sent).url)


FLOOD = 3_000


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 100 Continue\r\nX: %b\r\n\r\n" % (b"x" * 1000) * FLOOD,
        b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"x" * 1000) * FLOOD + b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + b"X: %b\r\n" % (b"x" * 1000) * FLOOD,
    ],
    ids=["interim", "fields", "trailers"],
)
def test_a_flood_of_heads_has_an_end(serve: Serve, sent: bytes) -> None:
    with pytest.raises(pycurl.error, match=r"\((56|100),"):
        fetch(serve(sent).url)
