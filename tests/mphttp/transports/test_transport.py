"""The transports for httpx and httpx2 on the loopback interface, without any privilege."""

from __future__ import annotations

import gzip
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from mphttp import FullMesh

from .conftest import Serve, answer_all
from .doors import Door

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("head", "length", "body"),
    [
        (b"200 OK\r\nContent-Length: 5", 5, b"12345"),
        (b"200 OK\r\nContent-Length: 0", 0, b""),
        (b"204 No Content", 0, b""),
        (b"304 Not Modified\r\nContent-Length: 5", 0, b""),
        (b"200 OK\r\nTransfer-Encoding: chunked", None, b"12345"),
        (b"200 OK", None, b"12345"),
    ],
    ids=["length", "empty", "204", "304", "chunked", "until closed"],
)
def test_the_length_is_what_the_head_promises(
    door: Door, serve: Serve, head: bytes, length: int | None, body: bytes
) -> None:
    """A response without a body has the length 0, whatever its head says (RFC 9112, 6.3)."""
    sent = b"5\r\n12345\r\n0\r\n\r\n" if b"chunked" in head else body
    with door.client() as client:
        response = client.get(serve(b"HTTP/1.1 " + head + b"\r\n\r\n" + sent))
    report = response.extensions["multipath"]
    assert response.content == body
    assert (report.length, report.bytes, report.status) == (length, len(body), response.status_code)


def test_bytes_are_counted_as_they_came(door: Door, serve: Serve) -> None:
    """A compressed body counts compressed: it is what the network carried."""
    packed = gzip.compress(b"abababababab")
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with door.client() as client:
        response = client.get(serve(head + packed))
    assert response.content == b"abababababab"
    assert response.extensions["multipath"].bytes == len(packed)


@pytest.mark.parametrize("framed", ["length", "chunked", "until closed"])
def test_what_a_library_undoes_at_once_is_no_more_than_with_its_own(
    door: Door, serve: Serve, framed: str
) -> None:
    """A piece of a coded body may become a thousand times as much; httpcore reads 64 KiB."""
    body = bytes(1 << 20)
    fields = {
        "length": b"Content-Length: 1048576\r\n\r\n" + body,
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n100000\r\n" + body + b"\r\n0\r\n\r\n",
        "until closed": b"\r\n" + body,
    }
    answer = OK + b"Content-Encoding: gzip\r\n" + fields[framed]
    with door.client() as client, client.stream(serve(answer)) as response:
        parts = list(response.parts())
    assert b"".join(parts) == body
    assert max(map(len, parts)) <= 65536


@pytest.mark.parametrize(
    "start", [b"Content-Length: 9\r\n\r\n12345", b"Transfer-Encoding: chunked\r\n\r\n9\r\n12345"]
)
def test_a_body_that_is_too_short_is_the_library_s_error(
    door: Door, serve: Serve, start: bytes
) -> None:
    with door.client() as client, client.stream(serve(OK + start)) as answer:
        with pytest.raises(door.library.RemoteProtocolError):
            answer.read()
        assert answer.report.bytes == 5


def test_no_head_is_the_library_s_error(door: Door, serve: Serve) -> None:
    with door.client() as client, pytest.raises(door.library.RemoteProtocolError, match="without"):
        client.get(serve(b""))


def test_a_head_that_is_none_is_the_library_s_error(door: Door, serve: Serve) -> None:
    with door.client() as client, pytest.raises(door.library.RemoteProtocolError):
        client.get(serve(b"220 mail.example ESMTP\r\n\r\n"))


def test_a_header_that_can_t_be_sent_is_the_library_s_error(door: Door, serve: Serve) -> None:
    """Nothing of it leaves: who put it there may have wanted to send a second request."""
    with door.client() as client, pytest.raises(door.library.LocalProtocolError):
        client.get(serve(b""), headers={"X": "1\r\nGET /secret HTTP/1.1"})


def test_a_connection_is_used_again(door: Door, serve: Serve) -> None:
    """The server takes one connection; each response's report begins anew."""
    answers = [OK + b"Content-Length: %d\r\n\r\n" % size + bytes(size) for size in (3, 0, 70_000)]
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
    address = serve(*answers, chunked, answers[0])
    with door.client() as client:
        came = [client.get(address) for _ in range(5)]
    assert [len(response.content) for response in came] == [3, 0, 70_000, 5, 3]
    assert [r.extensions["multipath"].bytes for r in came] == [3, 0, 70_000, 5, 3]


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + b"Content-Length: 2\r\n\r\nok, and more than was promised",
    ],
    ids=["close", "HTTP/1.0", "too much"],
)
def test_a_connection_is_not_used_again(door: Door, serve: Serve, answer: bytes) -> None:
    """Neither where the server says so, nor where what it sends can't be trusted any more."""
    with door.client() as client:
        assert client.get(serve(answer)).content == b"ok"
        pool = client.client._transport._pool
        assert not pool.connections


def test_a_response_dropped_unread_closes_its_connection(door: Door, serve: Serve) -> None:
    with door.client() as client:
        with client.stream(serve(OK + b"Content-Length: 1000000\r\n\r\n")) as answer:
            report = answer.report
        assert not client.client._transport._pool.connections
    assert report.bytes == 0


