"""`fetch` and sessions on the loopback interface, without any privilege."""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pycurl
import pytest
import trustme

from mphttp import Refresh
from mphttp.curl import (
    CurlRequest,
    CurlResponse,
    CurlSession,
    CurlTransport,
    Limits,
    fetch,
    fetch_all,
)
from mphttp.curl.deadlines import Deadlines
from tests.mphttp.requests.conftest import Serve, Start
from tests.mphttp.requests.servers import Service, answer, chunked, until_closed

BODY = bytes(range(256)) * 4000


def fails(code: int, match: str | None = None) -> Any:
    """Expect libcurl's error."""
    return pytest.raises(pycurl.error, match=rf"\({code}, .*{match or ''}")


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


class Echo:
    """Takes a request and its body, and keeps both."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    def __call__(self, sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            while line := file.readline():
                head = line
                while (line := file.readline()).strip():
                    head += line
                self.heads.append(head)
                self.bodies.append(b"".join(self._body(file, head.lower())))
                sock.sendall(self._answer())

    def _answer(self) -> bytes:
        return answer(b"ok")

    @staticmethod
    def _body(file: Any, head: bytes) -> Iterator[bytes]:
        if b"transfer-encoding: chunked" in head:
            while size := int(file.readline(), 16):
                yield file.read(size)
                file.readline()
            file.readline()
            return
        _, found, rest = head.partition(b"content-length: ")
        yield file.read(int(rest.split()[0]) if found else 0)


@pytest.fixture
def echo() -> Iterator[tuple[str, Echo]]:
    taken = Echo()
    service = Service(taken)
    yield f"http://127.0.0.1:{service.port}/", taken
    service.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_a_body_is_sent(echo: tuple[str, Echo], method: str) -> None:
    """At once, in pieces of known and of unknown length; empty, too; with no word of libcurl's."""
    url, taken = echo
    with CurlSession() as session:
        for content, length in ((BODY, None), (iter([BODY, b"", BODY]), None), (b"", None)):
            session.fetch(url, method=method, content=content, content_length=length)
        pieces = iter([BODY, BODY])
        session.fetch(url, method=method, content=pieces, content_length=2 * len(BODY))
    assert taken.bodies == [BODY, BODY * 2, b"", BODY * 2]
    assert [b"chunked" in head for head in taken.heads] == [False, True, False, False]
    for head in taken.heads:
        assert head.startswith(method.encode() + b" / HTTP/1.1\r\n")
        for word in (b"expect", b"content-type", b"accept", b"user-agent"):
            assert word not in head.lower()


def test_a_method_without_a_body(echo: tuple[str, Echo]) -> None:
    url, taken = echo
    with CurlSession() as session:
        for method in ("GET", "POST", "DELETE", "M-SEARCH"):
            assert session.fetch(url, method=method).content == b"ok"
    assert [head.split()[0] for head in taken.heads] == [b"GET", b"POST", b"DELETE", b"M-SEARCH"]
    assert taken.bodies == [b"", b"", b"", b""]


def test_headers_are_sent_as_they_are(serve: Serve) -> None:
    server = serve(answer())
    fetch(
        server.url, headers=[("X-Twice", "1"), ("X-Twice", "2"), ("X-Empty", ""), ("Accept", "a")]
    )
    lines = server.heads[0].split(b"\r\n")
    assert [line for line in lines if line.startswith((b"X-", b"Accept"))] == [
        b"X-Twice: 1",
        b"X-Twice: 2",
        b"X-Empty:",
        b"Accept: a",
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X": "1\r\nY: 2"}},
        {"headers": {"X\n": "1"}},
        {"headers": {"X": "1\0"}},
        {"headers": {"X: 1\r\nY": "2"}},
        {"headers": {"X Y": "1"}},
        {"headers": {"": "1"}},
        {"proxy": "http://127.0.0.1:1", "proxy_headers": [("X", "1\r\nY: 2")]},
        {"proxy": "http://127.0.0.1:1", "proxy_headers": [("X\nY", "2")]},
        {"content": b"12345", "headers": {"Content-Length": "3"}},
        {"content": b"12345", "headers": {"Transfer-Encoding": "chunked"}},
        {"content": b"12345", "content_length": 3},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"content": iter([b"1"]), "headers": {"Transfer-Encoding": "gzip"}},
        {"method": "GET / HTTP/1.1\r\nX: 1"},
        {"strategy": "refresh"},
        {"stepping": "thread"},
        {"verify": ssl.create_default_context()},
        {"verify": 1},
    ],
)
def test_what_can_t_be_is_refused(serve: Serve, options: dict[str, Any]) -> None:
    """Before anything is sent."""
    server = serve(answer())
    with pytest.raises(
        ValueError, match=r"line break|one word|Strategy|stepping|verify|length|bytes"
    ):
        fetch(server.url, **options)
    assert server.connections == 0


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


