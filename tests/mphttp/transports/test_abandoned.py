"""What becomes of a request that is given up, or of a response in its middle: every door."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest
import requests

from mphttp.curl import CurlTransport
from mphttp.requests import MultipathAdapter
from tests.mphttp.requests.servers import Service

from .doors import DOORS, UNFINISHED

SIZE = 400_000
"""More than one end takes in unread, less than both ends' kernels."""
OK = b"HTTP/1.1 200 OK\r\n"
CLIENTS = [*DOORS, "requests", "curl"]


class Late:
    """Reads nothing until the client has gone, then all there is."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        self.done = threading.Event()
        self.came = bytearray()

    def talk(self, sock: socket.socket) -> None:
        self.gone.wait(20)
        try:
            while part := sock.recv(65536):
                self.came += part
        finally:
            self.done.set()


def give_up(name: str, url: str) -> None:
    """Send a request, and wait for no answer."""
    if name == "requests":
        with requests.Session() as session:
            session.mount("http://", MultipathAdapter())
            with pytest.raises(requests.exceptions.ReadTimeout):
                session.post(url, data=bytes(SIZE), timeout=(20, 0.2))
        return
    if name == "curl":  # which doesn't know when the kernel has taken all
        patience = httpx.Timeout(20, read=0.2, write=0.5)
        client = httpx.Client(transport=CurlTransport(), timeout=patience)
        with client, pytest.raises(httpx.TimeoutException):
            client.post(url, content=bytes(SIZE))
        return
    library = DOORS[name].library
    patience = library.Timeout(20, read=0.2)
    with DOORS[name].client() as door, pytest.raises(library.ReadTimeout):
        door.request("POST", url, content=bytes(SIZE), timeout=patience)


@pytest.mark.slow
@pytest.mark.parametrize("multipath", [True, False], ids=["MPTCP", "TCP"])
@pytest.mark.parametrize("name", CLIENTS)
def test_what_the_kernel_has_taken_arrives(name: str, multipath: bool) -> None:
    """A caller who gives up waiting for the answer doesn't take the request back."""
    late = Late()
    service = Service(late.talk, multipath=multipath)
    try:
        give_up(name, f"http://127.0.0.1:{service.port}/")
        late.gone.set()
        assert late.done.wait(20)
    finally:
        service.close()
    assert len(late.came.partition(b"\r\n\r\n")[2]) == SIZE


@pytest.mark.filterwarnings(UNFINISHED)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_response_that_is_dropped_ends_its_connection_as_any_other_does(name: str) -> None:
    """Over TCP, where nothing is unread: with FIN, which no server takes for an error."""
    ends: list[object] = []

    def talk(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(OK + b"Content-Length: 1000\r\n\r\nthe beginning")
        try:
            ends.append(sock.recv(65536))
        except OSError as error:
            ends.append(error)

    service = Service(talk, multipath=False)
    url = f"http://127.0.0.1:{service.port}/"
    try:
        if name == "requests":
            with requests.Session() as session:
                session.mount("http://", MultipathAdapter())
                with session.get(url, stream=True, timeout=20) as response:
                    assert response.raw.read(13) == b"the beginning"
        elif name == "curl":
            library = DOORS["httpx"].library
            with (
                library.Client(transport=CurlTransport()) as client,
                client.stream("GET", url) as got,
            ):
                assert next(got.iter_raw()) == b"the beginning"
        else:
            with DOORS[name].client() as client, client.stream(url) as answer:
                assert next(answer.parts()) == b"the beginning"
    finally:
        service.close()
    assert ends == [b""]