def test_interim_answers_are_passed_over(door: Door, serve: Serve) -> None:
    """102 and 103 come before the response (RFC 9110, section 15.2)."""
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    with door.client() as client:
        response = client.get(serve(early + OK + b"Content-Length: 2\r\n\r\nok"))
    assert (response.status_code, response.content) == (200, b"ok")


def test_a_protocol_is_switched(door: Door, serve: Serve) -> None:
    """What came behind the 101 is the new protocol's, and is read from the stream."""
    switch = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello"
    )
    with door.client() as client:
        headers = {"Connection": "upgrade", "Upgrade": "echo"}
        with client.stream(serve(switch), headers=headers) as answer:
            stream = answer.response.extensions["network_stream"]
            if client.portal is None:
                assert stream.read(100, 20) == b"hello"
            else:
                assert client.portal.call(stream.read, 100, 20) == b"hello"


def test_a_body_is_sent(door: Door) -> None:
    """All of it arrives, whether it is given at once or in parts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        came: list[bytes] = []
        thread = threading.Thread(target=lambda: came.append(take_all(listener)))
        thread.start()
        with door.client() as client:
            body = bytes(range(256)) * 1000
            client.request("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", content=body)
        thread.join()
    assert came == [body]


def take_all(listener: socket.socket) -> bytes:
    """Read one request's body and answer it."""
    sock, _ = listener.accept()
    with sock, sock.makefile("rb") as file:
        length = 0
        while line := file.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        body = file.read(length)
        sock.sendall(OK + b"Content-Length: 0\r\n\r\n")
    return body


def test_an_answer_before_the_end_of_the_request(door: Door, serve: Serve) -> None:
    """A server may refuse a body that it hasn't read, and close; what it said is what counts."""
    refused = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with door.client() as client:
        try:
            response = client.request("POST", serve(refused), content=bytes(32 << 20))
        except (door.library.ReadError, door.library.RemoteProtocolError):
            return  # the reset came before the answer could be read; TCP leaves that open
    assert response.status_code == 413


def test_steps_are_traced(door: Door, serve: Serve) -> None:
    """By httpx's extension "trace", in the words of httpcore."""
    told: list[str] = []

    def trace(name: str, info: dict[str, Any]) -> None:
        told.append(name)

    async def trace_async(name: str, info: dict[str, Any]) -> None:
        trace(name, info)

    extensions = {"trace": trace if door.backend is None else trace_async}
    with door.client() as client:
        client.get(serve(OK + b"Content-Length: 2\r\n\r\nok"), extensions=extensions)
    assert told[:2] == ["connection.connect_tcp.started", "connection.connect_tcp.complete"]
    assert told[-2:] == ["http11.response_closed.started", "http11.response_closed.complete"]
    assert {f"http11.{step}.complete" for step in STEPS} <= set(told)


STEPS = (
    "send_request_headers",
    "send_request_body",
    "receive_response_headers",
    "receive_response_body",
)


def test_nobody_listens(door: Door) -> None:
    with socket.socket() as sock, door.client() as client:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(door.library.ConnectError):
            client.get(f"http://127.0.0.1:{sock.getsockname()[1]}/")


def test_a_connection_is_tried_again(door: Door) -> None:
    """As often as `retries` says; here somebody listens when the second try is made."""
    with socket.socket() as sock, door.client(retries=2) as client:
        sock.bind(("127.0.0.1", 0))
        tries: list[str] = []

        def trace(name: str, info: dict[str, Any]) -> None:
            tries.append(name)
            if name == "connection.connect_tcp.failed":
                sock.listen()
                thread.start()

        async def trace_async(name: str, info: dict[str, Any]) -> None:
            trace(name, info)

        answer = OK + b"Content-Length: 2\r\n\r\nok"
        thread = threading.Thread(target=answer_all, args=(sock, (answer,)))
        extensions = {"trace": trace if door.backend is None else trace_async}
        address = f"http://127.0.0.1:{sock.getsockname()[1]}/"
        assert client.get(address, extensions=extensions).content == b"ok"
        thread.join()
    assert tries.count("connection.connect_tcp.started") == 2


def test_nobody_answers(door: Door) -> None:
    """The kernel takes the connection, and no server does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with door.client() as client, pytest.raises(door.library.ReadTimeout):
            client.get(address, timeout=0.1)


def test_a_unix_socket_has_one_path_and_no_report(door: Door, tmp_path: Path) -> None:
    place = str(tmp_path / "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()
    answer = OK + b"Content-Length: 2\r\n\r\nok"
    thread = threading.Thread(target=answer_all, args=(listener, (answer,)))
    thread.start()
    with door.client(uds=place, strategy=FullMesh()) as client:
        response = client.get("http://anybody/")
    thread.join()
    assert response.text == "ok"
    assert "multipath" not in response.extensions


def test_what_is_no_strategy_is_refused(door: Door) -> None:
    with pytest.raises(ValueError, match="must be a Strategy, such as Deadline"):
        door.transport(strategy="fullmesh")
