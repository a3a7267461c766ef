"""`Deadline(d)`: in time, released and taken up again, against the oracle on a virtual clock."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.strategies import Close, Deadline, Open, Path, SetBackup, Subflow, Transfer
from mphttp.strategies.extra_path import Ahead, Held
from mphttp.testing import LTE, WIFI, Outcome, Replay, SimulatedPath, check_strategy, simulate

MB = 1_000_000
ETH = Path("eth")


def path(name: str, rate: Any, **more: Any) -> SimulatedPath:
    return SimulatedPath(name, rate, 0.05, slow_start=True, lag=0.5, **more)


def changes(outcome: Outcome) -> list[str]:
    """Tell what was done about other paths, in order."""
    words = {True: "pause", False: "resume"}
    return [
        f"open {command.path.name}"
        if isinstance(command, Open)
        else f"{words[command.backup]} {command.subflow.path.name}"
        for _, command in outcome.commands
        if isinstance(command, Open | SetBackup)
    ]


@pytest.mark.slow
@given(wifi=st.floats(2e5, 1e6), lte=st.floats(2e5, 1e6), d=st.floats(4, 30))
def test_steady_paths_meet_what_can_be_met_with_little_more_than_is_needed(
    wifi: float, lte: float, d: float
) -> None:
    """No miss where a tenth of the time is left, and a tenth of the body over the least."""
    length = 5 * MB
    outcome = simulate(Deadline(d), [path("wifi", wifi), path("lte", lte)], length)
    needed = max(0.0, length - wifi * (d - 0.2))
    if (wifi + lte) * (d * 0.9 - 1) > length:
        assert outcome.seconds is not None
        assert outcome.seconds <= d
        assert outcome.carried["lte"] <= needed + 0.05 * wifi * d + 0.7 * lte
    assert outcome.crash is None


def test_a_path_that_is_enough_leaves_the_other_alone() -> None:
    outcome = simulate(Deadline(6), [path("wifi", 1e6), path("lte", 1e6)], 5 * MB)
    assert outcome.commands == ()


def test_the_other_path_is_released_when_the_first_can_finish_alone() -> None:
    outcome = simulate(Deadline(8), [path("wifi", 5e5), path("lte", 5e5)], 5 * MB)
    assert changes(outcome)[:2] == ["open lte", "pause lte"]
    assert outcome.seconds is not None
    assert 7 < outcome.seconds <= 8


@pytest.mark.parametrize("d", [8, 9, 10])
def test_what_the_preferred_path_does_while_the_other_one_drains_is_no_outage(d: float) -> None:
    """In the lab it pauses then, and catches up (see `InTime._drains`)."""
    lte = path("lte", 375e3)
    plain = simulate(Deadline(d), [path("wifi", 475e3), lte], 5 * MB)
    dip = 0.05 + next(at for at, command in plain.commands if isinstance(command, SetBackup))
    wifi = path("wifi", [(0, 475e3), (dip, 0), (dip + 0.15, 950e3), (dip + 0.3, 475e3)])
    assert simulate(Deadline(d), [wifi, lte], 5 * MB).commands == plain.commands


@pytest.mark.parametrize("wifi", [420e3, 475e3, 520e3])
def test_a_paused_path_is_not_asked_again_for_little(wifi: float) -> None:
    outcome = simulate(Deadline(8), [path("wifi", wifi), path("lte", 375e3)], 5 * MB)
    assert changes(outcome) == ["open lte", "pause lte", "resume lte", "pause lte"]


def test_what_was_released_is_taken_up_again_when_the_first_path_falls_short() -> None:
    wifi = path("wifi", [(0, 5e5), (6, 5e4)])
    outcome = simulate(Deadline(9), [wifi, path("lte", 1e6)], 5 * MB)
    assert changes(outcome)[:3] == ["open lte", "pause lte", "resume lte"]
    assert outcome.seconds is not None
    assert outcome.seconds <= 9


def test_a_black_hole_is_noticed() -> None:
    """Wi-Fi could finish in time if it came back at once; after 2 s nobody relies on that.

    What is opened for it isn't released in it.
    """
    wifi = path("wifi", [(0, 1e6), (2, 0)])
    outcome = simulate(Deadline(9), [wifi, path("lte", 1e6)], 5 * MB)
    assert changes(outcome) == ["open lte"]
    assert 2 < outcome.commands[0][0] <= 4
    assert outcome.seconds is not None
    assert outcome.seconds <= 9


def test_after_an_outage_more_time_is_kept_for_another() -> None:
    """Wi-Fi alone would be done 0.45 s before the deadline, with the outage and without."""
    outage = [(0, 6e5), (3, 0), (4.5, 6e5)]
    lte = path("lte", 5e5)
    without = simulate(Deadline(8.9), [path("wifi", 6e5), lte], 5 * MB)
    after = simulate(Deadline(10.4), [path("wifi", outage), lte], 5 * MB)
    assert without.seconds == pytest.approx(8.45, abs=0.1)
    assert without.commands == ()
    assert after.seconds is not None
    assert after.seconds < 9.8


@pytest.mark.parametrize("gone", [7.0, 8.0, 9.0])
def test_walking_out_of_a_path_is_noticed_in_time(gone: float) -> None:
    """The other path takes over while the first one fades, for four seconds."""
    fading = [(gone - 4 + n / 10, 5e5 * (1 - n / 40)) for n in range(41)]
    wifi = path("wifi", [(0, 5e5), *fading])
    outcome = simulate(Deadline(9), [wifi, path("lte", 4e5)], 5 * MB)
    assert outcome.seconds is not None
    assert outcome.seconds <= 9


def test_what_waits_out_of_order_need_not_come_again() -> None:
    """But for what may as well have come twice: as much as there was all the time for 2 s."""
    held = Held()
    for look, undelivered in enumerate([0, 300, 100, 400]):
        held.observe(look / 2, undelivered)
    assert (held.back, held.unclear) == (400, 0)
    held.observe(2.1, 250)
    assert (held.back, held.unclear) == (150, 100)


def queued(name: str, rate: float) -> SimulatedPath:
    """Make a path for which the peer has queued up to 0.8 s."""
    return SimulatedPath(name, rate, 0.02, slow_start=True, queue=0.8 * rate)


@pytest.mark.parametrize("d", [7.5, 7.75, 8.0])
def test_a_path_is_asked_while_there_is_something_left_to_move(d: float) -> None:
    """In the last second all that is missing is in Wi-Fi's queue (8 and 12 Mbit/s, 10 MB)."""
    paths = [queued("wifi", 0.95e6), queued("lte", 1.4e6)]
    outcome = simulate(Deadline(d), paths, 10 * MB)
    assert outcome.seconds is not None
    assert outcome.seconds <= d - 0.2
    assert outcome.carried["lte"] <= 10 * MB - 0.95e6 * (d - 1)
    last = max(at for at, c in outcome.commands if isinstance(c, SetBackup) and not c.backup)
    assert last < d - 0.8


