"""How `fetch` connects: limits, TLS, proxies, and connections that are kept."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from contextlib import closing
from pathlib import Path

import httpx
import pycurl
import pytest
import trustme

from mphttp.curl import (
    CurlSession,
    CurlTransport,
    Limits,
    fetch,
)
from mphttp.curl.deadlines import Deadlines
from tests.mphttp.requests.conftest import Serve, Start
from tests.mphttp.requests.servers import Service, answer, chunked

from .expected import BODY, fails


@pytest.mark.slow
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


def test_this_host(serve: Serve) -> None:
    """The kernel connects to the loopback address; libcurl tells what it was asked for."""
    for host in ("0.0.0.0", "0"):
        response = fetch(f"http://{host}:{serve(answer(BODY)).port}/")
        assert response.content == BODY
        assert response.report.subflows[0].remote.host == "127.0.0.1"


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
