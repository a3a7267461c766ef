"""Which attempts begin when, and which wins: no socket and no clock."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel.values import Path, SocketAddress
from mphttp.network.candidates import Candidates
from mphttp.network.race import ATTEMPT_DELAY, COSTLY_AFTER, PATIENCE, Race, interleaved
from mphttp.network.start import Start

V4, V6 = socket.AF_INET, socket.AF_INET6


@dataclass(frozen=True)
class Try:
    """An attempt, of which the outcome is known beforehand.

    Args:
        name: for words.
        after: seconds until its outcome, None for silence.
        works: what that is.
        rank: how preferred it is.
        costly: whether its path costs money.
    """

    name: str
    after: float | None
    works: bool = True
    rank: int = 0
    costly: bool = False


def held(*tries: Try) -> tuple[str | None, float, list[tuple[str, float]]]:
    """Hold a race; return who won, when, and when each began."""
    race, now = Race(tries, 0.0), 0.0
    began: list[tuple[str, float]] = []
    outcomes: list[tuple[float, Try]] = []
    while now < 100:
        for due, attempt in sorted(outcomes, key=lambda outcome: outcome[0]):
            if due <= now:
                outcomes.remove((due, attempt))
                if attempt.works:
                    race.connected(attempt)
                else:
                    race.failed(attempt, now)
        while (attempt_now := race.begin(now)) is not None:
            began.append((attempt_now.name, now))
            if attempt_now.after is not None:
                outcomes.append((now + attempt_now.after, attempt_now))
        winner = race.winner(now)
        if winner is not None or race.lost:
            return (winner.name if winner else None), now, began
        wait = race.wait(now)
        times = [due for due, _ in outcomes] + ([] if wait is None else [now + wait])
        now = min(times, default=100)
    return None, now, began


def test_one_that_answers_is_alone() -> None:
    assert held(Try("first", 0.2), Try("second", 0.0)) == ("first", 0.2, [("first", 0.0)])


def test_what_costs_money_waits_until_what_is_free_had_its_time() -> None:
    slow, costly = Try("free", 1.2), Try("costly", 0.1, rank=1, costly=True)
    assert held(slow, costly) == ("free", 1.2, [("free", 0.0)])
    silent = Try("free", None)
    winner, at, began = held(silent, costly)
    assert (winner, began) == ("costly", [("free", 0.0), ("costly", COSTLY_AFTER)])
    assert at == pytest.approx(COSTLY_AFTER + 0.1)
    refused = Try("free", 0.2, works=False)
    assert held(refused, costly)[2] == [("free", 0.0), ("costly", 0.2)]
    assert held(costly)[2] == [("costly", 0.0)]


def test_a_silent_one_costs_one_delay() -> None:
    assert held(Try("dead", None), Try("alive", 0.01))[:2] == ("alive", ATTEMPT_DELAY + 0.01)


def test_a_failure_costs_nothing() -> None:
    """RFC 8305, section 5: the next begins at once."""
    winner, at, _ = held(Try("refused", 0.01, works=False), Try("alive", 0.0))
    assert (winner, at) == ("alive", 0.01)


def test_on_one_path_the_first_answer_wins() -> None:
    assert held(Try("slow", 0.4), Try("quick", 0.01))[0] == "quick"


def test_a_preferred_path_is_waited_for_a_little() -> None:
    """Its round trip may take longer than the delay; the other one is then closed unused."""
    assert held(Try("far", 0.4), Try("near", 0.01, rank=1))[:2] == ("far", 0.4)
    assert held(Try("dead", None), Try("near", 0.01, rank=1))[:2] == ("near", PATIENCE)


def test_nothing_begins_while_a_preferred_path_is_waited_for() -> None:
    far, near, third = Try("far", None), Try("near", 0.0, rank=1), Try("third", 0.0, rank=2)
    assert [name for name, _ in held(far, near, third)[2]] == ["far", "near"]


def test_nobody_answers() -> None:
    assert held(*[Try(f"{n}", 0.1, works=False) for n in range(3)])[0] is None
    assert held()[0] is None


@given(
    st.lists(
        st.builds(
            Try,
            st.uuids().map(str),
            st.none() | st.floats(0, 3),
            st.booleans(),
            st.integers(0, 2),
        )
    )
)
def test_whoever_works_is_found(tries: list[Try]) -> None:
    """Each that is silent costs one delay at most, and patience is spent once."""
    works = [(n, t.after) for n, t in enumerate(tries) if t.works and t.after is not None]
    winner, at, _ = held(*tries)
    assert (winner is not None) == bool(works)
    if winner is not None:
        bound = min(n * ATTEMPT_DELAY + after for n, after in works)
        assert at <= max(bound, PATIENCE) + 1e-6


@given(st.lists(st.sampled_from([V4, V6])))
def test_families_take_turns(families: list[int]) -> None:
    found = [(family, place) for place, family in enumerate(families)]
    mixed = interleaved(found)
    assert sorted(mixed) == sorted(found)
    assert [entry for entry in mixed if entry[0] == V4] == [e for e in found if e[0] == V4]
    assert not found or mixed[0] == found[0]
    rarer = min(families.count(V4), families.count(V6))
    together = [family for family, _ in mixed[: 2 * rarer]]
    assert all(one != other for one, other in pairwise(together))


class Paths(Start):
    """Every address is reached by the same paths."""

    def __init__(self, *ranks: int) -> None:
        super().__init__(None)
        self._ranks = ranks

    def preferred(self, remote: SocketAddress, link: int = 0) -> list[tuple[int, Path | None]]:
        return [(rank, Path(f"if{rank}", rank, "192.0.2.1")) for rank in self._ranks]


def entry(host: str) -> tuple[Any, ...]:
    family = V6 if ":" in host else V4
    return (family, socket.SOCK_STREAM, 6, "", (host, 80))


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        (
            ["::1", "::2", "127.0.0.1"],
            "::1/if1 127.0.0.1/if1 ::1/if2 127.0.0.1/if2 ::2/if1 ::2/if2",
        ),
        (["127.0.0.1", "127.0.0.1"], "127.0.0.1/if1 127.0.0.1/if2"),
        ([], ""),
    ],
)
def test_neither_a_dead_family_nor_a_dead_path_costs_more_than_two_delays(
    hosts: Sequence[str], expected: str
) -> None:
    """Both families come on the preferred path first, then on the next; then further addresses."""
    found = Candidates("www.example", map(entry, hosts), Paths(1, 2))
    order = [f"{c.address[0]}/{c.path.name}" for c in found if c.path is not None]
    assert " ".join(order) == expected