def test_how_far_ahead_the_peer_queues_is_how_long_another_path_waits() -> None:
    """Until its first bytes are delivered; a path of which nothing waits has no queue beside it."""
    ahead = Ahead()
    supposed = ahead.seconds
    ahead.asked(1000)
    ahead.observe(1.0, 20_000, 19_000)
    assert ahead.seconds == supposed
    ahead.observe(1.1, 101_000, 100_000)
    ahead.observe(2.0, 301_000, 300_000)
    assert ahead.seconds == pytest.approx(0.9)
    ahead.observe(2.1, 401_000, 50_000)
    assert ahead.seconds == pytest.approx(1.0)
    ahead.asked(401_000)
    ahead.observe(3.0, 501_000, 0)
    assert ahead.seconds == 0


def test_a_short_deadline_leaves_nothing_for_later() -> None:
    """What the peer has queued for one path by then can't be moved (see `SHORT`)."""
    paths = [path("wifi", 4e5), path("lte", 4e5)]
    short = simulate(Deadline(2.9), paths, 1_000_000)
    longer = simulate(Deadline(4), paths, 1_300_000)
    assert changes(short)[0] == "open lte"
    assert changes(longer) == []


def test_a_late_transfer_goes_on_with_all_there_is() -> None:
    outcome = simulate(Deadline(2), [path("wifi", 5e5), path("lte", 5e5)], 5 * MB)
    assert outcome.seconds is not None
    assert outcome.seconds < 6.5


def test_a_third_path_comes_in_only_when_the_second_is_not_enough() -> None:
    paths = [path("wifi", 3e5), path("lte", 3e5), path("sat", 3e5)]
    two = simulate(Deadline(10), paths, 5 * MB)
    three = simulate(Deadline(7), paths, 5 * MB)
    assert two.carried["sat"] == 0
    assert changes(three)[:2] == ["open lte", "open sat"]
    assert three.seconds is not None
    assert three.seconds <= 7


