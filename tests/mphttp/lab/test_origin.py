"""The origin server, over loopback and without a lab."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from mphttp.lab.content import blocks
from mphttp.lab.origin import Origin, Status

SIZE = 200_000


def serve(context: ssl.SSLContext | None = None) -> Iterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    with Origin(listener, Status(), context) as origin:
        thread = threading.Thread(target=origin.serve_forever, args=(0.01,))
        thread.start()
        yield address
        origin.shutdown()
        thread.join()


@pytest.fixture
def origin() -> Iterator[tuple[str, int]]:
    yield from serve()


@pytest.fixture
def client(origin: tuple[str, int]) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection(*origin, timeout=10)) as connection:
        yield connection


def get(
    client: http.client.HTTPConnection, path: str, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    client.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    response = client.getresponse()
    return response, response.read()


@pytest.mark.parametrize("size", [0, 1, SIZE])
def test_bytes_has_length_tag_and_digest(client: http.client.HTTPConnection, size: int) -> None:
    response, body = get(client, f"/bytes/{size}")
    assert response.status == 200
    assert body == b"".join(blocks(size))
    assert response.headers["Content-Length"] == str(size)
    assert not response.headers["ETag"].startswith("W/")
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"


def test_head_says_the_same_without_the_body(client: http.client.HTTPConnection) -> None:
    client.request("HEAD", f"/bytes/{SIZE}")
    head = client.getresponse()
    assert head.read() == b""
    response, _ = get(client, f"/bytes/{SIZE}")
    assert {*head.headers.items()} - {("Date", head.headers["Date"])} <= {*response.headers.items()}


def test_a_huge_body_is_offered_at_once(client: http.client.HTTPConnection) -> None:
    client.request("HEAD", f"/bytes/{2**40}")
    response = client.getresponse()
    assert response.headers["Content-Length"] == str(2**40)
    assert "Repr-Digest" not in response.headers


def test_a_range_is_a_part_with_the_digest_of_the_whole(
    client: http.client.HTTPConnection,
) -> None:
    whole, body = get(client, f"/bytes/{SIZE}")
    response, part = get(client, f"/bytes/{SIZE}", Range="bytes=70000-140000")
    assert response.status == 206
    assert response.headers["Content-Range"] == f"bytes 70000-140000/{SIZE}"
    assert part == body[70_000:140_001]
    assert response.headers["Repr-Digest"] == whole.headers["Repr-Digest"]


def test_a_range_beyond_the_end_is_416(client: http.client.HTTPConnection) -> None:
    response, _ = get(client, f"/bytes/{SIZE}", Range=f"bytes={SIZE}-")
    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"


def test_if_range_gives_the_part_only_of_the_same_content(
    client: http.client.HTTPConnection,
) -> None:
    response, _ = get(client, f"/bytes/{SIZE}")
    tag = response.headers["ETag"]
    response, _ = get(client, f"/bytes/{SIZE}", Range="bytes=0-9", If_Range=tag)
    assert response.status == 206
    response, _ = get(client, f"/bytes/{SIZE + 1}", Range="bytes=0-9", If_Range=tag)
    assert response.status == 200


def test_chunked_has_the_same_bytes_and_no_length(client: http.client.HTTPConnection) -> None:
    response, body = get(client, f"/chunked/{SIZE}")
    assert "Content-Length" not in response.headers
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert body == b"".join(blocks(SIZE))


def test_chunked_for_http_1_0_ends_with_the_connection(origin: tuple[str, int]) -> None:
    with socket.create_connection(origin) as sock, sock.makefile("rb") as stream:
        sock.sendall(b"GET /chunked/1000 HTTP/1.0\r\n\r\n")
        assert stream.read().partition(b"\r\n\r\n")[2] == b"".join(blocks(1000))


def test_slow_has_the_same_bytes(client: http.client.HTTPConnection) -> None:
    _, body = get(client, f"/slow/{SIZE}?rate=10000000")
    assert body == b"".join(blocks(SIZE))


@pytest.mark.parametrize("at", [0, 1, 150_000])
def test_abort_resets_after_exactly_so_many_bytes(origin: tuple[str, int], at: int) -> None:
    with socket.create_connection(origin, timeout=10) as sock:
        sock.sendall(b"GET /abort/%d?at=%d HTTP/1.1\r\nHost: a\r\n\r\n" % (SIZE, at))
        received = bytearray()
        with pytest.raises(ConnectionResetError):
            read_into(received, sock)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % SIZE in head
    assert body == b"".join(blocks(SIZE, 0, at))


def read_into(received: bytearray, sock: socket.socket) -> None:
    while data := sock.recv(65536):
        received += data


def test_echo_hashes_a_body_with_a_length(client: http.client.HTTPConnection) -> None:
    client.request("POST", "/echo", body=b"a" * SIZE)
    assert client.getresponse().read().decode() == hashlib.sha256(b"a" * SIZE).hexdigest()


def test_echo_hashes_a_body_in_chunks(client: http.client.HTTPConnection) -> None:
    client.request("POST", "/echo", body=iter([b"ab", b"c" * 1000]), encode_chunked=True)
    response = client.getresponse()
    assert response.read().decode() == hashlib.sha256(b"ab" + b"c" * 1000).hexdigest()


def test_status_counts_connections_and_requests(
    client: http.client.HTTPConnection, origin: tuple[str, int]
) -> None:
    get(client, "/bytes/1")
    with closing(http.client.HTTPConnection(*origin, timeout=10)) as other:
        _, body = get(other, "/status")
    assert json.loads(body) == {"connections": 2, "requests": 2}


@pytest.mark.parametrize("path", ["/", "/bytes", "/bytes/", "/status/1", "/echo", "/nothing/1"])
def test_what_isn_t_there_is_404(client: http.client.HTTPConnection, path: str) -> None:
    assert get(client, path)[0].status == 404


@pytest.mark.parametrize("path", ["/bytes/x", "/bytes/-1", f"/bytes/{2**40 + 1}", "/slow/9?rate=x"])
def test_what_is_no_size_is_400(client: http.client.HTTPConnection, path: str) -> None:
    assert get(client, path)[0].status == 400


def test_a_client_that_never_shakes_hands_delays_nobody(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    for address in serve(context):
        with socket.create_connection(address):
            connection = http.client.HTTPSConnection(*address, context=trusting, timeout=10)
            with closing(connection):
                assert get(connection, f"/bytes/{SIZE}")[1] == b"".join(blocks(SIZE))
