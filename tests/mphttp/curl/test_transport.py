"""`CurlTransport`, httpx and httpx2 over libcurl, on the loopback interface."""

from __future__ import annotations

import gzip
import hashlib
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pycurl
import pytest

import mphttp.curl.httpx2
from mphttp import SinglePath
from tests.mphttp.requests.conftest import Serve, Start
from tests.mphttp.requests.servers import answer, chunked, until_closed

from .test_requests_sent import Echo, echo  # noqa: F401  a fixture

BODY = bytes(range(256)) * 4000
LARGE = 64_000_000


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def library(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


def client(library: ModuleType, **options: Any) -> Any:
    doors = {httpx: mphttp.curl, httpx2: mphttp.curl.httpx2}
    return library.Client(transport=doors[library].CurlTransport(**options), timeout=20)


@pytest.mark.parametrize("sent", [answer(BODY), chunked(BODY), until_closed(BODY)])
def test_a_response_comes(library: ModuleType, serve: Serve, sent: bytes) -> None:
    with client(library) as http:
        response = http.get(serve(sent).url)
    report = response.extensions["multipath"]
    assert (response.status_code, response.content) == (200, BODY)
    assert (response.http_version, response.reason_phrase) == ("HTTP/1.1", "OK")
    assert (report.bytes, report.protocol) == (len(BODY), "mptcp")


def test_httpx_decodes(library: ModuleType, serve: Serve) -> None:
    packed = gzip.compress(BODY)
    with client(library) as http:
        response = http.get(serve(answer(packed, "Content-Encoding: gzip")).url)
    assert response.content == BODY
    assert response.extensions["multipath"].bytes == len(packed)


def test_httpx_follows_redirects(library: ModuleType, serve: Serve) -> None:
    last = serve(answer(BODY))
    first = serve(answer(b"elsewhere", f"Location: {last.url}", status="302 Found"))
    with client(library) as http:
        assert http.get(first.url).status_code == 302
        response = http.get(first.url, follow_redirects=True)
    assert response.content == BODY
    assert [r.extensions["multipath"].url for r in (*response.history, response)] == [
        first.url,
        last.url,
    ]


def test_a_request_s_target_is_httpx_s(library: ModuleType, serve: Serve) -> None:
    """Nothing of it is changed on the way; a user's name is no part of it."""
    server = serve(answer())
    with client(library) as http:
        http.get(server.url.replace("//", "//me:secret@") + "a//b%20c;?d=e%2Ff&g")
    assert server.heads[0].startswith(b"GET /a//b%20c;?d=e%2Ff&g HTTP/1.1\r\n")
    assert b"Authorization: Basic bWU6c2VjcmV0" in server.heads[0]
    assert b"User-Agent: python-httpx" in server.heads[0]


def test_bodies_are_sent(library: ModuleType, echo: tuple[str, Echo]) -> None:  # noqa: F811  the fixture
    """As httpx frames them: by their length, or in chunks."""
    url, taken = echo

    def pieces() -> Iterator[bytes]:
        yield from (BODY, b"", BODY)

    with client(library) as http:
        http.post(url, content=BODY)
        http.put(url, content=pieces())
        http.post(url, data={"name": "value"})
        http.post(url, files={"file": BODY})
        http.post(url)
        http.request("DELETE", url)
    assert taken.bodies[:3] == [BODY, BODY * 2, b"name=value"]
    assert BODY in taken.bodies[3]
    assert taken.bodies[4:] == [b"", b""]
    framed = [b"content-length" in head.lower() for head in taken.heads]
    assert framed == [True, False, True, True, True, False]


def test_what_a_body_raises_reaches_the_caller(library: ModuleType, serve: Serve) -> None:
    def pieces() -> Iterator[bytes]:
        yield BODY
        raise LookupError("no more")

    with client(library) as http, pytest.raises(LookupError, match="no more"):
        http.post(serve(answer()).url, content=pieces())


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n12345", "Protocol"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nx", "Read"),
        (b"220 mail.example ESMTP\r\nConnection: close\r\n\r\n", "Protocol"),
        (b"HTTP/1.1 101 Switching\r\nConnection: close\r\n\r\nhello", "Protocol"),
    ],
)
def test_what_is_no_whole_response(
    library: ModuleType, serve: Serve, sent: bytes, error: str
) -> None:
    kind = library.RemoteProtocolError if error == "Protocol" else library.ReadError
    with client(library) as http, pytest.raises(kind) as raised:
        http.get(serve(sent).url)
    assert raised.value.request.method == "GET"


def test_a_body_that_is_too_short_comes_as_far_as_it_goes(
    library: ModuleType, serve: Serve
) -> None:
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n12345"
    with client(library) as http, http.stream("GET", serve(sent).url) as response:
        parts = response.iter_raw()
        assert next(parts) == b"12345"
        with pytest.raises(library.RemoteProtocolError):
            next(parts)