def test_a_path_that_takes_no_subflow_makes_room_for_the_next() -> None:
    replay = Replay(Deadline(10), 10 * MB, (WIFI, LTE, ETH), broken=frozenset({LTE}))
    bring(replay, 0, until=4.0, rate=1e5)
    assert [c.path for c in replay.commands if isinstance(c, Open)][:2] == [LTE, ETH]


def test_a_slow_reader_is_not_fought() -> None:
    """What was opened before is paused while the application doesn't read."""
    replay = Replay(Deadline(10), 10 * MB)
    bring(replay, 0, until=2.0, rate=5e5)
    assert [type(c) for c in replay.commands] == [Open]
    replay.at(2.5, 10_000, delivered=2 * MB)
    assert isinstance(replay.commands[-1], SetBackup)
    assert replay.commands[-1].backup


def test_a_warm_path_is_resumed_without_a_handshake() -> None:
    paths = [path("wifi", 5e5), path("lte", 5e5)]
    outcome = simulate(Deadline(2, keep=True), paths, 1_200_000, warm={"lte"})
    assert changes(outcome)[0] == "resume lte"
    assert outcome.alive == ("wifi", "lte")
    assert outcome.seconds is not None
    assert outcome.seconds <= 2


@pytest.mark.slow
@given(
    rates=st.lists(st.floats(1e4, 1e6), min_size=20, max_size=20),
    d=st.floats(1, 20),
)
def test_paths_are_not_changed_more_often_than_that_can_be_seen(
    rates: list[float], d: float
) -> None:
    wifi = path("wifi", [(index / 2, rate) for index, rate in enumerate(rates)])
    outcome = simulate(Deadline(d), [wifi, path("lte", 3e5)], 5 * MB)
    times = [time for time, _ in outcome.commands]
    assert all(b - a >= 0.1 - 1e-6 for a, b in pairwise(times))
    assert not any(isinstance(command, Close) for _, command in outcome.commands)


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy", [Deadline(10), Deadline(0.01), Deadline(5, margin=1.0, keep=True)]
)
def test_the_default_rule_conforms(strategy: Deadline) -> None:
    check_strategy(strategy, histories=300)


def bring(replay: Replay, subflow: int, *, until: float, rate: float) -> None:
    """Let a subflow bring bytes at a rate, and the strategy look."""
    now = 0.0
    while now < until:
        now += 0.05
        count = int(now * rate)
        replay.change(subflow, bytes_received=count)
        replay.at(now, count)
    assert isinstance(replay.live[0], Subflow)


@pytest.mark.parametrize("lte", [0.0, 1e5, 2.5e5])
def test_what_cannot_be_met_is_told_with_its_end(lte: float) -> None:
    """Wi-Fi brings a quarter of a megabyte a second, and LTE no more: 5 MB take 10 s or more."""
    paths = [path("wifi", 2.5e5), *([path("lte", lte)] if lte else [])]
    outcome = simulate(Deadline(6), paths, 5 * MB)
    assert outcome.seconds is not None
    assert outcome.expected == pytest.approx(outcome.seconds, rel=0.1)


@pytest.mark.slow
@given(wifi=st.floats(1e5, 4e6), lte=st.floats(1e5, 4e6), d=st.floats(3, 12))
def test_nobody_is_told_of_a_deadline_that_is_met(wifi: float, lte: float, d: float) -> None:
    length = int(0.9 * (wifi + lte) * (d - 1))
    outcome = simulate(Deadline(d), [path("wifi", wifi), path("lte", lte)], length)
    assert outcome.seconds is not None
    assert outcome.expected is None or outcome.seconds > 0.9 * d


def test_what_could_not_be_met_and_can_is_told_too() -> None:
    """Wi-Fi is four times as fast from the third second on."""
    outcome = simulate(Deadline(8), [path("wifi", [(0, 2e5), (3, 8e5)])], 4 * MB)
    assert outcome.seconds is not None
    assert outcome.seconds < 8
    assert outcome.expected is None


def test_slow_start_is_no_reason_to_give_up() -> None:
    """With a round trip of 0.4 s, a sender takes three seconds until it fills 5 MB/s."""
    far = SimulatedPath("wifi", 5e6, 0.4, slow_start=True)
    short = SimulatedPath("lte", 1e5, 0.05, slow_start=True)
    told: list[float | None] = []

    class Told(Transfer):
        def expect(self, seconds: float | None) -> None:
            told.append(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mphttp.testing.simulation.Transfer", Told)
        outcome = simulate(Deadline(8), [far, short], 15 * MB)
    assert outcome.seconds is not None
    assert outcome.seconds < 8
    assert told == []
