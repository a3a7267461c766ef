"""requests over two real paths: strategies, kinds of connections, what is shared, what is left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mphttp import (
    Deadline,
    DelayedByContentLength,
    FullMesh,
    MultipathAdapter,
    Refresh,
    Report,
    SinglePath,
    Strategy,
)
from mphttp.lab import LabClient, names
from mphttp.lab.content import sha256_of
from mphttp.requests import report, using
from tests.schema import checked

from .downloads import carried, carries, size_in, url
from .leaks import Opened, eventually
from .strategies import LTE, Scripted, StartsOn
from .test_faults import opens_three
from .test_nginx import address, folder, mptcp_nginx  # noqa: F401  fixtures

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000
ORIGINS = [names.ORIGIN, names.ORIGIN_TLS, names.ORIGIN_V6, names.ORIGIN_TLS_V6]
KINDS = ["bytes", "chunked"]


def make_session(
    strategy: Strategy | None = None, paths: list[str] | None = None, **options: Any
) -> requests.Session:
    """Make a session that trusts the lab's certificate."""
    session = requests.Session()
    session.trust_env = False
    session.verify = os.environ[names.CA]
    for prefix in ("http://", "https://"):
        session.mount(prefix, MultipathAdapter(strategy, paths, **options))
    return session


def told(response: requests.Response) -> Report:
    found = report(response)
    assert found is not None
    found.wait()
    return found


def fetch(session: requests.Session, where: str) -> Report:
    """Read a body piece by piece and hold it against its checksum."""
    digest = hashlib.sha256()
    with session.get(where, stream=True, timeout=30) as response:
        for chunk in response.iter_content(2**14):
            digest.update(chunk)
    assert digest.digest() == sha256_of(size_in(where))
    assert told(response).bytes == size_in(where)
    return told(response)


def download(strategy: Strategy | None, where: str, *arguments: Any, **options: Any) -> Report:
    """Do the same over a new connection."""
    with make_session(strategy, *arguments, **options) as session:
        return fetch(session, where)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("kind", KINDS)
def test_both_paths_carry_a_body(lab: LabClient, origin: str, kind: str) -> None:
    found = download(FullMesh(), url(SIZE, kind=kind, origin=origin))
    shown = checked(found)
    assert (shown["protocol"], shown["mechanism"], shown["problems"]) == ("mptcp", "netlink", [])
    subflows = [(s["path"], s["initial"]) for s in shown["subflows"]]
    assert subflows == [("wifi", True), ("lte", False)]
    assert shown["subflows"][1]["closed_at"] is not None
    assert carried(found, "lte") > SIZE / 10


@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
@pytest.mark.parametrize("kind", KINDS)
def test_refresh_replaces_the_subflow(lab: LabClient, origin: str, kind: str) -> None:
    """Each new one is on the path of the one before."""
    lab.change("wifi", rate="4mbit")
    found = download(Refresh(400_000), url(SIZE, kind=kind, origin=origin))
    assert found.problems == ()
    assert len(found.subflows) == 3
    assert {subflow.path for subflow in found.subflows} == {"wifi"}


