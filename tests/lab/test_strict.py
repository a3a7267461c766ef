"""`strict=True` is for those who want an error instead of a problem in the report."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mphttp import FullMesh, SinglePath, Strategy
from mphttp.lab import LabClient, names

from . import strategies
from .downloads import WITHOUT_PRIVILEGE, Fault, carries, download, fetch, make_client, url
from .strategies import Scripted, StartsOn
from .test_faults import PATH_MANAGER, opens_three, reset

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 3_000_000


def refused(strategy: Strategy, *faults: Fault, origin: str = names.ORIGIN, **options: Any) -> str:
    """Return what a strict download raises: the base of httpx's errors, with words and a hint."""
    with pytest.raises(httpx.TransportError) as caught:
        download(strategy, url(SIZE, origin=origin), *faults, strict=True, **options)
    assert type(caught.value) is httpx.TransportError
    assert caught.value.request.url.path == f"/bytes/{SIZE}"
    return str(caught.value)


def test_a_peer_without_mptcp(lab: LabClient) -> None:
    told = refused(FullMesh(), origin=names.ORIGIN_PLAIN, multipath="mptcp")
    assert "plain TCP" in told
    assert "(hint: " in told


def test_a_refused_response_gives_its_connection_back(lab: LabClient) -> None:
    """A client that may have one connection alone can go on."""
    plain = url(SIZE, origin=names.ORIGIN_PLAIN)
    options = {"multipath": "mptcp", "limits": httpx.Limits(max_connections=1)}
    with make_client(FullMesh(), strict=True, **options) as client:
        for _ in range(2):
            with pytest.raises(httpx.TransportError, match="plain TCP"):
                client.get(plain)
        fetch(client, plain, extensions={"strategy": SinglePath()})


def test_a_peer_without_mptcp_that_sends_parts(lab: LabClient) -> None:
    """The strategy gets what it asks for."""
    report = download(FullMesh(), url(SIZE, origin=names.ORIGIN_PLAIN), strict=True)
    assert [subflow.path for subflow in report.subflows] == ["wifi", "lte"]


def test_a_peer_without_mptcp_matters_only_to_who_wants_several_paths(lab: LabClient) -> None:
    report = download(SinglePath(), url(SIZE, origin=names.ORIGIN_PLAIN), strict=True)
    assert report.protocol == "tcp"


def test_the_in_kernel_path_manager(lab: LabClient) -> None:
    PATH_MANAGER.write_text("0")
    try:
        assert "the kernel manages the paths" in refused(FullMesh(), multipath="mptcp")
    finally:
        PATH_MANAGER.write_text("1")


SCRIPT = """
import sys, httpx
from mphttp import FullMesh, MultipathTransport
transport = MultipathTransport(FullMesh(), strict=True, multipath="mptcp")
with httpx.Client(transport=transport) as client:
    try:
        client.get(sys.argv[1])
    except httpx.TransportError as error:
        print(type(error).__name__, error)
"""


def test_no_privilege(lab: LabClient) -> None:
    command = [*WITHOUT_PRIVILEGE, sys.executable, "-c", SCRIPT, url(SIZE)]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert told.startswith("TransportError ")
    assert "CAP_NET_ADMIN" in told


def test_no_second_path(lab: LabClient) -> None:
    lab.cut("lte")
    assert "only wifi reaches the server" in refused(FullMesh())


def test_a_refused_subflow(lab: LabClient) -> None:
    assert "the peer refused it" in refused(Scripted(opens_three))


def test_a_subflow_that_is_reset(lab: LabClient) -> None:
    fault = Fault(carries("lte"), lambda: reset(lab, "lte"))
    assert "the subflow on lte ended: Connection reset by peer" in refused(FullMesh(), fault)


def test_a_link_that_is_cut(lab: LabClient) -> None:
    fault = Fault(carries("lte"), lambda: lab.cut("lte"))
    assert re.search("lte (doesn't reach the server any|held up)", refused(FullMesh(), fault))


@pytest.mark.parametrize(
    "script",
    [
        strategies.raises_at_once,
        strategies.raises_midway,
        strategies.raises_in_finally,
        strategies.yields_a_word,
    ],
)
def test_a_wrong_strategy(lab: LabClient, script: Callable[..., Any]) -> None:
    """Also one whose fault shows only when the last byte has come."""
    assert "the strategy 'scripted' ended with" in refused(Scripted(script))


def test_a_wrong_connect_on(lab: LabClient) -> None:
    assert "connect_on of the strategy 'startson'" in refused(StartsOn(lambda _: 1 / 0))


def test_nothing_wrong(lab: LabClient) -> None:
    """A strict transfer that goes well is like any other."""
    assert download(FullMesh(), url(SIZE), strict=True).problems == ()
