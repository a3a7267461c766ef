"""`MultipathTransport` over two real paths: every kind of connection, request and body."""

from __future__ import annotations

import hashlib
import ssl

import httpx
import pytest
import trustme

from mphttp import Deadline, DelayedByContentLength, FullMesh, Refresh, SinglePath, Strategy
from mphttp.lab import LabClient, names
from tests.schema import checked

from .downloads import carried, download, fetch, make_client, url
from .strategies import LTE, StartsOn

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000
ORIGINS = [names.ORIGIN, names.ORIGIN_TLS, names.ORIGIN_V6, names.ORIGIN_TLS_V6]


@pytest.mark.parametrize("origin", ORIGINS)
def test_both_paths_carry_a_body(lab: LabClient, origin: str) -> None:
    """Over HTTP and HTTPS, IPv4 and IPv6; what the subflows brought adds up to the body."""
    report = download(FullMesh(), url(SIZE, origin=origin))
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("mptcp", "netlink", [])
    assert [(s["path"], s["initial"]) for s in told["subflows"]] == [("wifi", True), ("lte", False)]
    assert carried(report, "lte") > SIZE / 10
    assert SIZE <= sum(subflow["bytes_received"] for subflow in told["subflows"]) < SIZE * 1.5


def test_a_certificate_that_is_not_trusted(lab: LabClient) -> None:
    """It is httpx's own error, before anything is asked of a second path."""
    stranger = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cadata=authority())
    client = make_client(FullMesh(), verify=stranger)
    with client, pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        client.get(url(SIZE, origin=names.ORIGIN_TLS))
    assert lab.counters()["lte"].up.syns == 0


def authority() -> str:
    """Make a certificate authority of which the lab knows nothing."""
    return trustme.CA().cert_pem.bytes().decode()


STRATEGIES = {
    SinglePath(): False,
    FullMesh(): True,
    Refresh(200_000): False,
    DelayedByContentLength(200_000): True,
    # Half of its time is over while the link still works at the body.
    Deadline(0.3): True,
}


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda strategy: strategy.name)
def test_a_body_of_unknown_length(lab: LabClient, strategy: Strategy) -> None:
    """Every strategy copes with it, and those that want a second path open one by and by."""
    report = download(strategy, url(SIZE, kind="chunked"))
    assert report.length is None
    assert (lab.counters()["lte"].up.syns > 0) is STRATEGIES[strategy]
    assert checked(report)["strategy"] == {"name": strategy.name, **strategy.parameters()}


def test_a_head_has_a_length_but_no_body(lab: LabClient) -> None:
    with make_client(DelayedByContentLength(1000)) as client:
        response = client.head(url(SIZE))
    report = response.extensions["multipath"]
    assert response.headers["Content-Length"] == str(SIZE)
    assert (report.length, report.bytes, report.problems) == (0, 0, ())
    assert lab.counters()["lte"].up.syns == 0


def test_an_empty_body(lab: LabClient) -> None:
    report = download(Deadline(10), url(0))
    assert (report.length, report.deadline and report.deadline.met) == (0, True)


def test_what_is_sent_arrives(lab: LabClient) -> None:
    """A request's body goes over the connection's paths as any other data does."""
    body = bytes(range(256)) * 2000
    with make_client(FullMesh()) as client:
        fetch(client, url(SIZE))
        response = client.post(url(0, kind="echo").removesuffix("/0"), content=body)
    assert response.text == hashlib.sha256(body).hexdigest()
    assert response.extensions["multipath"].bytes == len(response.content)


def test_a_request_has_a_strategy_of_its_own(lab: LabClient) -> None:
    """It holds for that request alone."""
    with make_client(SinglePath()) as client:
        fetch(client, url(SIZE))
        assert lab.counters()["lte"].up.syns == 0
        report = fetch(client, url(SIZE), extensions={"strategy": FullMesh()})
        assert report.strategy == {"name": "fullmesh"}
        assert carried(report, "lte") > 0
        fetch(client, url(SIZE))
        assert lab.counters()["lte"].up.syns == 1


def test_what_is_no_strategy_is_refused(lab: LabClient) -> None:
    with make_client() as client, pytest.raises(ValueError, match="must be a Strategy"):
        client.get(url(SIZE), extensions={"strategy": "fullmesh"})


def test_the_first_path_is_where_the_connection_starts(lab: LabClient) -> None:
    report = download(FullMesh(), url(SIZE), paths=["lte", "wifi"])
    assert [(s.path, s.initial) for s in report.subflows] == [("lte", True), ("wifi", False)]


def test_a_path_that_is_not_allowed_is_not_used(lab: LabClient) -> None:
    report = download(FullMesh(), url(SIZE), paths=["lte"])
    assert [subflow.path for subflow in report.subflows] == ["lte"]
    assert lab.counters()["wifi"].up.syns == 0


@pytest.mark.parametrize("strategy", [SinglePath("lte"), StartsOn(lambda _: LTE)])
def test_a_strategy_chooses_where_the_connection_starts(lab: LabClient, strategy: Strategy) -> None:
    report = download(strategy, url(SIZE))
    assert [(s.path, s.initial) for s in report.subflows] == [("lte", True)]
    assert lab.counters()["wifi"].up.syns == 0


def test_a_path_on_which_nothing_starts(lab: LabClient) -> None:
    """Another takes its place, and the report says so."""
    lab.cut("lte")
    report = download(None, url(SIZE), paths=["lte", "wifi"])
    assert [subflow.path for subflow in report.subflows] == ["wifi"]
    with make_client(None, paths=["lte"]) as client, pytest.raises(httpx.ConnectError):
        client.get(url(SIZE))
