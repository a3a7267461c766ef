"""How connections are made, behind every door for httpx: TLS, IPv6, dual stack, local addresses."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from mphttp import FullMesh, Report
from mphttp.lab import LabClient, inside, names
from tests.mphttp.transports.doors import DOORS, Client, Door

from .downloads import url
from .servers import WITH_MPTCP
from .test_nginx import make_folder, nginx

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 300_000
NGINX = f"https://{names.SERVER_ADDRESS}/bytes/{SIZE}"


@pytest.fixture(params=DOORS.values(), ids=DOORS.keys())
def door(request: pytest.FixtureRequest) -> Door:
    door: Door = request.param
    return door


@pytest.fixture
def trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ[names.CA])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run nginx that asks clients for a certificate; one of its authority's is in `client.pem`."""
    folder = make_folder(tmp_path_factory.mktemp("nginx"), SIZE)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "clients.pem")
    issued = authority.issue_cert("somebody@example.org")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    configuration = (folder / "nginx.conf").read_text()
    asks = f"ssl_client_certificate {folder}/clients.pem; ssl_verify_client on; root"
    (folder / "nginx.conf").write_text(configuration.replace("root /", f"{asks} /", 1))
    with closing(inside()) as lab, nginx(lab, folder, WITH_MPTCP):
        yield folder


def fetch(client: Client, address: str) -> Report:
    response = client.get(address)
    assert (response.status_code, len(response.content)) == (200, SIZE)
    report: Report = response.extensions["multipath"]
    return report


def paths(report: Report) -> list[str]:
    return [subflow.path for subflow in report.subflows]


@pytest.mark.parametrize("http2", [False, True], ids=["HTTP/1.1", "HTTP/2"])
def test_a_client_s_certificate(folder: Path, door: Door, http2: bool) -> None:
    """nginx lets nobody in without one."""
    server = ssl.create_default_context(cafile=folder / "authority.pem")
    with door.client(verify=server, http2=http2) as client:
        assert client.get(NGINX).status_code == 400
    server.load_cert_chain(folder / "client.pem")
    with door.client(strategy=FullMesh(), verify=server, http2=http2) as client:
        assert paths(fetch(client, NGINX)) == ["wifi", "lte"]


def test_a_certificate_that_is_not_trusted(lab: LabClient, door: Door) -> None:
    """The library's own error, before anything is asked of a second path."""
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    refused = pytest.raises(door.library.ConnectError, match="certificate verify failed")
    with door.client(strategy=FullMesh(), verify=nobody) as client, refused:
        client.get(url(SIZE, origin=names.ORIGIN_TLS))
    assert lab.counters()["lte"].up.syns == 0


def test_a_name_that_the_certificate_doesn_t_have(door: Door, trust: ssl.SSLContext) -> None:
    address = url(SIZE, origin=names.ORIGIN_TLS)
    with door.client(strategy=FullMesh(), verify=trust) as client:
        with pytest.raises(door.library.ConnectError, match="certificate verify failed"):
            client.get(address, extensions={"sni_hostname": "other.example"})
        assert paths(fetch(client, address)) == ["wifi", "lte"]


def test_a_context_that_clients_share(folder: Path, door: Door) -> None:
    """Each offers what it speaks itself."""
    shared = ssl.create_default_context(cafile=folder / "authority.pem")
    shared.load_cert_chain(folder / "client.pem")
    for http2 in (True, False, True):
        with door.client(verify=shared, http2=http2) as client:
            assert client.get(NGINX).http_version == ("HTTP/2" if http2 else "HTTP/1.1")


@pytest.mark.parametrize("origin", [names.ORIGIN_V6, names.ORIGIN_TLS_V6])
def test_ipv6(door: Door, trust: ssl.SSLContext, origin: str) -> None:
    with door.client(strategy=FullMesh(), verify=trust) as client:
        report = fetch(client, url(SIZE, origin=origin))
    assert paths(report) == ["wifi", "lte"]
    assert {subflow.remote[0] for subflow in report.subflows} == {names.SERVER_ADDRESS_V6}


@pytest.mark.parametrize(
    "first",
    ["2001:db8::1", names.SERVER_ADDRESS_V6.replace("1", "2"), "127.0.0.1"],
    ids=["another network", "another host", "refused"],
)
def test_a_name_whose_first_address_is_of_no_use(
    door: Door, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """The next one is tried, of the other family or not."""
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("two.invalid", b"two.invalid"):
            return look_up(host, port, *rest, **more)
        return [
            found
            for address in (first, names.SERVER_ADDRESS)
            for found in look_up(address, port, type=socket.SOCK_STREAM)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    timeout = door.library.Timeout(20, connect=0.3)
    with door.client(strategy=FullMesh()) as client:
        address = f"http://two.invalid:{names.PORT}/bytes/{SIZE}"
        response = client.get(address, timeout=timeout)
    report = response.extensions["multipath"]
    assert len(response.content) == SIZE
    assert {subflow.remote[0] for subflow in report.subflows} == {names.SERVER_ADDRESS}
    assert paths(report) == ["wifi", "lte"]


def test_a_local_address(door: Door) -> None:
    """The first subflow has it; the strategy's others have their own."""
    local = names.client_address(0)
    with door.client(strategy=FullMesh(), local_address=local) as client:
        report = fetch(client, url(SIZE))
    assert [subflow.local[0] for subflow in report.subflows] == [local, names.client_address(1)]


def test_connecting_is_tried_again(lab: LabClient, door: Door) -> None:
    """By `retries`, where nobody answered in time."""
    lab.blackhole("wifi")
    tries: list[str] = []

    def trace(name: str, _: Any) -> None:
        tries.append(name)
        if name == "connection.retry.started":
            lab.restore("wifi")

    async def trace_async(name: str, info: Any) -> None:
        trace(name, info)

    extensions = {
        "trace": trace if door.backend is None else trace_async,
        "timeout": {"connect": 0.3, "read": 20, "write": 20, "pool": 20},
    }
    with door.client(strategy=FullMesh(), retries=1) as client:
        response = client.get(url(SIZE), extensions=extensions)
    assert len(response.content) == SIZE
    assert tries.count("connection.connect_tcp.started") == 2
