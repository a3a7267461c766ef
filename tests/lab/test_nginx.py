"""A server that nobody here wrote: nginx, with MPTCP by mptcpize and without."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trustme

from mphttp import FullMesh, MultipathTransport
from mphttp.lab import LabClient, names
from mphttp.lab.content import blocks
from tests.schema import checked

from .downloads import carried, fetch
from .servers import WITH_MPTCP

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000

CONFIGURATION = """
daemon off;
master_process off;  # one process, which ends with its own pid
user root root;  # the only user that there is in a lab without root
pid {folder}/pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address}:80;
        listen {address}:443 ssl http2;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.pem;
        root {folder}/root;
    }}
}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path, SIZE)


def make_folder(folder: Path, size: int) -> Path:
    """Make a file to serve, a configuration, and a certificate with its authority's."""
    file = folder / "root" / "bytes" / str(size)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"".join(blocks(size)))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    server = authority.issue_cert(names.SERVER_ADDRESS)
    server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    written = CONFIGURATION.format(folder=folder, address=names.SERVER_ADDRESS)
    (folder / "nginx.conf").write_text(written)
    return folder


@contextmanager
def nginx(lab: LabClient, folder: Path, through: Sequence[str] = ()) -> Iterator[None]:
    """Run nginx in the server's namespace, from when it listens to the end of the block."""
    command = [*through, "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with lab.in_server(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        told = []
        for line in process.stderr:
            told.append(line)
            if "event method" in line:  # the listening sockets come before this
                break
        else:
            pytest.fail("nginx ended: " + "".join(told))
        try:
            yield
        finally:
            process.terminate()
            process.stderr.read()
    assert process.returncode == 0


@pytest.fixture
def mptcp_nginx(lab: LabClient, folder: Path) -> Iterator[None]:
    with nginx(lab, folder, WITH_MPTCP):
        yield


@pytest.fixture
def client(folder: Path) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=folder / "authority.pem")
    transport = MultipathTransport(FullMesh(), verify=trust)
    with httpx.Client(transport=transport, timeout=30) as client:
        yield client


def address(scheme: str = "http") -> str:
    return f"{scheme}://{names.SERVER_ADDRESS}/bytes/{SIZE}"


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
def test_nginx_without_mptcp(
    lab: LabClient, folder: Path, client: httpx.Client, scheme: str
) -> None:
    """Plain TCP carries the file over one path, and the report says why."""
    with nginx(lab, folder):
        told = checked(fetch(client, address(scheme)))
    assert (told["protocol"], told["mechanism"]) == ("tcp", "none")
    assert "plain TCP" in told["problems"][0]["what"]
    assert [subflow["path"] for subflow in told["subflows"]] == ["wifi"]
    assert lab.counters()["lte"].up.syns == 0
