"""Uploads by HTTP/2 over two real paths, to nginx: strategies act on them as on HTTP/1.1's."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mphttp import Deadline, DelayedByContentLength, FullMesh, Handover, Refresh, Report, Strategy
from mphttp.curl import CurlTransport
from mphttp.curl import fetch as fetch_by_curl
from mphttp.lab import LabClient, names
from tests.mphttp.transports.doors import DOORS, Door
from tests.schema import checked

from .servers import WITH_MPTCP
from .test_nginx import make_folder, nginx
from .test_uploads import BODY, SIZE, sent

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

Put = Callable[[Strategy, Path], Report]
ADDRESS = f"https://{names.SERVER_ADDRESS}/put/body"
TAKES = "location /put { client_max_body_size 100m; dav_methods PUT; create_full_put_path on; }"


@pytest.fixture
def folder(lab: LabClient, tmp_path: Path) -> Iterator[Path]:
    """Run nginx with MPTCP, which keeps what it is sent."""
    folder = make_folder(tmp_path, 1000)
    configuration = folder / "nginx.conf"
    told = configuration.read_text()
    configuration.write_text(told.replace(f"root {folder}/root;", f"root {folder}/root; {TAKES}"))
    with nginx(lab, folder, WITH_MPTCP):
        yield folder


def by_door(door: Door, strategy: Strategy, folder: Path) -> Report:
    trust = ssl.create_default_context(cafile=folder / "authority.pem")
    with door.client(strategy=strategy, verify=trust, http2=True) as client:
        response = client.request("PUT", ADDRESS, content=BODY)
    assert (response.status_code, response.http_version) == (201, "HTTP/2")
    report: Report = response.extensions["multipath"]
    return report


def by_curl(strategy: Strategy, folder: Path) -> Report:
    trust = str(folder / "authority.pem")
    response = fetch_by_curl(
        ADDRESS, strategy, method="PUT", content=BODY, verify=trust, http2=True
    )
    assert (response.status, response.http_version) == (201, "HTTP/2")
    return response.report


def by_curl_transport(strategy: Strategy, folder: Path) -> Report:
    import httpx

    transport = CurlTransport(strategy, verify=str(folder / "authority.pem"), http2=True)
    with httpx.Client(transport=transport, timeout=20) as client:
        response = client.put(ADDRESS, content=BODY)
    assert (response.status_code, response.http_version) == (201, "HTTP/2")
    report: Report = response.extensions["multipath"]
    return report


CLIENTS: dict[str, Put] = {
    **{name: partial(by_door, door) for name, door in DOORS.items()},
    "curl": by_curl,
    "CurlTransport": by_curl_transport,
}


def put(client: str, strategy: Strategy, folder: Path) -> Report:
    """Send a body, of which each byte is there, and counted once."""
    report = CLIENTS[client](strategy, folder)
    assert (folder / "root" / "put" / "body").read_bytes() == BODY
    told = checked(report)
    assert (told["bytes_sent"], told["problems"]) == (SIZE, [])
    return report


@pytest.mark.parametrize("client", CLIENTS)
def test_an_upload_takes_both_paths(client: str, folder: Path) -> None:
    report = put(client, FullMesh(), folder)
    assert sent(report, "lte") > SIZE / 10
    assert sent(report, "wifi") > SIZE / 10


@pytest.mark.parametrize("client", ["httpx", "httpx-trio"])
def test_a_fresh_subflow_every_so_many_acknowledged_bytes(client: str, folder: Path) -> None:
    assert 3 <= len(put(client, Refresh(SIZE // 4), folder).subflows) <= 5


def test_a_silent_path_is_left_in_mid_upload(lab: LabClient, folder: Path) -> None:
    lab.change("wifi", rate="8mbit", delay="5ms")
    fault = threading.Timer(1.0, lambda: lab.blackhole("wifi"))
    fault.start()
    try:
        report = put("httpx", Handover(), folder)
    finally:
        fault.cancel()
        fault.join()
    assert sent(report, "lte") > SIZE / 4


def test_a_deadline_takes_no_more_of_the_second_path_than_it_needs(
    lab: LabClient, folder: Path
) -> None:
    """At 4 Mbit/s, 3 MB take 6.3 s; within 4 s, LTE is needed for a bit more than a third."""
    lab.change("wifi", rate="4mbit", delay="10ms")
    report = put("httpx", Deadline(4), folder)
    assert report.deadline is not None
    assert SIZE / 5 < sent(report, "lte") < SIZE * 0.75


def test_a_large_body_takes_a_second_path_and_a_small_one_none(
    lab: LabClient, folder: Path
) -> None:
    assert sent(put("httpx", DelayedByContentLength(SIZE * 2), folder), "lte") == 0
    assert lab.counters()["lte"].up.syns == 0
    (folder / "root" / "put" / "body").unlink()
    assert sent(put("httpx", DelayedByContentLength(SIZE // 2), folder), "lte") > 0