def test_nobody_listens(library: ModuleType) -> None:
    with socket.socket() as sock, client(library) as http:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(library.ConnectError):
            http.get(f"http://127.0.0.1:{sock.getsockname()[1]}/")


def test_nobody_answers(library: ModuleType) -> None:
    """The kernel takes the connection, and no server does."""
    with socket.create_server(("127.0.0.1", 0)) as server, client(library) as http:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(library.ReadTimeout):
            http.get(url, timeout=library.Timeout(20, read=0.1))
        with pytest.raises(library.WriteTimeout):
            http.post(url, content=bytes(LARGE), timeout=library.Timeout(20, write=0.1))


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("content", [b"", b"x" * 40_000, [b"x" * 40_000], [b"x"] * 3])
def test_nobody_answers_an_upload_that_was_taken(
    library: ModuleType, method: str, content: bytes | list[bytes]
) -> None:
    """Then it is the answer that is late, of whatever kind the body was."""
    with socket.create_server(("127.0.0.1", 0)) as server, client(library) as http:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        sent = content if isinstance(content, bytes) else iter(content)
        with pytest.raises(library.ReadTimeout):
            http.request(method, url, content=sent, timeout=library.Timeout(20, read=0.1))


def test_a_slow_reader_does_not_time_out(library: ModuleType, serve: Serve) -> None:
    """Only what the caller waits for counts."""
    with (
        client(library) as http,
        http.stream("GET", serve(answer(BODY)).url, timeout=0.2) as response,
    ):
        parts = response.iter_raw()
        came = [next(parts)]
        with socket.socket() as quiet, socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            quiet.connect(listener.getsockname())
            quiet.settimeout(0.3)
            with pytest.raises(TimeoutError):
                quiet.recv(1)  # a wait of which the transport knows nothing
        came += parts
    assert b"".join(came) == BODY


def test_other_protocols(library: ModuleType) -> None:
    with client(library) as http, pytest.raises(library.UnsupportedProtocol):
        http.get("ftp://127.0.0.1/")


def test_a_header_that_can_t_be_sent(library: ModuleType, serve: Serve) -> None:
    server = serve(answer())
    with client(library) as http, pytest.raises(library.LocalProtocolError):
        http.get(server.url, headers={"X": "1\r\nGET /secret HTTP/1.1"})
    assert server.connections == 0


@pytest.mark.parametrize(
    "options",
    [
        {"content": b"12345", "headers": {"Transfer-Encoding": "chunked"}},
        {"content": b"12345", "headers": {"Content-Length": "3"}},
        {"content": [b"12345"], "headers": {"Content-Length": "3"}},
        {"content": [b"12345"], "headers": {"Content-Length": "7"}},
        {"content": b"12345", "headers": {"Content-Length": "+5"}},
        {"headers": {"X Y": "1"}},
    ],
)
def test_a_request_that_can_t_be(library: ModuleType, echo: tuple[str, Echo], options: Any) -> None:  # noqa: F811
    """The error is the library's own, and nobody gets such a request as a whole."""
    url, taken = echo
    if library is httpx2 and "Transfer-Encoding" in options["headers"]:
        options = {**options, "headers": {**options["headers"], "Content-Length": "5"}}
    with client(library) as http, pytest.raises(library.LocalProtocolError):
        http.post(url, **options)
    assert b"12345" not in taken.bodies


def test_a_proxy_s_header_that_can_t_be_sent(library: ModuleType, serve: Serve) -> None:
    server = serve(answer(b"no", status="403 Forbidden"))
    through = library.Proxy(server.url, headers={"X": "a\r\nY: 1"})
    with client(library, proxy=through) as http, pytest.raises(library.LocalProtocolError):
        http.get("https://example.org/")
    assert server.connections == 0


