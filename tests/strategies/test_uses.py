"""The uses that the paper names, one by one: decisions with made-up times, bytes and paths."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.strategies import (
    Background,
    CheapestFirst,
    Close,
    DelayedByContentLength,
    DropSlow,
    Event,
    FullMesh,
    HandshakeOn,
    Mark,
    NDiffPorts,
    Open,
    Path,
    Refresh,
    Remote,
    SetOption,
    Strategy,
)
from mphttp.testing import LTE, SERVER, WIFI, Replay, SimulatedPath, opened, simulate

ETH = Path("eth")
SECOND = Remote("192.0.2.2", 443)


def paths_of(replay: Replay) -> list[str]:
    return [subflow.path.name for subflow in replay.live]


class TestRefresh:
    def test_by_time(self) -> None:
        replay = Replay(Refresh(None, every=5))
        assert replay.at(4.9, 500) == []
        new, old = replay.at(5.0, 500)
        assert isinstance(new, Open)
        assert isinstance(old, Close)
        assert replay.at(9.9, 600) == []
        assert opened(replay.at(10.0, 600)) == ["wifi"]

    def test_by_bytes_and_time_at_whichever_comes_first(self) -> None:
        replay = Replay(Refresh(500, every=5))
        assert opened(replay.at(1.0, 500)) == ["wifi"]
        assert opened(replay.at(5.9, 999)) == []
        assert opened(replay.at(6.0, 999)) == ["wifi"]
        assert opened(replay.at(6.1, 1000)) == ["wifi"]

    def test_rotation_goes_round_the_paths(self) -> None:
        replay = Replay(Refresh(100, rotate=True), all_paths=(WIFI, LTE, ETH))
        for received in (100, 200, 300, 400):
            replay.at(received / 100, received)
        assert opened(replay.commands) == ["lte", "eth", "wifi", "lte"]
        assert paths_of(replay) == ["lte"]

    def test_rotation_passes_over_a_path_that_does_not_open(self) -> None:
        replay = Replay(
            Refresh(100, rotate=True), all_paths=(WIFI, LTE, ETH), broken=frozenset({LTE})
        )
        replay.at(1.0, 100)
        assert paths_of(replay) == ["eth"]

    @pytest.mark.parametrize("bad", [{"threshold": None}, {"every": 0}, {"every": math.nan}])
    def test_what_would_never_refresh_is_refused(self, bad: dict[str, float | None]) -> None:
        with pytest.raises(ValueError, match="positive"):
            Refresh(**bad)  # type: ignore[arg-type]

    def test_opens_that_failed_are_not_made_up_for(self) -> None:
        replay = Replay(Refresh(100), broken=frozenset({WIFI}))
        assert opened(replay.at(1.0, 950)) == ["wifi"]
        replay.broken = frozenset()
        assert opened(replay.at(1.1, 999)) == []
        assert opened(replay.at(1.2, 1000)) == ["wifi"]

    def test_rotation_spreads_the_bytes(self) -> None:
        """Whoever listens on one of two like paths hears about half."""
        both = [SimulatedPath(name, 1e6) for name in ("wifi", "lte")]
        outcome = simulate(Refresh(500_000, rotate=True), both, 10_000_000)
        assert outcome.carried["wifi"] == pytest.approx(5_000_000, rel=0.15)


class TestHandshakeOn:
    def test_starts_on_the_first_and_moves_to_the_second(self) -> None:
        replay = Replay(HandshakeOn("lte", then="wifi"))
        new, old = replay.commands
        assert new == Open(WIFI)
        assert isinstance(old, Close)
        assert old.subflow.initial
        assert paths_of(replay) == ["wifi"]

    def test_without_names_the_order_of_the_paths_decides(self) -> None:
        assert HandshakeOn().connect_on([LTE, WIFI]) == LTE
        assert HandshakeOn(then="lte").connect_on([LTE, WIFI]) == WIFI
        assert paths_of(Replay(HandshakeOn())) == ["lte"]

    def test_stays_where_it_is_if_the_other_path_fails(self) -> None:
        assert paths_of(Replay(HandshakeOn(), broken=frozenset({LTE}))) == ["wifi"]

    def test_goes_nowhere_else_than_it_is_told(self) -> None:
        replay = Replay(
            HandshakeOn("wifi", then="lte"), all_paths=(WIFI, ETH, LTE), broken=frozenset({LTE})
        )
        assert opened(replay.commands) == ["lte"]

    def test_the_next_response_of_the_connection_stays_on_the_second(self) -> None:
        replay = Replay(HandshakeOn("eth", then="lte"))  # it is on wifi, not on eth
        assert replay.commands == []
        assert replay.run.done

    def test_the_same_path_twice_is_refused(self) -> None:
        with pytest.raises(ValueError, match="two interfaces"):
            HandshakeOn("lte", then="lte")

    def test_most_of_the_body_comes_over_the_second(self) -> None:
        paths = [SimulatedPath("lte", 1.5e6, 0.1), SimulatedPath("wifi", 1e6, 0.04)]
        outcome = simulate(HandshakeOn("lte", then="wifi"), paths, 10_000_000)
        assert outcome.carried["wifi"] > 0.95 * 10_000_000


class TestCheapestFirst:
    @pytest.mark.parametrize(
        ("costs", "start"),
        [
            ({"wifi": 5, "lte": 1.5}, LTE),
            ({"wifi": 1}, WIFI),
            ({"lte": 1}, LTE),
            (["lte", "wifi"], LTE),
            (None, WIFI),
        ],
    )
    def test_starts_on_the_cheapest(self, costs: object, start: Path) -> None:
        assert CheapestFirst(costs).connect_on([WIFI, LTE]) == start  # type: ignore[arg-type]

    def test_asks_for_nothing_while_the_cheapest_works(self) -> None:
        replay = Replay(CheapestFirst())
        replay.at(100.0, 500)
        assert replay.commands == []

    def test_takes_the_costly_one_when_the_cheap_one_is_gone_and_comes_back(self) -> None:
        replay = Replay(CheapestFirst())
        replay.all_paths = (LTE,)
        replay.at(1.0, 500, events=[Event(1.0, "path_lost", 0, "wifi")])
        assert paths_of(replay) == ["lte"]
        replay.all_paths = (WIFI, LTE)
        replay.at(2.0, 600)
        assert paths_of(replay) == ["wifi"]

    def test_silence_is_no_alternative_either(self) -> None:
        replay = Replay(CheapestFirst(patience=2.0))
        replay.change(0, idle=1.9)
        assert replay.at(1.0, 500) == []
        replay.change(0, idle=2.0)
        replay.at(2.0, 500)
        assert paths_of(replay) == ["lte"]

    def test_a_cheaper_path_that_fails_is_not_tried_all_the_time(self) -> None:
        replay = Replay(CheapestFirst(["lte"]), broken=frozenset({LTE}))
        replay.live[0] = replace(replay.live[0], path=WIFI)  # another request began here
        tries = [len(replay.at(float(second), second)) for second in range(1, 30)]
        assert sum(tries) <= 3

    @pytest.mark.parametrize("bad", ["wifi", {"wifi": math.nan}, {"wifi": "low"}, [3]])
    def test_bad_costs_say_what_is_allowed(self, bad: object) -> None:
        with pytest.raises(ValueError, match="costs must be such as"):
            CheapestFirst(bad)  # type: ignore[arg-type]


class TestBackground:
    def test_never_the_default(self) -> None:
        replay = Replay(Background())
        assert paths_of(replay) == ["lte"]
        replay.change(0, idle=100.0)
        replay.at(100.0, 500)
        assert replay.commands == []

    def test_never_the_one_that_is_named(self) -> None:
        assert Background("lte").connect_on([LTE, WIFI]) == WIFI
        assert Background("eth").connect_on([LTE, WIFI]) == LTE

    def test_moves_a_connection_that_was_made_for_another_request(self) -> None:
        class Elsewhere(Background):
            def connect_on(self, paths: Sequence[Path]) -> Path | None:
                return WIFI

        assert paths_of(Replay(Elsewhere("wifi"))) == ["lte"]

    def test_works_where_there_is_no_other(self) -> None:
        assert Background().connect_on([WIFI]) is None
        assert paths_of(Replay(Background(), all_paths=(WIFI,))) == ["wifi"]

    def test_what_costs_money_is_avoided_rather_than_the_default(self) -> None:
        costly = Path("lte", metered=True)
        assert Background().connect_on([WIFI, costly]) == WIFI
        assert Background().connect_on([costly, WIFI]) == WIFI
        assert Background().connect_on([costly]) is None


class TestDropSlow:
    def test_ends_what_is_slow_twice_in_a_row(self) -> None:
        replay = Replay(DropSlow(0.1, over=1.0))
        assert paths_of(replay) == ["wifi", "lte"]
        replay.change(0, bytes_received=1000)
        replay.change(1, bytes_received=99)
        assert replay.at(1.0, 500) == []
        replay.change(0, bytes_received=2000)
        replay.change(1, bytes_received=198)
        replay.at(2.0, 600)
        assert paths_of(replay) == ["wifi"]

    def test_one_that_was_held_back_for_a_while_is_still_the_better_one(self) -> None:
        """What the slow one holds back comes in bursts: the time before counts as well."""
        replay = Replay(DropSlow(0.1, over=1.0))
        for second, (fast, slow) in enumerate([(1000, 90), (1500, 180)], start=1):
            replay.change(0, bytes_received=fast)
            replay.change(1, bytes_received=slow)
            replay.at(float(second), 500)
        assert paths_of(replay) == ["wifi"]

    @pytest.mark.parametrize("changes", [{"bytes_received": 100}, {"backup": True}])
    def test_spares_what_brings_its_share_and_what_stands_by(self, changes: dict[str, int]) -> None:
        replay = Replay(DropSlow(0.1, over=1.0))
        replay.change(0, bytes_received=1000)
        replay.change(1, **changes)
        for second in (1.0, 2.0, 3.0):
            replay.at(second, 500)
            replay.change(0, bytes_received=1000 * int(second + 1))
            replay.change(1, bytes_received=100 * int(second + 1))
        assert paths_of(replay) == ["wifi", "lte"]

    def test_a_slow_reader_is_no_slow_path(self) -> None:
        replay = Replay(DropSlow(), length=10_000_000)
        for second in range(1, 6):
            replay.change(0, bytes_received=1000 * second)
            replay.at(second, 1000, delivered=8_000_000)
        assert paths_of(replay) == ["wifi", "lte"]

    @given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=20))
    def test_one_always_stays(self, brought: list[tuple[int, int]]) -> None:
        replay = Replay(DropSlow(0.5, over=1.0))
        sums = [0, 0]
        for second, amounts in enumerate(brought, start=1):
            sums = [a + b for a, b in zip(sums, amounts, strict=True)]
            for subflow in replay.live:
                replay.change(subflow.id, bytes_received=sums[subflow.id])
            replay.at(float(second), 0)
            assert replay.live
        assert replay.run.crash is None

    def test_throughput_does_not_fall_for_want_of_what_was_dropped(self) -> None:
        paths = [SimulatedPath("wifi", 1e6), SimulatedPath("lte", 5e4)]
        outcome = simulate(DropSlow(), paths, 10_000_000)
        assert [type(command) for _, command in outcome.commands] == [Open, Close]
        assert outcome.seconds
        assert outcome.seconds < 10.0

    @pytest.mark.parametrize("bad", [0, 1, 0.0, 1.0, math.nan, "0.1"])
    def test_a_share_is_between_0_and_1(self, bad: object) -> None:
        with pytest.raises(ValueError, match="share must be"):
            DropSlow(bad)  # type: ignore[arg-type]


class TestNDiffPorts:
    @pytest.mark.parametrize("n", [1, 2, 5])
    def test_so_many_in_all_on_one_path(self, n: int) -> None:
        assert paths_of(Replay(NDiffPorts(n))) == ["wifi"] * n

    def test_stops_at_the_servers_limit(self) -> None:
        replay = Replay(NDiffPorts(5), broken=frozenset({WIFI}))
        assert opened(replay.commands) == ["wifi"]
        assert replay.run.done

    @pytest.mark.parametrize("bad", [0, -1, 2.0, True, "2"])
    def test_a_count_is_a_whole_number(self, bad: object) -> None:
        with pytest.raises(ValueError, match="n must be a whole number of 1 or more"):
            NDiffPorts(bad)  # type: ignore[arg-type]


class TestFullMesh:
    def test_opens_every_path_to_every_address(self) -> None:
        replay = Replay(FullMesh(), addresses=(SERVER, SECOND))
        pairs = {(subflow.path, subflow.remote) for subflow in replay.live}
        assert pairs == {(path, remote) for path in (WIFI, LTE) for remote in (SERVER, SECOND)}
        assert len(replay.live) == 4

    def test_uses_an_address_that_is_announced_later(self) -> None:
        replay = Replay(FullMesh())
        replay.addresses = (SERVER, SECOND)
        came = replay.at(1.0, 500, events=[Event(1.0, "address_announced", detail=SECOND.host)])
        assert came == [Open(WIFI, remote=SECOND), Open(LTE, remote=SECOND)]

    def test_what_does_not_open_is_not_tried_again(self) -> None:
        replay = Replay(FullMesh(), broken=frozenset({LTE}))
        assert replay.at(1.0, 500, events=[Event(1.0, "address_announced")]) == []


class TestMark:
    def test_marks_the_subflows_of_one_path(self) -> None:
        replay = Replay(Mark({"lte": "ef"}))
        assert replay.commands == []
        replay.live.append(replace(replay.live[0], id=1, path=LTE))
        (command,) = replay.at(1.0, 100, events=[Event(1.0, "subflow_established", 1, "lte")])
        option = SetOption(replay.live[1], socket.IPPROTO_IP, socket.IP_TOS, 46 << 2)
        assert command == option

    def test_marks_each_subflow_once(self) -> None:
        replay = Replay(Mark(10))
        replay.at(1.0, 100, events=[Event(1.0, "subflow_established")])
        assert len(replay.commands) == 1

    def test_ipv6_has_a_traffic_class(self) -> None:
        replay = Replay(Mark("af41"), broken=frozenset())
        replay.live = [replace(replay.live[0], id=1, remote=Remote("2001:db8::1", 443))]
        (command,) = replay.at(1.0, 100, events=[Event(1.0, "subflow_established")])
        assert isinstance(command, SetOption)
        assert (command.level, command.name, command.value) == (
            socket.IPPROTO_IPV6,
            socket.IPV6_TCLASS,
            34 << 2,
        )

    @pytest.mark.parametrize("bad", [64, -1, "gold", True, None, {"lte": 64}])
    def test_what_is_no_code_point_is_refused(self, bad: object) -> None:
        with pytest.raises(ValueError, match="a DSCP is 0 to 63 or a name"):
            Mark(bad)  # type: ignore[arg-type]


class TestKilled:
    """Subflows that end though nobody wanted that."""

    @pytest.mark.parametrize(
        "strategy", [FullMesh(), DelayedByContentLength(10), HandshakeOn("wifi")], ids=repr
    )
    @pytest.mark.parametrize("held_up", [False, True])
    def test_one_is_asked_for_again_unless_it_held_up_others(
        self, strategy: Strategy, held_up: bool
    ) -> None:
        replay = Replay(strategy)
        replay.at(1.0, 100)
        for number, at in ((1, 2.0), (2, 3.0)):
            replay.live = [s for s in replay.live if s.path != LTE]
            events = [Event(at, "path_held_up", number, "lte")] if held_up else []
            replay.at(at, 200, events=[*events, Event(at, "subflow_closed", number, "lte")])
        assert opened(replay.commands) == ["lte"] * (1 if held_up else 3)

    def test_what_is_refused_then_is_not_asked_for_again(self) -> None:
        replay = Replay(FullMesh())
        replay.live.pop()
        replay.broken = frozenset([LTE])
        for at in (1.0, 2.0, 3.0):
            replay.at(at, 100, events=[Event(at, "subflow_closed", 1, "lte")])
        assert opened(replay.commands) == ["lte"] * 2

    @pytest.mark.parametrize("seconds", [None, 10.0])
    def test_refresh_comes_back_where_none_is_left(self, seconds: float | None) -> None:
        replay = Replay(Refresh(1000, every=seconds))
        replay.live.clear()
        replay.broken = frozenset([WIFI, LTE])
        replay.at(1.0, 100, events=[Event(1.0, "subflow_closed", 0, "wifi")])
        replay.broken = frozenset([WIFI])
        replay.at(1.5, 100)
        assert opened(replay.commands) == ["wifi", "lte"] * 2
        assert [s.path for s in replay.live] == [LTE]
