"""A body is counted as it comes, whatever frames it and however it is read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mphttp import Report
from mphttp.requests import report

from .conftest import Serve
from .servers import answer, chunked, until_closed

BODY = bytes(range(256)) * 1000

Way = Callable[[requests.Response], bytes]


def told(response: requests.Response) -> Report:
    found = report(response)
    assert found is not None
    found.wait()
    return found


def by_readinto(response: requests.Response) -> bytes:
    read, buffer = b"", bytearray(7000)
    while count := response.raw.readinto(buffer):
        read += buffer[:count]
    return read


def by_read1(response: requests.Response) -> bytes:
    return b"".join(iter(lambda: response.raw.read1(9000), b""))


WAYS: dict[str, Way] = {
    "content": lambda response: response.content,
    "iter_content": lambda response: b"".join(response.iter_content(777)),
    "read": lambda response: response.raw.read(),
    "read amount": lambda response: b"".join(iter(lambda: response.raw.read(5000), b"")),
    "read1": by_read1,
    "readinto": by_readinto,
    "stream": lambda response: b"".join(response.raw.stream(2**16)),
    "buffered": lambda response: io.BufferedReader(response.raw).read(),
    "data": lambda response: response.raw.data,
}

FRAMES = {
    "length": (answer(BODY), len(BODY)),
    "chunked": (chunked(*(BODY[at : at + 3000] for at in range(0, len(BODY), 3000))), None),
    "one chunk": (chunked(BODY, trailers=b"Checksum: 5\r\nOther: 7\r\n"), None),
    "until closed": (until_closed(BODY), None),
    "closed after length": (answer(BODY, "Connection: close"), len(BODY)),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("sent", "length"), FRAMES.values(), ids=FRAMES)
def test_every_way_to_read_counts_the_body(
    session: requests.Session, serve: Serve, sent: bytes, length: int | None, way: Way
) -> None:
    with session.get(serve(sent).url, stream=True) as response:
        assert way(response) == BODY
        assert (told(response).bytes, told(response).length) == (len(BODY), length)
    assert told(response).bytes == len(BODY)


def test_chunks_as_they_were_sent(session: requests.Session, serve: Serve) -> None:
    """urllib3's `read_chunked` reads below http.client."""
    chunks = [b"a", b"bc" * 40_000, b"def"]
    with session.get(serve(chunked(*chunks)).url, stream=True) as response:
        counted = []
        for expected, chunk in zip(chunks, response.raw.read_chunked(), strict=True):
            assert chunk == expected
            counted.append(told(response).bytes)
    assert counted[0] >= 1
    assert counted[-1] == sum(map(len, chunks))


@pytest.mark.parametrize(
    ("method", "sent"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", answer(b"")),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"")),
    ],
)
def test_what_has_no_body_has_the_length_0(
    session: requests.Session, serve: Serve, method: str, sent: bytes
) -> None:
    """Whatever its head says (RFC 9112, 6.3)."""
    server = serve(sent)
    for _ in range(2):
        response = session.request(method, server.url)
        assert response.content == b""
        assert (told(response).length, told(response).bytes) == (0, 0)
    assert server.connections == 1


@pytest.mark.parametrize("framed", [answer, until_closed])
def test_a_compressed_body_counts_compressed(
    session: requests.Session, serve: Serve, framed: Callable[[bytes], bytes]
) -> None:
    """It is what the network carried."""
    packed = gzip.compress(BODY)
    sent = framed(packed).replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1)
    response = session.get(serve(sent).url)
    assert response.content == BODY
    assert told(response).bytes == len(packed)


SHORT = [
    answer(BODY).removesuffix(BODY[-100:]),
    chunked(BODY)[:1000],
    chunked(BODY).removesuffix(b"0\r\n\r\n"),
    chunked(BODY).replace(b"\r\n0\r\n", b"\r\nzero\r\n"),
]


@pytest.mark.parametrize("sent", SHORT)
def test_a_body_that_ends_too_early_is_requests_own_error(
    session: requests.Session, serve: Serve, sent: bytes
) -> None:
    server = serve(sent.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    response = session.get(server.url, stream=True)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        response.content  # noqa: B018  reading it is what fails
    assert 0 < told(response).bytes <= len(BODY)
    assert told(response).seconds == told(response).seconds  # time stands still: it has ended


@pytest.mark.slow
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(1, 200_000), max_size=6),
    framed=st.sampled_from([answer, chunked, until_closed]),
    amounts=st.lists(st.integers(1, 150_000), min_size=1, max_size=5),
)
def test_the_count_never_falls_and_never_lags(
    session: requests.Session, serve: Serve, sizes: list[int], framed: Any, amounts: list[int]
) -> None:
    """Of what was handed out, all is counted; of what frames it, nothing."""
    chunks = [bytes([index]) * size for index, size in enumerate(sizes)]
    sent = chunked(*chunks) if framed is chunked else framed(b"".join(chunks))
    total = sum(sizes)
    with session.get(serve(sent).url, stream=True) as response:
        read, counted = 0, 0
        for index in range(10**6):
            data = response.raw.read(amounts[index % len(amounts)])
            read += len(data)
            assert max(counted, read) <= told(response).bytes <= total
            counted = told(response).bytes
            if not data:
                break
    assert read == counted == total
