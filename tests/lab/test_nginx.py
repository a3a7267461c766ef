"""A server that nobody here wrote: nginx, with MPTCP by mptcpize and without."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from mphttp import Deadline, DelayedByContentLength, FullMesh, MultipathTransport, Strategy
from mphttp.lab import LabClient, names
from mphttp.lab.content import blocks
from tests.schema import checked

from .downloads import carried, fetch
from .servers import WITH_MPTCP, serving
from .web_servers import NGINX

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE, SMALL = 1_000_000, 10_000

USER = "user root root;  # the only user that there is in a lab without root"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path, SIZE)


def make_folder(folder: Path, size: int) -> Path:
    """Make a file to serve, a configuration, and a certificate with its authority's."""
    file = folder / "root" / "bytes" / str(size)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"".join(blocks(size)))
    (file.parent / str(SMALL)).write_bytes(b"".join(blocks(SMALL)))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    server = authority.issue_cert(names.SERVER_ADDRESS)
    server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    places = {"folder": folder, "address": names.SERVER_ADDRESS, "http": 80, "https": 443}
    (folder / "nginx.conf").write_text(USER + NGINX.format(**places, more=""))
    return folder


@contextmanager
def nginx(lab: LabClient, folder: Path, through: Sequence[str] = ()) -> Iterator[None]:
    """Run nginx in the server's namespace, from when it listens to the end of the block."""
    command = [*through, "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with serving(lab, command, 80, 443) as process:
        yield
    assert process.returncode == 0


@pytest.fixture
def mptcp_nginx(lab: LabClient, folder: Path) -> Iterator[None]:
    with nginx(lab, folder, WITH_MPTCP):
        yield


def make_client(folder: Path, strategy: Strategy | None = None, **options: Any) -> httpx.Client:
    trust = ssl.create_default_context(cafile=folder / "authority.pem")
    transport = MultipathTransport(strategy or FullMesh(), verify=trust, **options)
    return httpx.Client(transport=transport, timeout=30)


@pytest.fixture
def client(folder: Path) -> Iterator[httpx.Client]:
    with make_client(folder) as client:
        yield client


def address(scheme: str = "http", size: int = SIZE) -> str:
    return f"{scheme}://{names.SERVER_ADDRESS}/bytes/{size}"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_both_paths_carry_a_file(mptcp_nginx: None, client: httpx.Client, scheme: str) -> None:
    report = fetch(client, address(scheme))
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("mptcp", "netlink", [])
    assert carried(report, "wifi") > SIZE / 10
    assert carried(report, "lte") > SIZE / 10


def test_a_connection_is_kept(mptcp_nginx: None, client: httpx.Client) -> None:
    first, second = (fetch(client, address()) for _ in range(2))
    assert first.subflows[0].local == second.subflows[0].local
    assert [subflow.path for subflow in second.subflows] == ["wifi", "lte"]


def test_a_range_is_a_part_of_the_file(mptcp_nginx: None, client: httpx.Client) -> None:
    response = client.get(address(), headers={"Range": f"bytes={SIZE // 4}-{SIZE - 1}"})
    report = response.extensions["multipath"]
    part = b"".join(blocks(SIZE, SIZE // 4))
    assert (response.status_code, report.length) == (206, len(part))
    assert hashlib.sha256(response.content).digest() == hashlib.sha256(part).digest()
    assert carried(report, "lte") > 0


def test_a_file_that_is_not_there(mptcp_nginx: None, client: httpx.Client) -> None:
    response = client.get(address() + "0")
    report = response.extensions["multipath"]
    assert (response.status_code, report.status) == (404, 404)
    assert report.bytes == report.length == len(response.content)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nginx_without_mptcp(lab: LabClient, folder: Path, scheme: str) -> None:
    """Where MPTCP alone is wanted, TCP carries it over one path, and the report says why."""
    with nginx(lab, folder), make_client(folder, multipath="mptcp") as client:
        told = checked(fetch(client, address(scheme)))
    assert (told["protocol"], told["mechanism"]) == ("tcp", "none")
    assert "plain TCP" in told["problems"][0]["what"]
    assert [subflow["path"] for subflow in told["subflows"]] == ["wifi"]
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nginx_without_mptcp_sends_parts(
    lab: LabClient, folder: Path, client: httpx.Client, scheme: str
) -> None:
    with nginx(lab, folder):
        report = fetch(client, address(scheme))
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("tcp", "ranges", [])
    assert carried(report, "wifi") > SIZE / 10
    assert carried(report, "lte") > SIZE / 10


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_small_files_of_nginx_without_mptcp_leave_the_second_path_alone(
    lab: LabClient, folder: Path, quiet: None, scheme: str
) -> None:
    """Not a packet leaves there, and one connection serves them all."""
    with nginx(lab, folder), make_client(folder, DelayedByContentLength(SIZE)) as client:
        for _ in range(100):
            fetch(client, address(scheme, SMALL))
    counters = lab.counters()
    assert (counters["wifi"].up.syns, counters["lte"].up.packets) == (1, 0)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_deadline_with_nginx_without_mptcp(
    lab: LabClient, folder: Path, quiet: None, scheme: str
) -> None:
    """The second path is left alone where it isn't needed, and used where it is."""
    with nginx(lab, folder), make_client(folder, Deadline(20)) as client:
        report = fetch(client, address(scheme))
        assert (report.problems, lab.counters()["lte"].up.packets) == ((), 0)
        lab.change("wifi", rate="1mbit")  # alone it would take 8 s
        report = fetch(client, address(scheme), extensions={"strategy": Deadline(5)})
    assert report.deadline
    assert report.deadline.met
    assert carried(report, "lte") > SIZE / 10