@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
@pytest.mark.parametrize(("size", "subflows"), [(SIZE, 2), (SIZE // 2, 1)])
def test_a_second_subflow_for_large_objects_only(
    lab: LabClient, origin: str, size: int, subflows: int
) -> None:
    found = download(DelayedByContentLength(SIZE // 2), url(size, origin=origin))
    assert (found.length, len(found.subflows)) == (size, subflows)
    assert lab.counters()["lte"].up.syns == subflows - 1


@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_in_danger_opens_the_second_path(lab: LabClient, origin: str, kind: str) -> None:
    """4 Mbit/s alone would take 2 s."""
    lab.change("wifi", rate="4mbit")
    found = download(Deadline(1.5), url(SIZE, kind=kind, origin=origin))
    assert [subflow.path for subflow in found.subflows] == ["wifi", "lte"]
    assert carried(found, "lte") > 0


def test_a_deadline_out_of_danger_opens_nothing(lab: LabClient) -> None:
    found = download(Deadline(60), url(SIZE))
    assert found.deadline
    assert found.deadline.met
    assert lab.counters()["lte"].up.syns == 0


def test_a_body_read_at_one_go(lab: LabClient) -> None:
    """The strategy sees its bytes come, though the caller gets none before the last."""
    lab.change("wifi", rate="4mbit")
    with make_session(Refresh(400_000)) as session:
        response = session.get(url(SIZE), stream=True)
        body = response.raw.read()
    assert hashlib.sha256(body).digest() == sha256_of(SIZE)
    assert len(told(response).subflows) == 3


def test_a_request_has_a_strategy_of_its_own(lab: LabClient) -> None:
    with make_session() as session:
        fetch(session, url(SIZE))
        assert lab.counters()["lte"].up.syns == 0
        with using(FullMesh()):
            assert carried(fetch(session, url(SIZE)), "lte") > 0
        fetch(session, url(SIZE))
        assert lab.counters()["lte"].up.syns == 1


@pytest.mark.parametrize("strategy", [SinglePath("lte"), StartsOn(lambda _: LTE)])
def test_a_strategy_chooses_where_the_connection_starts(lab: LabClient, strategy: Strategy) -> None:
    found = download(strategy, url(SIZE))
    assert [(s.path, s.initial) for s in found.subflows] == [("lte", True)]
    assert lab.counters()["wifi"].up.syns == 0


def test_a_path_on_which_nothing_starts(lab: LabClient) -> None:
    """Another takes its place, and the report says so; without another it is requests' error."""
    lab.cut("lte")
    found = download(None, url(SIZE), ["lte", "wifi"])
    assert [subflow.path for subflow in found.subflows] == ["wifi"]
    with pytest.raises(requests.ConnectionError, match="none of the interfaces lte reaches"):
        download(None, url(SIZE), ["lte"])


def test_what_is_sent_arrives(lab: LabClient) -> None:
    """With a length, and in chunks."""
    body = bytes(range(256)) * 2000
    pieces: Iterator[bytes] = (body[at : at + 5000] for at in range(0, len(body), 5000))
    with make_session(FullMesh()) as session:
        for data in (body, pieces):
            response = session.post(url(0, kind="echo").removesuffix("/0"), data=data)
            assert response.text == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
def test_a_second_response_starts_clean(opened: Opened, origin: str) -> None:
    """On the same connection, whose second subflow went with the response that opened it."""
    with make_session(FullMesh()) as session:
        first = fetch(session, url(SIZE, origin=origin))
        before = first.to_dict()
        assert [subflow.path for subflow in first.subflows] == ["wifi", "lte"]
        eventually(opened.subflows, 1)
        with using(SinglePath()):
            second = fetch(session, url(SIZE // 2, origin=origin))
        assert first.to_dict() == before
    (subflow,) = second.subflows
    assert subflow.local == first.subflows[0].local
    assert SIZE // 2 <= subflow.bytes_received < SIZE
    assert second.events == second.problems == ()


@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
@pytest.mark.parametrize("how", ["close", "forget"])
@pytest.mark.parametrize("kept", ["keep-alive", "close"])
def test_a_response_that_is_dropped_unread(
    opened: Opened, origin: str, kept: str, how: str
) -> None:
    """Its subflows are gone at once, on both paths."""
    with make_session(FullMesh()) as session:
        session.headers["Connection"] = kept
        response = session.get(url(10 * SIZE, origin=origin), stream=True)
        found = told(response)
        while not carries("lte")(found):
            response.raw.read(5000)
        if how == "close":
            response.close()
        del response
        eventually(opened.subflows, 0)
        assert 0 < found.bytes < 10 * SIZE
        fetch(session, url(SIZE, origin=origin))


def test_a_reset_in_the_middle(opened: Opened) -> None:
    with make_session(FullMesh()) as session:
        response = session.get(f"{url(SIZE, kind='abort')}?at={SIZE // 2}", stream=True)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            response.content  # noqa: B018  reading it is what fails
        assert told(response).bytes < SIZE
        eventually(opened.subflows, 0)


def test_strict(lab: LabClient) -> None:
    """What fails within the body is told there, and the session can go on."""
    with make_session(Scripted(opens_three), strict=True) as session:
        with pytest.raises(requests.ConnectionError, match="the peer refused it"):
            session.get(url(3 * SIZE))
        with using(FullMesh()):
            assert fetch(session, url(SIZE)).problems == ()


def test_strict_without_mptcp(lab: LabClient) -> None:
    refused = pytest.raises(requests.ConnectionError, match="plain TCP")
    with make_session(FullMesh(), strict=True, multipath="mptcp") as session, refused:
        session.get(url(SIZE, origin=names.ORIGIN_PLAIN))
    assert lab.counters()["lte"].up.syns == 0


def test_a_certificate_that_is_not_trusted(lab: LabClient) -> None:
    with make_session(FullMesh()) as session, pytest.raises(requests.exceptions.SSLError):
        session.get(url(SIZE, origin=names.ORIGIN_TLS), verify=True)
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_nginx(mptcp_nginx: None, folder: Path, scheme: str) -> None:  # noqa: F811
    """A server that nobody here wrote: its connection is kept, and both paths carry a file."""
    with make_session(FullMesh()) as session:
        session.verify = str(folder / "authority.pem")
        first, second = (fetch(session, address(scheme)) for _ in range(2))
    assert first.subflows[0].local == second.subflows[0].local
    assert carried(first, "lte") > SIZE / 10
    assert first.problems == second.problems == ()