@pytest.mark.parametrize(
    ("pieces", "words"),
    [([b"123", b"456"], "more bytes than the 5"), ([b"12345", b"6"], "more"), ([b"12"], "3 bytes")],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_as_long_as_was_said(
    echo: tuple[str, Echo], method: str, pieces: list[bytes], words: str
) -> None:
    """Or no request has it: the server must not take a part of it for the whole."""
    url, taken = echo
    with pytest.raises(ValueError, match=words):
        fetch(url, method=method, content=iter(pieces), content_length=5)
    assert b"12345" not in taken.bodies


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


@pytest.mark.parametrize("follow", [False, True])
def test_names_beyond_ascii(serve: Serve, follow: bool) -> None:
    """IDNA's, though libcurl itself may not know it; .localhost is loopback (RFC 6761)."""
    server = serve(answer(BODY))
    url = f"http://b\xfccher.localhost:{server.port}/\xfc"
    first = serve(answer(b"", "Location: /", status="302 Found"))
    first._answers = (answer(b"", f"Location: {url}", status="302 Found"),)
    assert fetch(first.url if follow else url, follow_redirects=True).content == BODY
    assert server.heads[0].startswith(b"GET /%C3%BC HTTP/1.1\r\n")
    assert f"Host: xn--bcher-kva.localhost:{server.port}\r\n".encode() in server.heads[0]


def test_limits() -> None:
    """The kernel takes the connection, and no server does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        for limits in (Limits(total=0.1), Limits(silence=1)):
            with fails(pycurl.E_OPERATION_TIMEDOUT):
                fetch(url, limits=limits)


def test_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with fails(pycurl.E_COULDNT_CONNECT):
            fetch(f"http://127.0.0.1:{sock.getsockname()[1]}/")


def test_a_connection_is_used_again(serve: Serve) -> None:
    """As long as the server lets it live; each report begins anew."""
    server = serve(answer(BODY), chunked(BODY), answer(b"", "Connection: close"), answer(b"1"))
    with CurlSession() as session:
        responses = [session.fetch(server.url) for _ in range(4)]
    assert [response.report.bytes for response in responses] == [len(BODY), len(BODY), 0, 1]
    locals_ = [response.report.subflows[0].local for response in responses]
    assert len(set(locals_[:3])) == 1
    assert locals_[3] != locals_[2]
    assert server.connections == 2


def test_a_host_of_several_addresses(serve: Serve) -> None:
    """What libcurl tries and leaves is closed; the connection is the one that works."""
    server = serve(answer(BODY))
    response = fetch(server.url.replace("127.0.0.1", "localhost"))
    assert response.content == BODY
    assert response.report.subflows[0].remote == ("127.0.0.1", server.port)


def test_the_peer_has_no_mptcp(serve: Serve) -> None:
    report = fetch(serve(answer(BODY), multipath=False).url).report
    assert (report.protocol, report.mechanism, report.bytes) == ("tcp", "none", len(BODY))


def test_tls(serve: Serve, context: ssl.SSLContext, authority: str, tmp_path: Path) -> None:
    server = serve(answer(BODY), context=context)
    response = fetch(server.url, verify=authority)
    assert (response.content, response.report.protocol) == (BODY, "mptcp")
    assert fetch(server.url, verify=False).content == BODY
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    with fails(pycurl.E_PEER_FAILED_VERIFICATION):
        fetch(server.url, verify=stranger)
    assert len(server.heads) == 2


@pytest.mark.parametrize("notified", [True, False])
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_a_body_that_ends_with_tls(
    context: ssl.SSLContext, authority: str, version: bytes, notified: bool
) -> None:
    """Is whole only if the server says in TLS that it ends (RFC 9112, 9.8)."""

    def cut(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            wrapped.recv(65536)
            wrapped.sendall(version + b" 200 OK\r\n\r\n12345")
            if notified:
                wrapped.unwrap()
            else:
                socket.socket.shutdown(wrapped, socket.SHUT_RDWR)

    service = Service(cut)
    url = f"https://127.0.0.1:{service.port}/"
    with closing(service), httpx.Client(transport=CurlTransport(verify=authority)) as http:
        if notified:
            assert fetch(url, verify=authority).content == http.get(url).content == b"12345"
            return
        with fails(pycurl.E_RECV_ERROR, "eof"):
            fetch(url, verify=authority)
        with pytest.raises(httpx.ReadError):
            http.get(url)


def test_all_attempts_to_connect_share_one_limit() -> None:
    """On whichever paths they are, and the whole has its own."""
    assert not Deadlines(Limits(connect=0)).over
    assert not Deadlines(Limits(connect=0)).connectable
    assert Deadlines(Limits(connect=60)).connectable
    assert Deadlines(Limits(connect=None)).connectable
    assert Deadlines(Limits(total=-1)).over
    assert not Deadlines(Limits(total=-1)).connectable
    assert Deadlines(Limits(silence=1)).overdue(time.monotonic() - 1)


def test_a_client_certificate(
    serve: Serve, context: ssl.SSLContext, issuer: trustme.CA, authority: str, tmp_path: Path
) -> None:
    context.verify_mode = ssl.CERT_REQUIRED
    issuer.configure_trust(context)
    server = serve(answer(BODY), context=context)
    both, key = tmp_path / "both.pem", tmp_path / "key.pem"
    mine = issuer.issue_cert("client@example.org")
    mine.private_key_and_cert_chain_pem.write_to_path(str(both))
    mine.private_key_pem.write_to_path(str(key))
    for cert in (str(both), (str(both), str(key))):
        assert fetch(server.url, verify=authority, cert=cert).content == BODY
    with pytest.raises(pycurl.error):
        fetch(server.url, verify=authority)


def test_a_reset_before_the_request(context: ssl.SSLContext, authority: str) -> None:
    """It is libcurl's to say what happened, whether or not the engine has seen the connection."""

    def reset(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            wrapped.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    service = Service(reset)
    with closing(service), CurlSession(verify=authority) as session:
        for _ in range(20):
            with pytest.raises(pycurl.error):
                session.fetch(f"https://127.0.0.1:{service.port}/")


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_proxy_s_tunnel(
    serve: Serve,
    proxy: Start,
    context: ssl.SSLContext,
    authority: str,
    scheme: str,
) -> None:
    """The MPTCP connection is the one to the proxy; its answer is no part of the response."""
    server, between = serve(answer(BODY), context=context), proxy()
    with CurlSession(verify=authority, proxy=f"{scheme}://{between.address}") as session:
        for _ in range(2):
            response = session.fetch(server.url)
            assert (response.status, response.content) == (200, BODY)
            report = response.report
            assert (report.protocol, report.bytes) == ("mptcp", len(BODY))
            assert report.subflows[0].remote == ("127.0.0.1", between.port)
    assert between.asked == [("127.0.0.1", server.port)]


def test_a_proxy_that_forwards(serve: Serve) -> None:
    server = serve(answer(BODY))
    assert fetch("http://example.org/file", proxy=server.url).content == BODY
    assert server.heads[0].startswith(b"GET http://example.org/file HTTP/1.1")


@pytest.mark.parametrize("exempt", ["*", "example.org", "127.0.0.1"])
def test_a_proxy_that_was_asked_for(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    """Whatever the environment has for those that weren't."""
    monkeypatch.setenv("no_proxy", exempt)
    monkeypatch.setenv("NO_PROXY", exempt)
    server = serve(answer(BODY))
    for url in ("http://example.org/", "http://127.0.0.1:1/"):
        assert fetch(url, proxy=server.url).content == BODY


def test_no_proxy_of_the_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetch(serve(answer(BODY)).url).content == BODY


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
