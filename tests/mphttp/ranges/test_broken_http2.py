"""A first response by HTTP/2 whose stream or connection breaks off: others bring the rest."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest

from mphttp.strategies import DelayedByContentLength
from tests.mphttp.transports.doors import DOORS

from .origins import BODY, QUARTER, SIZE, TAG, Origin

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

H2 = h2.connection.H2Connection
Fault = Callable[[H2, int, socket.socket], None]


class _Origin(Origin):
    """Speaks HTTP/2 with who begins so: a quarter of the body, and then the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError):
            if sock.recv(3, socket.MSG_PEEK) != b"PRI":
                super()._serve(sock, number)
                return
            with sock:
                self._serve_http2(sock)

    def _serve_http2(self, sock: socket.socket) -> None:
        config = h2.config.H2Configuration(client_side=False)
        connection, left, stream = H2(config), BODY[:QUARTER], 0
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    stream = event.stream_id
                    fields = {":status": "200", "etag": TAG, "accept-ranges": "bytes"}
                    fields["content-length"] = str(SIZE)
                    connection.send_headers(stream, list(fields.items()))
            while stream and left and (room := connection.local_flow_control_window(stream)):
                piece, left = left[: min(room, 16384)], left[min(room, 16384) :]
                connection.send_data(stream, piece)
            sock.sendall(connection.data_to_send())
            if stream and not left:
                self._fault(connection, stream, sock)
                stream = 0
                sock.sendall(connection.data_to_send())


def reset_stream(connection: H2, stream: int, sock: socket.socket) -> None:
    connection.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)


def end_stream(connection: H2, stream: int, sock: socket.socket) -> None:
    connection.config.validate_outbound_headers = False
    connection.end_stream(stream)


def goodbye(connection: H2, stream: int, sock: socket.socket) -> None:
    connection.close_connection(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
    sock.sendall(connection.data_to_send())
    sock.shutdown(socket.SHUT_RDWR)


def hang_up(connection: H2, stream: int, sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def nonsense(connection: H2, stream: int, sock: socket.socket) -> None:
    sock.sendall(b"\xff" * 100)


FAULTS = [reset_stream, end_stream, goodbye, hang_up, nonsense]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("door", ["httpx", "httpx-asyncio", "httpx-trio"])
def test_another_connection_brings_the_rest(door: str, fault: Fault) -> None:
    strategy = DelayedByContentLength(2**40)
    settings = {"strategy": strategy, "multipath": "ranges", "http1": False, "http2": True}
    with (
        _Origin(fault) as origin,
        DOORS[door].client(**settings) as client,
        client.stream(origin.url) as answer,
    ):
        assert answer.read() == BODY
        report = answer.report
    assert report.mechanism == "ranges"
    assert len(report.subflows) == 2
