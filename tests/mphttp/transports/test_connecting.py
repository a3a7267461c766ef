"""How an origin is reached, in every door: one limit for all of it, and TLS from the first byte."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
import threading
from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from mphttp import AsyncMultipathTransport, MultipathTransport
from mphttp.kernel.values import Path, SocketAddress
from mphttp.network.dialer import Dialer
from mphttp.network.endpoint import Endpoint
from mphttp.network.errors import SystemErrors
from mphttp.network.route import Proxy, Routes
from mphttp.ranges.part_link import PartLink
from mphttp.ranges.resource import Resource
from mphttp.ranges.sharing import Sent
from tests.kernel.namespaces import Net, in_child, ip
from tests.mphttp.network.peers import (
    STAGES,
    Forger,
    Trickle,
    half_dead,
    named,
    silent_names,
)
from tests.mphttp.requests.servers import Keep, Server, Service, answer, head_of, under_tls

from .doors import DOORS, UNFINISHED, Contexts, Door


def proxy_of(door: Door, scheme: str, port: int, near: ssl.SSLContext) -> Any:
    """Return a proxy as a door takes it."""
    tls = near if scheme == "https" else None
    return door.library.Proxy(f"{scheme}://127.0.0.1:{port}", ssl_context=tls)


@pytest.mark.parametrize("after_hello", [False, True])
@pytest.mark.parametrize("scheme", ["http", "socks5", "https"])
def test_what_comes_before_tls_is_no_answer(
    door: Door, keep: Keep, contexts: Contexts, scheme: str, after_hello: bool
) -> None:
    """A proxy could speak for the server else (CVE-2011-0411, CVE-2021-22947)."""
    near, far = contexts
    server = keep(Server(answer(b"genuine"), context=far))
    forger = keep(Forger(after_hello=after_hello, context=far if scheme == "https" else None))
    options = {"proxy": proxy_of(door, scheme, forger.port, near), "verify": near}
    with door.client(**options) as client, pytest.raises(door.library.ConnectError):
        client.get(server.url)
    assert server.heads == []


@pytest.mark.parametrize("ahead", [b"", b"forged"])
def test_tls_where_the_protocol_was_switched(
    door: Door, keep: Keep, contexts: Contexts, ahead: bytes
) -> None:
    """As on httpcore's streams; what came before it isn't taken for what comes inside."""
    near, far = contexts

    def talk(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(b"HTTP/1.1 101 OK\r\nConnection: upgrade\r\nUpgrade: TLS/1.3\r\n\r\n" + ahead)
        with contextlib.suppress(OSError), under_tls(sock, far) as tls:
            tls.sendall(b"genuine")

    upgrade = {"Connection": "upgrade", "Upgrade": "TLS/1.3"}
    url = f"http://127.0.0.1:{keep(Service(talk)).port}/"
    with door.client() as client, client.stream(url, headers=upgrade) as answer:
        stream = answer.response.extensions["network_stream"]
        call = client.portal.call if client.portal else lambda function: function()
        begin = partial(stream.start_tls, near, server_hostname="127.0.0.1", timeout=20)
        if ahead:
            with pytest.raises(Exception, match="before TLS began"):
                call(begin)
        else:
            assert call(partial(call(begin).read, 100, 20)) == b"genuine"


def test_a_connection_for_parts_takes_nothing_before_tls(keep: Keep, contexts: Contexts) -> None:
    near, far = contexts
    server, forger = keep(Server(answer(), context=far)), keep(Forger(after_hello=False))
    sent = Sent(b"GET", b"https", b"127.0.0.1", server.port, b"/", [])
    resource = Resource(0, 10, 10, '"tag"', "", [])
    lo = Path("lo", socket.if_nametoindex("lo"), "127.0.0.1")
    place = SocketAddress("127.0.0.1", forger.port)
    routes = Routes(near, Proxy("http", *place))
    endpoint = Endpoint(
        Dialer(SystemErrors(), None, None, ()), routes.to(sent.scheme, sent.host, server.port)
    )
    link = PartLink(sent, lambda: endpoint, resource, lo, place)
    with pytest.raises(OSError, match="before TLS began"):
        link.connect()
    link.close()
    assert server.heads == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_one_limit_holds_for_all_of_connecting(
    door: Door, keep: Keep, contexts: Contexts, stage: tuple[str, bytes, bytes, bool]
) -> None:
    """Wherever it hangs, and though a byte comes now and then."""
    near, far = contexts
    way, begins, more, tls = stage
    peer = keep(Trickle(begins, more, context=far if tls else None))
    proxy = None if way == "direct" else proxy_of(door, way, peer.port, near)
    timeout = door.library.Timeout(30, connect=0.2)
    with (
        door.client(proxy=proxy, verify=near) as client,
        pytest.raises(door.library.ConnectTimeout),
    ):
        client.get(f"https://127.0.0.1:{peer.port}/", timeout=timeout)


def test_a_silent_name_server_is_a_time_out(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = door.library.Timeout(30, connect=0.2)
    with (
        silent_names(monkeypatch) as name,
        door.client() as client,
        pytest.raises(door.library.ConnectTimeout, match=name),
    ):
        client.get(f"http://{name}/", timeout=timeout)


@pytest.mark.slow
def test_dead_addresses_cost_a_moment_each(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a limit, the kernel alone would wait for two minutes (RFC 8305)."""
    with half_dead(monkeypatch, dead=2) as url, door.client() as client:
        assert client.get(url, timeout=None).status_code == 200


