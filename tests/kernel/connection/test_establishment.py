"""Opening and draining: pure machines, driven by made-up times."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel import Draining, FourTuple, Opening, OpenRefused, SocketAddress, TCPState
from mphttp.kernel.connection.establishment import (
    DRAIN_CEILING,
    DRAIN_FLOOR,
    OPEN_TIMEOUT,
    SETTLE_CEILING,
    SETTLE_FLOOR,
    SETTLE_ROUND_TRIPS,
)
from mphttp.kernel.events import ConnectionClosed, Overflow, SubflowClosed, SubflowEstablished
from mphttp.kernel.values import SubflowInfo

PAIR = FourTuple(SocketAddress("10.0.2.1", 5000), SocketAddress("10.0.2.2", 80))
OTHER = FourTuple(SocketAddress("10.0.2.1", 5001), SocketAddress("10.0.2.2", 80))
SYN = SubflowInfo(7, PAIR, TCPState.SYN_SENT, 0.0, 0, 0, 0, 0.0)
UP = dataclasses.replace(SYN, state=TCPState.ESTABLISHED)
ESTABLISHED = SubflowEstablished(1, PAIR, 1, 0, False, 3)
CLOSED = SubflowClosed(1, PAIR, 1, 0, 111, None)
START = 1000.0


def up(**told: float) -> SubflowInfo:
    return dataclasses.replace(UP, **told)


def test_the_fourth_packet_opens_a_subflow() -> None:
    """SYN/ACK is the first segment that comes in; the peer's answer to our ACK is the second."""
    opening = Opening(SYN, START)
    assert opening.next_deadline == START + OPEN_TIMEOUT
    opening.on_event(ESTABLISHED, START + 0.1)
    opening.on_info(up(segments_received=1), START + 0.1)
    assert opening.outcome is None
    opening.on_info(up(segments_received=2), START + 0.2)
    assert opening.outcome == up(segments_received=2)
    assert opening.established_at == START + 0.1
    assert opening.next_deadline is None


def test_a_reset_held_up_by_a_queue_is_still_a_refusal() -> None:
    """It came long after a round trip as the handshake had it (seen over a full queue)."""
    opening = Opening(SYN, START)
    opening.on_info(up(rtt=0.016, segments_received=1), START + 0.016)
    opening.on_time(START + 0.060)
    opening.on_event(dataclasses.replace(CLOSED, error=0), START + 0.061)
    assert isinstance(opening.outcome, OpenRefused)


def test_without_a_fourth_packet_time_decides() -> None:
    """It may have been lost; without a better estimate the handshake was the round trip."""
    opening = Opening(SYN, START)
    opening.on_event(ESTABLISHED, START + 0.1)
    settles = START + 0.1 + SETTLE_ROUND_TRIPS * 0.1
    assert opening.next_deadline == pytest.approx(settles)
    opening.on_time(settles - 0.001)
    assert opening.outcome is None
    opening.on_time(settles + 0.001)
    assert opening.outcome == SYN


def test_the_kernels_estimate_is_better_than_the_handshake() -> None:
    """After a lost SYN the handshake took seconds, and the round trip is what it is."""
    opening = Opening(SYN, START)
    opening.on_event(ESTABLISHED, START + 3)
    assert opening.next_deadline == START + 3 + SETTLE_CEILING
    opening.on_info(up(rtt=0.04), START + 3)
    assert opening.next_deadline == pytest.approx(START + 3 + SETTLE_ROUND_TRIPS * 0.04)


def test_settling_has_a_floor() -> None:
    opening = Opening(SYN, START)
    opening.on_info(up(rtt=0.0001), START + 0.0001)
    assert opening.next_deadline == START + 0.0001 + SETTLE_FLOOR


def test_a_look_is_as_good_as_an_event() -> None:
    """The event may have been lost."""
    opening = Opening(SYN, START)
    opening.on_event(Overflow(), START)
    opening.on_info(UP, START + 0.1)
    assert opening.established_at == START + 0.1


def test_one_that_was_established_before_the_first_look() -> None:
    assert Opening(UP, START).established_at == START