def test_a_proxy_that_was_asked_for(
    library: ModuleType, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever no_proxy says, which is about those that weren't."""
    monkeypatch.setenv("no_proxy", "*")
    server = serve(answer(BODY))
    with client(library, proxy=server.url) as http:
        assert http.get("http://example.org/").content == BODY


@pytest.mark.parametrize("raised", [KeyError("why"), pycurl.error(2, "no"), KeyboardInterrupt()])
def test_no_place_is_lost_where_nothing_can_be_made(
    library: ModuleType, serve: Serve, monkeypatch: pytest.MonkeyPatch, raised: BaseException
) -> None:
    """A handle of libcurl's, a channel for it, or whatever comes before the first byte."""
    url = serve(answer(BODY)).url

    def fail(*_: Any, **__: Any) -> None:
        raise raised

    with client(library, limits=library.Limits(max_connections=1)) as http:
        for what in ("channel.Loop", "channel.Transfer", "transfer.Deadlines"):
            with monkeypatch.context() as patch:
                patch.setattr(f"mphttp.curl.{what}", fail)
                with pytest.raises((type(raised), library.RequestError)):
                    http.get(url)
        assert http.get(url, timeout=library.Timeout(20, pool=0)).content == BODY


def test_connections_are_used_again(library: ModuleType, serve: Serve) -> None:
    one, other = serve(answer(BODY)), serve(answer(BODY))
    with client(library) as http:
        for server in (one, other, one, other):
            assert http.get(server.url).content == BODY
    assert (one.connections, other.connections) == (1, 1)


@pytest.mark.parametrize(
    "limits",
    [httpx.Limits(max_keepalive_connections=0), httpx.Limits(keepalive_expiry=0.0)],
)
def test_connections_are_not_kept(library: ModuleType, serve: Serve, limits: httpx.Limits) -> None:
    server = serve(answer(BODY))
    with client(library, limits=limits) as http:
        for _ in range(3):
            http.get(server.url)
    assert server.connections == 3


def test_as_many_connections_as_there_may_be(library: ModuleType, serve: Serve) -> None:
    url = serve(answer(BODY)).url
    with client(library, limits=library.Limits(max_connections=1)) as http:
        with http.stream("GET", url) as response:
            with pytest.raises(library.PoolTimeout):
                http.get(url, timeout=library.Timeout(5, pool=0.05))
            assert response.read() == BODY
        assert http.get(url).content == BODY


def test_nothing_is_read_for_nobody(library: ModuleType, serve: Serve) -> None:
    """Memory stays small, however large the body is."""
    with client(library) as http, http.stream("GET", serve(answer(bytes(LARGE))).url) as response:
        report = response.extensions["multipath"]
        next(response.iter_raw())
        assert report.bytes < LARGE / 8


def test_a_response_dropped_unread(library: ModuleType, serve: Serve) -> None:
    """Its connection is gone; the next response has another."""
    server = serve(answer(bytes(LARGE)), answer(BODY))
    with client(library) as http:
        with http.stream("GET", server.url) as response:
            next(response.iter_raw())
        assert http.get(server.url).content == BODY
    assert server.connections == 2


def test_a_client_closed_under_an_open_response(library: ModuleType, serve: Serve) -> None:
    http = client(library)
    request = http.build_request("GET", serve(answer(bytes(LARGE))).url)
    response = http.send(request, stream=True)
    parts = response.iter_raw()
    next(parts)
    http.close()
    with pytest.raises(library.TransportError):
        list(parts)
    response.close()


def test_threads_share_a_transport(library: ModuleType, serve: Serve) -> None:
    server = serve(answer(BODY))

    def work(_: int) -> set[bytes]:
        return {hashlib.sha256(http.get(server.url).content).digest() for _ in range(10)}

    with client(library) as http, ThreadPoolExecutor(4) as threads:
        digests = set().union(*threads.map(work, range(4)))
    assert digests == {hashlib.sha256(BODY).digest()}
    assert server.connections <= 4


def test_a_request_has_a_strategy_of_its_own(library: ModuleType, serve: Serve) -> None:
    with client(library) as http:
        response = http.get(serve(answer()).url, extensions={"strategy": SinglePath("lo")})
        with pytest.raises(ValueError, match="must be a Strategy"):
            http.get("http://127.0.0.1:1/", extensions={"strategy": "single"})
    assert response.extensions["multipath"].strategy == {"name": "single", "path": "lo"}


def test_tls(library: ModuleType, serve: Serve, context: ssl.SSLContext, authority: str) -> None:
    server = serve(answer(BODY), context=context)
    with client(library, verify=authority) as http:
        assert http.get(server.url).content == BODY
    with client(library) as http, pytest.raises(library.ConnectError, match="certificate"):
        http.get(server.url)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_proxy_s_tunnel(
    library: ModuleType,
    serve: Serve,
    *,
    proxy: Start,
    context: ssl.SSLContext,
    authority: str,
    scheme: str,
) -> None:
    server, between = serve(answer(BODY), context=context), proxy()
    through = library.Proxy(f"{scheme}://{between.address}", headers={"X-For": "the proxy"})
    with client(library, verify=authority, proxy=through) as http:
        response = http.get(server.url)
    assert response.content == BODY
    assert between.asked == [("127.0.0.1", server.port)]
    assert b"X-For" not in server.heads[0]


def test_a_password_for_the_proxy(library: ModuleType, serve: Serve, proxy: Start) -> None:
    server, between = serve(answer(BODY)), proxy(user=b"some body")
    with client(library, proxy=f"socks5://some%20body:s%40cret@{between.address}") as http:
        assert http.get(server.url).content == BODY
    with (
        client(library, proxy=f"socks5://{between.address}") as http,
        pytest.raises(library.ProxyError),
    ):
        http.get(server.url)


def test_a_tunnel_that_is_refused(library: ModuleType, serve: Serve) -> None:
    refuses = serve(answer(b"no", status="403 Forbidden"))
    with client(library, proxy=refuses.url) as http, pytest.raises(library.ProxyError, match="403"):
        http.get("https://example.org/")
