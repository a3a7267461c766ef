"""Proxies that nobody here wrote, reached over two paths: tinyproxy (HTTP) and microsocks (SOCKS5).

They stand where the origin stands, as at the edge of a network whose servers have no MPTCP: the
strategy's subflows go to the proxy (the deployment in the paper's introduction).
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from mphttp import FullMesh, Report
from mphttp.lab import LabClient, names
from mphttp.lab.content import sha256_of
from tests.mphttp.transports.doors import DOORS, Client, Door
from tests.schema import checked

from .downloads import carried, size_in, url
from .servers import WITH_MPTCP, serving

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 400_000
HTTP, SOCKS, TLS = 3128, 1080, 3129
ORIGINS = [names.ORIGIN, names.ORIGIN_TLS]

TINYPROXY = f"""
Listen {names.SERVER_ADDRESS}
Port {HTTP}
Timeout 60
MaxClients 50
"""

# TLS before tinyproxy, which has none of its own.
TLS_FRONT = f"""
import asyncio, socket, ssl, sys

async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def serve(*client):
    proxy = await asyncio.open_connection("{names.SERVER_ADDRESS}", {HTTP})
    ways = copy(client[0], proxy[1]), copy(proxy[0], client[1])
    await asyncio.gather(*ways, return_exceptions=True)

async def main():
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("{names.SERVER_ADDRESS}", {TLS}))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    await (await asyncio.start_server(serve, sock=listener, ssl=context)).serve_forever()

asyncio.run(main())
"""


@pytest.fixture(params=["httpx", "httpx-asyncio", "httpx-trio"])
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


@contextmanager
def tinyproxy(
    lab: LabClient, folder: Path, settings: str = "", through: Sequence[str] = WITH_MPTCP
) -> Iterator[str]:
    """Run tinyproxy and give its place."""
    (folder / "tinyproxy.conf").write_text(TINYPROXY + settings)
    command = [*through, "tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")]
    with serving(lab, command, HTTP):
        yield f"{names.SERVER_ADDRESS}:{HTTP}"


@contextmanager
def microsocks(lab: LabClient, *options: str, hosts: Path | None = None) -> Iterator[str]:
    """Run microsocks, perhaps with a list of hosts of its own, and give its place."""
    listen = ["-i", names.SERVER_ADDRESS, "-p", str(SOCKS)]
    command = [*WITH_MPTCP, "microsocks", *listen, *options]
    if hosts is not None:
        own = 'mount --bind "$0" /etc/hosts && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", own, str(hosts), *command]
    with serving(lab, command, SOCKS):
        yield f"{names.SERVER_ADDRESS}:{SOCKS}"


def client(door: Door, proxy: Any, **options: Any) -> AbstractContextManager[Client]:
    trust = ssl.create_default_context(cafile=os.environ[names.CA])
    return door.client(**{"strategy": FullMesh(), "proxy": proxy, "verify": trust, **options})


def fetch(client: Client, address: str) -> Report:
    """Hold a body against its checksum; return the report."""
    response = client.get(address)
    assert response.status_code == 200
    size = size_in(address)
    assert hashlib.sha256(response.content).digest() == sha256_of(size)
    report: Report = response.extensions["multipath"]
    assert report.bytes == size
    return report


def check_both_paths(report: Report, port: int) -> None:
    """Hold that both paths led to the proxy and brought something."""
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("mptcp", "netlink", [])
    assert [subflow["path"] for subflow in told["subflows"]] == ["wifi", "lte"]
    assert {tuple(s["remote"]) for s in told["subflows"]} == {(names.SERVER_ADDRESS, port)}
    assert carried(report, "lte") > SIZE / 20


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_http_proxy(lab: LabClient, tmp_path: Path, door: Door, origin: str) -> None:
    """It forwards http://, and lets https:// through (CONNECT)."""
    with tinyproxy(lab, tmp_path) as place, client(door, f"http://{place}") as http:
        check_both_paths(fetch(http, url(SIZE, origin=origin)), HTTP)