def test_many_dead_addresses_are_one_time_out(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = door.library.Timeout(30, connect=0.4)
    with (
        half_dead(monkeypatch, dead=20) as url,
        door.client() as client,
        pytest.raises(door.library.ConnectTimeout),
    ):
        client.get(url, timeout=timeout)


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_can_t_be_is_refused(door: Door, keep: Keep, port: int) -> None:
    """65536 more than a port that there is would reach it."""
    server = keep(Server(answer(b"reached")))
    port = port and port + server.port
    moved = keep(Server(answer(b"", f"Location: http://127.0.0.1:{port}/", status="302 Found")))
    wrong = rf"port {port} is outside of 1 to 65535"
    with door.client() as client:
        for url in (f"http://127.0.0.1:{port}/", moved.url):
            with pytest.raises(door.library.UnsupportedProtocol, match=wrong):
                client.get(url, follow_redirects=True)
    for scheme in ("http", "socks5"):
        with pytest.raises(ValueError, match=wrong):
            door.transport(proxy=f"{scheme}://127.0.0.1:{port}")
    assert server.heads == []


def test_a_line_break_for_a_proxy_is_refused(door: Door) -> None:
    """It would end a header, and begin another."""
    for headers in ({"X-One": "1\r\nX-Two: 2"}, {"X-One\nX-Two": "2"}):
        with pytest.raises(ValueError, match="line break"):
            door.transport(proxy=door.library.Proxy("http://127.0.0.1:1", headers=headers))
    with pytest.raises(ValueError, match="line break"):
        door.transport(proxy=door.library.Proxy("socks5://127.0.0.1:1", auth=("a\nb", "c")))


def test_a_last_dot_is_no_part_of_the_certificate_s_name(
    door: Door, keep: Keep, contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host keeps it, as curl's does; server_name may not have it (RFC 6066, section 3)."""
    near, far = contexts
    server = keep(Server(answer(b"abc"), context=far))
    asked: list[str | None] = []
    monkeypatch.setattr(far, "sni_callback", lambda _, name, __: asked.append(name))
    named(monkeypatch, {"www.example": ["127.0.0.1"]})
    with door.client(verify=near) as client:
        assert client.get(f"https://www.example.:{server.port}/").content == b"abc"
    assert asked == ["www.example"]
    assert b"Host: www.example.:%d\r\n" % server.port in server.heads[0]


def test_a_socks5_proxy_may_do_without_the_password(door: Door, keep: Keep) -> None:
    """Who has credentials offers to go without, too, as curl does (RFC 1928, section 3)."""
    server, proxy = keep(Server(answer(b"abc"))), keep(OpenSocks())
    with door.client(proxy=f"socks5://user:secret@127.0.0.1:{proxy.port}") as client:
        assert client.get(server.url).content == b"abc"
    assert proxy.offered == b"\x00\x02"


def test_a_name_that_socks5_has_no_room_for(door: Door, keep: Keep) -> None:
    proxy = keep(OpenSocks())
    name = ".".join(["a" * 60] * 5)
    with (
        door.client(proxy=f"socks5://127.0.0.1:{proxy.port}") as client,
        pytest.raises(door.library.ProxyError, match="no room for a name of 304 bytes"),
    ):
        client.get(f"http://{name}/")


class OpenSocks(Service):
    """A SOCKS5 proxy that lets everybody in.

    Attributes:
        offered: the methods that the last client offered.
    """

    def __init__(self) -> None:
        self.offered = b""
        super().__init__(self._talk)

    def _talk(self, sock: socket.socket) -> None:
        self.offered = sock.recv(2 + 255)[2:]
        sock.sendall(b"\x05\x00")
        asked = sock.recv(300)
        sock.sendall(b"\x05\x00\x00\x01" + bytes(6))
        there = socket.create_connection(("127.0.0.1", int.from_bytes(asked[-2:], "big")))
        with there:
            there.sendall(sock.recv(65536))
            sock.sendall(there.recv(65536))


@pytest.mark.filterwarnings(UNFINISHED)
@pytest.mark.parametrize("name", DOORS)
def test_an_address_of_a_link(name: str) -> None:
    """RFC 6874: its zone says where it is, and stays here."""

    def ask() -> None:
        net = Net()
        net.start()
        with net.server():
            ip("address add fe80::77/64 dev s2 nodad")
        ip("address add fe80::1/64 dev c1 nodad", "address add fe80::2/64 dev c2 nodad")
        listener = net.listen("::")
        port = listener.getsockname()[1]
        heads: list[bytes] = []

        def serve(sock: socket.socket) -> None:
            heads.append(sock.recv(65536))
            sock.sendall(answer(b"abc", "Connection: close"))

        service = Service(serve, listener=listener)
        try:
            with DOORS[name].client() as client:
                for zone in ("%25c2", "%c2"):
                    assert client.get(f"http://[fe80::77{zone}]:{port}/").content == b"abc"
        finally:
            service.close()
        assert all(b"Host: [fe80::77]:%d\r\n" % port in head for head in heads)

    in_child(ask)


def test_who_waits_for_another_s_connection_has_a_limit_too(keep: Keep, contexts: Contexts) -> None:
    """Over HTTP/2, requests wait for the one that connects, whatever time that one has."""
    near, _ = contexts
    peer = keep(Trickle(b"", b""))
    url = f"https://127.0.0.1:{peer.port}/"
    with httpx.Client(transport=MultipathTransport(http2=True, verify=near)) as client:

        def wait() -> None:
            with contextlib.suppress(httpx.HTTPError):
                client.get(url, timeout=30)

        patient = threading.Thread(target=wait)
        patient.start()
        assert peer.heard.wait(30)
        with pytest.raises(httpx.ConnectTimeout):
            client.get(url, timeout=httpx.Timeout(30, connect=0.1))
        assert patient.is_alive()
        peer.close()
        patient.join()
    assert peer.connections == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_who_waits_for_another_s_connection_in_an_event_loop(
    keep: Keep, contexts: Contexts, backend: str
) -> None:
    near, _ = contexts
    peer = keep(Trickle(b"", b""))
    url = f"https://127.0.0.1:{peer.port}/"

    async def ask() -> None:
        transport = AsyncMultipathTransport(http2=True, verify=near)
        async with (
            httpx.AsyncClient(transport=transport) as client,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(partial(client.get, url, timeout=30))
            assert await anyio.to_thread.run_sync(peer.heard.wait, 30)
            with pytest.raises(httpx.ConnectTimeout):
                await client.get(url, timeout=httpx.Timeout(30, connect=0.1))
            tasks.cancel_scope.cancel()

    anyio.run(ask, backend=backend)
    assert peer.connections == 1


def test_a_proxy_is_sent_an_address_of_ipv6_in_brackets(door: Door, keep: Keep) -> None:
    """RFC 3986, section 3.2.2: without them, nobody knows where the port begins."""
    proxy = keep(Server(answer(b"")))
    with door.client(proxy=f"http://127.0.0.1:{proxy.port}") as client:
        client.get("http://[2001:db8::1]:8080/x")
    assert proxy.heads[0].startswith(b"GET http://[2001:db8::1]:8080/x HTTP/1.1\r\n")


def test_a_connection_for_parts_needs_no_client_library() -> None:
    """Nor does what it is made of: how an origin is reached."""
    program = (
        "import sys, mphttp.network.endpoint, mphttp.ranges.part_link\n"
        "print({'httpx', 'httpcore', 'requests', 'urllib3', 'pycurl'} & set(sys.modules) or 'none')"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert run.stdout == "none\n", run.stderr
