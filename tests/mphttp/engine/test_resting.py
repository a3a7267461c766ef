"""Idle streams rest, and stir as soon as something moves."""

from __future__ import annotations

from mphttp.engine.resting import REST_AFTER, Resting


def test_a_stream_in_which_nothing_moves_rests() -> None:
    resting = Resting()
    asked = []

    def well() -> bool:
        asked.append(1)
        return len(asked) > 1

    assert not resting.look(5, 100.0, disturbed=False, well=well)
    assert not resting.look(5, 100.0 + REST_AFTER - 0.1, disturbed=False, well=well)
    assert not resting.look(5, 100.0 + REST_AFTER, disturbed=False, well=well)  # not all is well
    assert resting.look(5, 100.0 + REST_AFTER, disturbed=False, well=well)
    assert resting.rests
    assert not resting.look(5, 200.0, disturbed=False, well=well)  # it does already
    assert resting.rests


def test_what_happens_stirs_it() -> None:
    for moved, disturbed in ((6, False), (5, True)):
        resting = Resting()
        resting.look(5, 0.0, disturbed=False, well=lambda: True)
        assert resting.look(5, 50.0, disturbed=False, well=lambda: True)
        assert not resting.look(moved, 51.0, disturbed=disturbed, well=lambda: True)
        assert not resting.rests


def test_peers_of_streams_that_rest_are_asked_seldom() -> None:
    resting = Resting()
    assert resting.ask_after(watched=True) == 1
    assert resting.ask_after(watched=False) == 60
    resting.rests = True
    assert resting.ask_after(watched=True) == 60
