"""What a connection refused, and whether it is opened in another way."""

from __future__ import annotations

import pytest

from mphttp.core import SubflowRecord
from mphttp.core.subflow import State
from mphttp.engine import Request
from mphttp.engine.otherwise import Otherwise
from mphttp.engine.request import Multipath, Parts
from mphttp.kernel.values import FourTuple, Path, SocketAddress, SubflowInfo, TCPState
from mphttp.strategies import FullMesh, Open
from mphttp.strategies import Path as Wanted

LTE = Path("lte", 2, "192.0.2.2")
REFUSED = OSError("refused")


def asked(multipath: Multipath = "auto") -> Otherwise:
    """Return what a strategy has asked a connection for: a subflow over LTE."""
    otherwise = Otherwise(Request("http://one.example/", FullMesh(), multipath=multipath))
    otherwise.ask(Open(Wanted("lte")), LTE)
    return otherwise


def alive(path: str) -> list[SubflowRecord]:
    """Return a subflow that carries data."""
    ends = FourTuple(SocketAddress(LTE.address, 1), SocketAddress("192.0.2.1", 80))
    info = SubflowInfo(1, ends, TCPState.ESTABLISHED, 0.0, 0, 0, 0, 0.0)
    return [SubflowRecord(1, path, ends, info, State.ESTABLISHED)]


@pytest.mark.parametrize(
    ("multipath", "answered", "bodiless", "kept"),
    [
        ("auto", False, True, True),
        ("auto", True, True, False),
        ("auto", False, False, False),
        ("mptcp", False, True, False),
    ],
)
def test_a_refusal_waits_for_a_head_that_decides(
    multipath: Multipath, answered: bool, bodiless: bool, kept: bool
) -> None:
    """That of an upload may be long in coming, and nothing but parts could help."""
    otherwise = asked(multipath)
    assert otherwise.keep(REFUSED, answered=answered, bodiless=bodiless) is kept
    assert otherwise.take_refusal() is (REFUSED if kept else None)
    assert otherwise.take_refusal() is None


def test_it_is_opened_once() -> None:
    otherwise = asked()
    opening = otherwise.take_opening(list)
    assert opening is not None
    assert opening.path == LTE
    assert otherwise.take_opening(list) is None


@pytest.mark.parametrize(("there", "opens"), [("lte", False), ("wifi", True)])
def test_a_path_in_use_is_left_alone(there: str, opens: bool) -> None:
    assert (asked().take_opening(lambda: alive(there)) is not None) is opens


def test_the_hint_tells_why_parts_don_t_help() -> None:
    request = Request("http://one.example/", FullMesh())
    request.parts, request.not_in_parts = Parts.IF_REFUSED, "no ranges"
    otherwise = Otherwise(request)
    assert otherwise.hint("mend it") == "mend it"  # nothing was to be opened
    otherwise.ask(Open(Wanted("lte")), LTE)
    assert otherwise.hint("mend it") == "mend it; nor can it be fetched in parts: no ranges"