@pytest.mark.parametrize("established", [False, True], ids=["at once", "after the handshake"])
def test_a_close_is_a_refusal(established: bool) -> None:
    """Before the handshake (a closed port) and after it (a server at its limit)."""
    opening = Opening(SYN, START)
    if established:
        opening.on_event(ESTABLISHED, START + 0.1)
    opening.on_event(CLOSED, START + 0.2)
    assert isinstance(opening.outcome, OpenRefused)
    assert opening.outcome.errno == 111
    assert "10.0.2.1" in str(opening.outcome)


@pytest.mark.parametrize("state", [TCPState.CLOSE, TCPState.CLOSE_WAIT, TCPState.FIN_WAIT2])
def test_a_look_can_show_a_refusal(state: TCPState) -> None:
    opening = Opening(SYN, START)
    opening.on_info(dataclasses.replace(UP, state=state, segments_received=5), START)
    assert isinstance(opening.outcome, OpenRefused)


def test_gone_is_refused() -> None:
    opening = Opening(SYN, START)
    opening.on_gone()
    assert isinstance(opening.outcome, OpenRefused)


def test_no_answer_names_the_silent_killer() -> None:
    opening = Opening(SYN, START, timeout=2)
    opening.on_time(START + 1.9)
    assert opening.outcome is None
    opening.on_time(START + 2)
    assert isinstance(opening.outcome, OpenRefused)
    assert "nobody answered in 2 s" in str(opening.outcome)
    assert "rp_filter" in opening.outcome.hint


def test_others_are_passed_over() -> None:
    opening = Opening(SYN, START)
    opening.on_event(dataclasses.replace(CLOSED, tuple=OTHER), START)
    opening.on_event(ConnectionClosed(1), START)
    opening.on_info(dataclasses.replace(UP, id=8), START)
    assert opening.outcome is None
    assert opening.established_at is None


steps = st.lists(
    st.tuples(
        st.sampled_from(["established", "closed", "look", "data", "time", "gone"]),
        st.floats(0, 1),
    ),
    max_size=20,
)


@given(steps)
def test_an_outcome_is_final_and_comes_in_time(played: list[tuple[str, float]]) -> None:
    """Whatever happens, the first outcome stays, and there is one when the time is over."""
    opening, now = Opening(SYN, START), START
    first: object = None
    for what, pause in played:
        now += pause
        match what:
            case "established":
                opening.on_event(ESTABLISHED, now)
            case "closed":
                opening.on_event(CLOSED, now)
            case "look":
                opening.on_info(UP, now)
            case "data":
                opening.on_info(up(segments_received=9), now)
            case "gone":
                opening.on_gone()
            case "time":
                opening.on_time(now)
        first = first or opening.outcome
        assert opening.outcome is first
    opening.on_time(now + OPEN_TIMEOUT + SETTLE_CEILING)
    assert opening.outcome is not None


def test_draining_ends_one_quiet_round_trip_after_the_last_arrival() -> None:
    draining = Draining(up(rtt=0.02, bytes_received=100), START)
    assert draining.next_deadline == START + 0.02
    draining.on_info(up(rtt=0.02, bytes_received=200), START + 0.01)
    draining.on_time(START + 0.025)
    assert not draining.done
    draining.on_info(up(rtt=0.02, bytes_received=200), START + 0.03)
    draining.on_time(START + 0.031)
    assert draining.done
    assert draining.next_deadline is None


def test_draining_ends_in_any_case() -> None:
    """A peer that does not stop is not waited for: three round trips, or the ceiling."""
    for rtt, last in ((0.001, DRAIN_CEILING), (0.1, 0.3)):
        draining = Draining(up(rtt=rtt), START)
        now, received = START, 0
        while not draining.done:
            now, received = now + DRAIN_FLOOR / 2, received + 1
            draining.on_info(up(rtt=rtt, bytes_received=received), now)
            draining.on_time(now)
        assert now == pytest.approx(START + last, abs=DRAIN_FLOOR)


def test_draining_ends_when_the_peer_closes() -> None:
    draining = Draining(up(rtt=1), START)
    draining.on_info(dataclasses.replace(UP, id=8, state=TCPState.CLOSE), START)
    assert not draining.done
    draining.on_info(dataclasses.replace(UP, state=TCPState.CLOSE_WAIT), START)
    assert draining.done
