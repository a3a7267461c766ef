"""Servers that nobody here wrote and that have no MPTCP: strategies act by ranges all the same."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mphttp import Deadline, FullMesh, MultipathTransport, Report, Strategy
from mphttp.lab import LabClient, names
from mphttp.lab.content import blocks
from tests.schema import checked

from .downloads import carried, fetch
from .web_servers import PORTS, PROGRAMS, make_site, web_server

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 3_000_000
SCHEMES = ["http", "https"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_site(tmp_path, SIZE)


def client(folder: Path, strategy: Strategy, multipath: str = "auto") -> httpx.Client:
    trust = ssl.create_default_context(cafile=folder / "authority.pem")
    transport = MultipathTransport(strategy, verify=trust, multipath=multipath)
    return httpx.Client(transport=transport, timeout=30)


def address(scheme: str = "http", name: str = str(SIZE)) -> str:
    return f"{scheme}://{names.SERVER_ADDRESS}:{PORTS[scheme]}/bytes/{name}"


def connections(lab: LabClient, link: str) -> int:
    return lab.counters()[link].up.syns


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name == "nginx" else pytest.mark.more) for name in PROGRAMS],
)
class TestServer:
    """What each of them must do."""

    @pytest.fixture(autouse=True)
    def _server(self, lab: LabClient, folder: Path, name: str, fast: None) -> Iterator[None]:
        with web_server(lab, name, folder):
            yield

    def test_both_paths_carry_a_file(self, lab: LabClient, folder: Path, scheme: str) -> None:
        with client(folder, FullMesh()) as http:
            report = fetch(http, address(scheme))
        told = checked(report)
        assert (told["protocol"], told["mechanism"], told["problems"]) == ("tcp", "ranges", [])
        assert carried(report, "wifi") > SIZE / 5
        assert carried(report, "lte") > SIZE / 5
        assert connections(lab, "lte") == 1

    def test_a_deadline_in_danger(self, lab: LabClient, folder: Path, scheme: str) -> None:
        """Wi-Fi alone needs 6 s; LTE carries what it lacks."""
        lab.change("wifi", rate="4mbit")
        lab.change("lte", rate="4mbit")
        with client(folder, Deadline(4)) as http:
            report = fetch(http, address(scheme))
        told = checked(report)
        assert (told["mechanism"], told["problems"]) == ("ranges", [])
        assert carried(report, "wifi") > SIZE / 5
        assert carried(report, "lte") > SIZE / 10

    def test_a_deadline_out_of_danger(self, lab: LabClient, folder: Path, scheme: str) -> None:
        with client(folder, Deadline(30)) as http:
            report = fetch(http, address(scheme))
        assert (report.problems, connections(lab, "lte")) == ((), 0)


LIMITS = {
    "nginx": "keepalive_requests 3;",
    "apache": "MaxKeepAliveRequests 3",
    "lighttpd": "server.max-keep-alive-requests = 3",
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", LIMITS)
def test_a_server_that_ends_connections_after_a_few_requests(
    lab: LabClient, folder: Path, name: str, scheme: str
) -> None:
    """The path connects again and goes on; to a strategy it is the same subflow."""
    lab.change("lte", rate="4mbit")  # so that blocks are small, and many
    lab.change("wifi", rate="4mbit")
    with web_server(lab, name, folder, LIMITS[name]), client(folder, FullMesh()) as http:
        report = fetch(http, address(scheme))
    assert report.problems == ()
    assert [subflow.path for subflow in report.subflows] == ["wifi", "lte"]
    assert carried(report, "lte") > SIZE / 5
    assert connections(lab, "lte") > 1


def one_path(lab: LabClient, report: Report) -> str:
    """Return why nothing but Wi-Fi was used."""
    assert [subflow.path for subflow in report.subflows] == ["wifi"]
    assert connections(lab, "lte") == 0
    return str(checked(report)["problems"][0]["hint"])


def test_a_server_without_ranges(lab: LabClient, folder: Path) -> None:
    with web_server(lab, "nginx", folder, "max_ranges 0;"), client(folder, FullMesh()) as http:
        report = fetch(http, address())
    assert "the server offers no ranges" in one_path(lab, report)


def test_a_server_that_compresses_as_it_sends(lab: LabClient, tmp_path: Path) -> None:
    """What it sends is another body each time: no length, and a weak entity tag."""
    folder = make_site(tmp_path, SIZE, "page.html")
    settings = "gzip on; types { text/html html; }"
    with web_server(lab, "nginx", folder, settings), client(folder, FullMesh()) as http:
        response = http.get(address(name="page.html"))
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["etag"].startswith("W/")
    assert sha256(response.content) == sha256(b"".join(blocks(SIZE)))
    assert "doesn't tell its length" in one_path(lab, response.extensions["multipath"])


def test_a_file_that_may_have_changed_this_second(lab: LabClient, folder: Path) -> None:
    """Apache vouches for no file that is as young as that: its entity tag is weak."""
    tomorrow = 4_000_000_000
    os.utime(folder / "root" / "bytes" / str(SIZE), (tomorrow, tomorrow))
    with web_server(lab, "apache", folder), client(folder, FullMesh()) as http:
        report = fetch(http, address())
    assert "no strong validator" in one_path(lab, report)


def test_only_mptcp_is_wanted(lab: LabClient, folder: Path) -> None:
    with web_server(lab, "nginx", folder), client(folder, FullMesh(), "mptcp") as http:
        report = fetch(http, address())
    assert "mphttp doctor" in one_path(lab, report)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
