"""Where a body goes on whose last connection broke off."""

from __future__ import annotations

from mphttp.ranges.recovery import Recovery, Step

PATHS = ("wifi", "lte")
NOBODY: frozenset[str] = frozenset()


def test_the_strategy_is_waited_for_and_then_paths_are_tried_in_their_order() -> None:
    recovery = Recovery()
    assert recovery.step(PATHS, NOBODY, 0, 10.0).path is None
    assert recovery.step(PATHS, NOBODY, 0, 10.1).path is None
    assert recovery.step(PATHS, NOBODY, 0, 10.2).path == "wifi"
    assert recovery.step(PATHS, NOBODY, 0, 10.3).path == "lte"  # the other one failed at once


def test_a_path_that_does_not_answer_holds_the_next_one_up_for_half_a_second() -> None:
    recovery = Recovery()
    recovery.step(PATHS, NOBODY, 0, 0.0)
    first = recovery.step(PATHS, NOBODY, 0, 0.2)
    assert first == Step("wifi", 0.7)
    assert recovery.step(PATHS, {"wifi"}, 0, 0.5) == Step(again_at=0.7)
    assert recovery.step(PATHS, {"wifi"}, 0, 0.7).path == "lte"
    assert recovery.step(PATHS, {"wifi", "lte"}, 0, 1.3).path is None


def test_what_the_strategy_opens_is_not_opened_again() -> None:
    recovery = Recovery()
    recovery.step(PATHS, {"wifi"}, 0, 0.0)
    assert recovery.step(PATHS, {"wifi"}, 0, 0.2).path == "lte"


def test_after_two_rounds_it_is_over() -> None:
    recovery, now, opened = Recovery(), 0.0, list[str]()
    while not (step := recovery.step(PATHS, NOBODY, 0, now)).over:
        opened += [step.path] if step.path else []
        now = now if step.path else step.again_at or now
    assert opened == ["wifi", "lte"] * 2
    assert now < 2


def test_without_a_path_it_is_over() -> None:
    recovery = Recovery()
    recovery.step((), NOBODY, 0, 0.0)
    recovery.step((), NOBODY, 0, 0.2)
    assert recovery.step((), NOBODY, 0, 1.2).over


def test_who_brought_something_may_try_again_and_who_did_not_may_not() -> None:
    """So the tries are bounded by what came."""
    for brought, again in ((100_000, True), (100, False)):
        recovery, now = Recovery(), 0.0
        while not (step := recovery.step(PATHS, NOBODY, 0, now)).over:
            now = now if step.path else step.again_at or now
        recovery.rest()
        recovery.step(PATHS, NOBODY, brought, now)
        assert (recovery.step(PATHS, NOBODY, brought, now + 0.2).path is not None) is again
