"""Every door with every strategy of the paper by every protocol: body, subflows, report."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import product
from typing import NamedTuple

import httpx
import pytest
import requests

from mphttp import Deadline, DelayedByContentLength, Refresh, Report, Strategy
from mphttp.curl import CurlTransport
from mphttp.curl import fetch as fetch_by_curl
from mphttp.lab import LabClient, inside, names
from mphttp.lab.content import sha256_of
from mphttp.requests import MultipathAdapter, report
from tests.mphttp.transports.doors import DOORS, Door
from tests.schema import checked

from .downloads import url
from .servers import WITH_MPTCP
from .test_nginx import make_folder, nginx

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 300_000


class Place(NamedTuple):
    """Where a body is, and whose certificates are to be trusted."""

    address: str
    authority: str
    http2: bool


class Answer(NamedTuple):
    """What every door gives."""

    body: bytes
    version: str
    report: Report


def by_httpx(door: Door) -> Callable[[Strategy, Place], Answer]:
    def get(strategy: Strategy, place: Place) -> Answer:
        trust = ssl.create_default_context(cafile=place.authority)
        with door.client(strategy=strategy, verify=trust, http2=place.http2) as client:
            response = client.get(place.address)
        return Answer(response.content, response.http_version, response.extensions["multipath"])

    return get


def by_requests(strategy: Strategy, place: Place) -> Answer:
    with requests.Session() as session:
        for prefix in ("http://", "https://"):
            session.mount(prefix, MultipathAdapter(strategy))
        response = session.get(place.address, verify=place.authority)
    told = report(response)
    assert told is not None
    return Answer(response.content, "HTTP/1.1", told)


def by_curl(strategy: Strategy, place: Place) -> Answer:
    response = fetch_by_curl(place.address, strategy, verify=place.authority, http2=place.http2)
    return Answer(response.content, response.http_version, response.report)


def by_curl_transport(strategy: Strategy, place: Place) -> Answer:
    transport = CurlTransport(strategy, verify=place.authority, http2=place.http2)
    with httpx.Client(transport=transport) as client:
        response = client.get(place.address)
    return Answer(response.content, response.http_version, response.extensions["multipath"])


WAYS = {
    **{name: by_httpx(door) for name, door in DOORS.items()},
    "requests": by_requests,
    "curl": by_curl,
    "curl-transport": by_curl_transport,
}

PROTOCOLS = ["HTTP/1.1", "TLS", "HTTP/2"]
COMBINATIONS = sorted({*product(WAYS, PROTOCOLS)} - {("requests", "HTTP/2")})  # it has none

STRATEGIES = {
    # New subflows in place of those before, on the same path; no more than the server takes.
    Refresh(SIZE // 3 + 1): lambda paths: 2 <= len(paths) <= 3 and set(paths) == {"wifi"},
    DelayedByContentLength(SIZE // 2): lambda paths: paths == ["wifi", "lte"],
    # The first path alone takes longer.
    Deadline(0.1): lambda paths: paths == ["wifi", "lte"],
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """The lab's origin, and nginx, which has HTTP/2."""
    folder = make_folder(tmp_path_factory.mktemp("nginx"), SIZE)
    ca = os.environ[names.CA]
    with closing(inside()) as lab, nginx(lab, folder, WITH_MPTCP):
        yield {
            "HTTP/1.1": Place(url(SIZE), ca, http2=False),
            "TLS": Place(url(SIZE, origin=names.ORIGIN_TLS), ca, http2=False),
            "HTTP/2": Place(
                f"https://{names.SERVER_ADDRESS}/bytes/{SIZE}",
                str(folder / "authority.pem"),
                http2=True,
            ),
        }


@pytest.mark.parametrize(("way", "protocol"), COMBINATIONS)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_download(
    lab: LabClient, places: dict[str, Place], way: str, strategy: Strategy, protocol: str
) -> None:
    """SHA-256 and subflows are right, and the report has its shape."""
    lab.change("wifi", rate="8mbit")
    answer = WAYS[way](strategy, places[protocol])
    assert hashlib.sha256(answer.body).digest() == sha256_of(SIZE)
    assert answer.version == ("HTTP/2" if protocol == "HTTP/2" else "HTTP/1.1")
    told = checked(answer.report)
    assert (told["bytes"], told["protocol"], told["mechanism"]) == (SIZE, "mptcp", "netlink")
    assert (told["problems"], told["strategy"]["name"]) == ([], strategy.name)
    paths = [subflow["path"] for subflow in told["subflows"]]
    assert STRATEGIES[strategy](paths), paths
    assert SIZE <= sum(subflow["bytes_received"] for subflow in told["subflows"]) < SIZE * 1.5
    assert lab.counters()["lte"].up.syns == paths.count("lte")