def test_a_tunnel_is_kept(lab: LabClient, tmp_path: Path, door: Door) -> None:
    """The second response starts clean on the same connection."""
    with tinyproxy(lab, tmp_path) as place, client(door, f"http://{place}") as http:
        first, second = (fetch(http, url(SIZE, origin=names.ORIGIN_TLS)) for _ in range(2))
    assert first.subflows[0].local == second.subflows[0].local
    assert [subflow.path for subflow in second.subflows] == ["wifi", "lte"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_http_proxy_with_credentials(
    lab: LabClient, tmp_path: Path, door: Door, origin: str
) -> None:
    with (
        tinyproxy(lab, tmp_path, "BasicAuth some-body secret") as place,
        client(door, f"http://some%2Dbody:secret@{place}") as http,
    ):
        check_both_paths(fetch(http, url(SIZE, origin=origin)), HTTP)


def test_an_http_proxy_refuses_credentials(lab: LabClient, tmp_path: Path, door: Door) -> None:
    """Where it was asked for a tunnel that is an error; a forwarded request has an answer."""
    refused = pytest.raises(door.library.ProxyError, match="407 Proxy Authentication Required")
    wrong = pytest.raises(door.library.ProxyError, match="401 Unauthorized")
    with tinyproxy(lab, tmp_path, "BasicAuth somebody secret") as place:
        for user, told, status in (("", refused, 407), ("somebody:wrong@", wrong, 401)):
            with client(door, f"http://{user}{place}") as http:
                assert http.get(url(SIZE)).status_code == status
                with told:
                    http.get(url(SIZE, origin=names.ORIGIN_TLS))


def test_an_http_proxy_that_can_t_connect(lab: LabClient, tmp_path: Path, door: Door) -> None:
    refused = pytest.raises(door.library.ProxyError, match=r"^50[0-9] ")
    with tinyproxy(lab, tmp_path) as place, client(door, f"http://{place}") as http, refused:
        http.get(f"https://{names.SERVER_ADDRESS}:1/")


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_proxy_without_mptcp(lab: LabClient, tmp_path: Path, door: Door, origin: str) -> None:
    """Plain TCP carries it over one path, and the report says why."""
    with (
        tinyproxy(lab, tmp_path, through=()) as place,
        client(door, f"http://{place}", multipath="mptcp") as http,
    ):
        told = checked(fetch(http, url(SIZE, origin=origin)))
    assert (told["protocol"], told["mechanism"]) == ("tcp", "none")
    assert "plain TCP" in told["problems"][0]["what"]
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.parametrize("origin", ORIGINS)
def test_parts_through_a_proxy_without_mptcp(
    lab: LabClient, tmp_path: Path, door: Door, origin: str
) -> None:
    """What fetches parts goes through the proxy, too, which ends a connection after each answer."""
    with tinyproxy(lab, tmp_path, through=()) as place, client(door, f"http://{place}") as http:
        report = fetch(http, url(SIZE, origin=origin))
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("tcp", "ranges", [])
    assert {subflow["remote"][1] for subflow in told["subflows"]} == {HTTP}
    assert [subflow["path"] for subflow in told["subflows"]] == ["wifi", "lte"]
    assert carried(report, "lte") > 0


def test_nobody_is_where_the_proxy_should_be(lab: LabClient, door: Door) -> None:
    for scheme in ("http", "socks5"):
        refused = pytest.raises(door.library.ConnectError)
        with client(door, f"{scheme}://{names.SERVER_ADDRESS}:1") as http, refused:
            http.get(url(SIZE))


@pytest.fixture
def front(lab: LabClient, tmp_path: Path) -> Iterator[ssl.SSLContext]:
    """Run TLS before tinyproxy; give what trusts it."""
    authority = trustme.CA()
    certificate = tmp_path / "proxy.pem"
    issued = authority.issue_cert(names.SERVER_ADDRESS)
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    with (
        tinyproxy(lab, tmp_path, through=()),
        serving(lab, [sys.executable, "-c", TLS_FRONT, str(certificate)], TLS),
    ):
        yield trust


@pytest.mark.parametrize("origin", ORIGINS)
def test_tls_to_the_proxy(door: Door, front: ssl.SSLContext, origin: str) -> None:
    """And within it TLS to the origin, whose certificate is another's."""
    place = f"https://{names.SERVER_ADDRESS}:{TLS}"
    with client(door, door.library.Proxy(place, ssl_context=front)) as http:
        check_both_paths(fetch(http, url(SIZE, origin=origin)), TLS)


def test_a_proxy_that_is_not_trusted(lab: LabClient, door: Door, front: ssl.SSLContext) -> None:
    """Neither the proxy nor an origin behind it gets a second subflow."""
    place = f"https://{names.SERVER_ADDRESS}:{TLS}"
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for proxy_trust, options in ((nobody, {}), (front, {"verify": nobody})):
        untrusted = pytest.raises(door.library.ConnectError, match="certificate verify failed")
        proxy = door.library.Proxy(place, ssl_context=proxy_trust)
        with client(door, proxy, **options) as http, untrusted:
            http.get(url(SIZE, origin=names.ORIGIN_TLS))
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_socks_proxy(lab: LabClient, door: Door, origin: str) -> None:
    with microsocks(lab) as place, client(door, f"socks5://{place}") as http:
        check_both_paths(fetch(http, url(SIZE, origin=origin)), SOCKS)


def test_a_socks_proxy_with_a_password(lab: LabClient, door: Door) -> None:
    with microsocks(lab, "-u", "somebody", "-P", "secret") as place:
        with client(door, f"socks5://somebody:secret@{place}") as http:
            check_both_paths(fetch(http, url(SIZE)), SOCKS)
        wrong = "doesn't take this user and password"
        for user, words in (("somebody:wrong@", wrong), ("", "wants credentials")):
            refused = pytest.raises(door.library.ProxyError, match=words)
            with client(door, f"socks5://{user}{place}") as http, refused:
                http.get(url(SIZE))


def test_a_socks_proxy_that_can_t_connect(lab: LabClient, door: Door) -> None:
    refused = pytest.raises(door.library.ProxyError, match="connection refused")
    with microsocks(lab) as place, client(door, f"socks5://{place}") as http, refused:
        http.get(f"http://{names.SERVER_ADDRESS}:1/")


def test_the_socks_proxy_looks_names_up(
    lab: LabClient, tmp_path: Path, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It alone knows this one; we ask only where the proxy is."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{names.SERVER_ADDRESS} origin.invalid\n")
    asked = []
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(host if isinstance(host, str) else host.decode())
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    address = f"http://origin.invalid:{names.PORT}/bytes/{SIZE}"
    with microsocks(lab, hosts=hosts) as place, client(door, f"socks5h://{place}") as http:
        check_both_paths(fetch(http, address), SOCKS)
    assert set(asked) == {names.SERVER_ADDRESS}
