"""A path that holds up the others is found, and no other; against a simple sender of MPTCP."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.core.path_guard import Look, PathGuard

LOOK_EVERY = 0.025
BURST = 64 * 1024
"""Bytes that Linux hands to one subflow before it chooses anew (MPTCP_SEND_BURST_SIZE)."""

Rate = Callable[[float], float]
"""Bytes a second at a time."""


class Sender:
    """Gives bursts to the path that has the least to do, as far as the window allows.

    Args:
        rates: of each path.
        window: bytes from the first that wasn't delivered.
    """

    def __init__(self, rates: dict[str, Rate], window: int) -> None:
        self.rates = rates
        self.window = window
        self.now = 0.0
        self.next = 0
        self.queues: dict[str, list[list[int]]] = {path: [] for path in rates}
        self.came = dict.fromkeys(rates, 0)
        self.ahead: list[tuple[int, int]] = []
        self.delivered = 0
        self.idle = dict.fromkeys(rates, 0.0)

    def queued(self, path: str) -> int:
        return sum(end - begin for begin, end in self.queues[path])

    def assign(self) -> None:
        while self.next < self.delivered + self.window:
            path = min(self.queues, key=self.queued)
            if self.queued(path) >= 4 * BURST:
                return
            end = min(self.next + BURST, self.delivered + self.window)
            self.queues[path].append([self.next, end])
            self.next = end

    def pass_time(self, seconds: float) -> None:
        self.assign()
        self.now += seconds
        for path, queue in self.queues.items():
            can = left = round(self.rates[path](self.now) * seconds)
            before = self.came[path]
            while left > 0 and queue:
                begin, end = queue[0]
                got = min(left, end - begin)
                self.ahead.append((begin, begin + got))
                self.came[path] += got
                left -= got
                queue[0][0] += got
                if queue[0][0] == end:
                    queue.pop(0)
            silent = self.idle[path] + seconds if self.came[path] == before else 0.0
            self.idle[path] = silent or seconds * left / can
        self.deliver()

    def deliver(self) -> None:
        self.ahead.sort()
        while self.ahead and self.ahead[0][0] <= self.delivered:
            self.delivered = max(self.delivered, self.ahead.pop(0)[1])

    def look(self) -> Look:
        waiting = sum(end - begin for begin, end in self.ahead)
        rtt = dict.fromkeys(self.rates, 0.02)
        return Look(self.now, self.delivered, dict(self.came), waiting, rtt, dict(self.idle))


def ended_at(
    rates: dict[str, Rate], *, window: int = 256 * 1024, seconds: float = 6.0
) -> float | None:
    """Return when LTE is ended beside Wi-Fi, or None."""
    sender, guard = Sender(rates, window), PathGuard()
    guard.look(sender.look(), "wifi", ["lte"])
    while sender.now < seconds:
        sender.pass_time(LOOK_EVERY)
        if guard.look(sender.look(), "wifi", ["lte"]) is not None:
            return sender.now
    return None


def steady(rate: float) -> Rate:
    return lambda _: rate


@pytest.mark.parametrize("window", [128 * 1024, 512 * 1024, 4 * 1024 * 1024])
@pytest.mark.parametrize("wifi", [1e6, 5e6])
@pytest.mark.parametrize("share", [0.01, 0.03, 0.06])
def test_a_weak_path_is_ended_before_much_is_lost(wifi: float, share: float, window: int) -> None:
    ended = ended_at({"wifi": steady(wifi), "lte": steady(share * wifi)}, window=window)
    assert ended is not None
    assert ended < 0.7


@given(
    wifi=st.floats(1e5, 1e7),
    share=st.floats(0.6, 10),
    window=st.sampled_from([512 * 1024, 2**20, 2**22]),
)
def test_a_path_that_is_as_good_is_never_ended(wifi: float, share: float, window: int) -> None:
    rates = {"wifi": steady(wifi), "lte": steady(share * wifi)}
    assert ended_at(rates, window=window) is None


@given(
    begins=st.floats(0.3, 3),
    lasts=st.floats(0.2, 5),
    left=st.sampled_from([0.0, 0.02, 0.1]),
    share=st.floats(0.4, 2),
)
def test_who_helps_while_wifi_fails_stays(
    begins: float, lasts: float, left: float, share: float
) -> None:
    """Wi-Fi brings next to nothing for a while, and what it was given holds up LTE."""

    def wifi(now: float) -> float:
        return 1e6 * (left if begins <= now < begins + lasts else 1.0)

    rates = {"wifi": wifi, "lte": steady(share * 1e6)}
    assert ended_at(rates, window=2**20) is None


@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 3),
            st.integers(0, 10**6),
            st.integers(0, 10**6),
            st.integers(0, 10**6),
            st.integers(0, 10**6),
        ),
        max_size=100,
    )
)
def test_whatever_is_seen_only_a_suspect_is_ended(
    seen: list[tuple[float, int, int, int, int]],
) -> None:
    guard, now, came, delivered = PathGuard(), 0.0, {"wifi": 0, "lte": 0, "wired": 0}, 0
    for seconds, wifi, lte, more, waiting in seen:
        now += seconds
        delivered += more
        came = {"wifi": came["wifi"] + wifi, "lte": came["lte"] + lte, "wired": came["wired"]}
        assert guard.look(Look(now, delivered, came, waiting), "wifi", ["lte"]) in (None, "lte")


def test_a_server_that_pauses_blames_no_path() -> None:
    guard, now, came = PathGuard(), 0.0, 0
    for step in range(400):
        now += LOOK_EVERY
        came += 0 if step % 100 > 40 else 25_000
        look = Look(now, 2 * came, {"wifi": came, "lte": came}, 0)
        assert guard.look(look, "wifi", ["lte"]) is None
