"""A picture says what the report says, in SVG that any reader takes."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mphttp.cli.plot.facts import Facts, NoPicture
from mphttp.cli.plot.marks import MARKS
from mphttp.cli.plot.picture import picture

SVG = "{http://www.w3.org/2000/svg}"


def subflow(number: int, path: str, opened: float, closed: float | None = None) -> dict[str, Any]:
    return {"id": number, "path": path, "opened_at": opened, "closed_at": closed}


def event(at: float, kind: str, number: int | None = None, path: str | None = None) -> dict:
    return {"at": at, "kind": kind, "subflow": number, "path": path, "detail": ""}


def report(**changes: Any) -> dict[str, Any]:
    """What a deadline's report might say: LTE was opened after 2 s of 5."""
    return {
        "bytes": 5_000_000,
        "seconds": 5.0,
        "strategy": {"name": "deadline", "d": 6.0, "grace": None},
        "deadline": {"seconds": 6.0, "met": True},
        "subflows": [subflow(1, "wifi", 0.0), subflow(2, "lte", 2.0)],
        "events": [event(1.9, "subflow_opening", 2, "lte")],
        "samples": [
            {"at": 0.1 * n, "received": {"wifi": 50_000 * n, "lte": max(0, 50_000 * (n - 20))}}
            for n in range(1, 51)
        ],
        **changes,
    }


def drawn(**changes: Any) -> ElementTree.Element:
    return ElementTree.fromstring(picture(Facts.of(report(**changes))))


def words(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def filled(root: ElementTree.Element, tag: str) -> list[str]:
    """What the shapes of a kind are filled with, where it is a path's pattern."""
    fills = (element.get("fill", "") for element in root.iter(SVG + tag))
    return [fill for fill in fills if fill.startswith("url")]


def test_it_tells_what_was_asked_for_and_what_came() -> None:
    told = words(drawn())
    assert "deadline (d = 6.0): 5.0 MB in 5.00 s, 8.0 Mbit/s" in told
    assert "Mbit/s by path; the deadline of 6 s was met" in told
    assert {"wifi", "lte", "deadline 6 s", "SYN sent"} <= set(told)


def carried(received: int, sent: int) -> list[dict[str, Any]]:
    """Samples of so many bytes a second by Wi-Fi."""
    return [
        {"at": 0.1 * n, "received": {"wifi": received * n // 10}, "sent": {"wifi": sent * n // 10}}
        for n in range(1, 51)
    ]


@pytest.mark.parametrize(
    ("received", "sent", "title", "panels"),
    [
        (100, 10**6, "5.0 MB sent in 5.00 s, 8.0 Mbit/s", ["sent by path; met"]),
        (10**6, 100, "5.0 MB in 5.00 s, 8.0 Mbit/s", ["by path; met"]),
        (
            10**6,
            10**6,
            "5.0 MB sent and 5.0 MB in 5.00 s, 16.0 Mbit/s",
            ["sent by path; met", "received by path"],
        ),
    ],
    ids=["up", "down", "both"],
)
def test_the_direction_that_matters_is_shown_or_both(
    received: int, sent: int, title: str, panels: list[str]
) -> None:
    root = drawn(
        samples=carried(received, sent),
        subflows=[subflow(1, "wifi", 0.0)],
        bytes_sent=5 * sent,
        bytes=5 * received,
    )
    told = [word.replace("the deadline of 6 s was met", "met") for word in words(root)]
    assert told[0].endswith(f": {title}")
    assert [word for word in told if word.startswith("Mbit/s")] == [f"Mbit/s {p}" for p in panels]
    assert filled(root, "path") == ["url(#path0)"] * len(panels)


def test_each_path_has_an_area_a_swatch_and_a_bar_of_its_own() -> None:
    root = drawn()
    patterns = [f"url(#{pattern.get('id')})" for pattern in root.iter(f"{SVG}pattern")]
    assert len(patterns) == 2
    assert filled(root, "path") == patterns
    assert sorted(filled(root, "rect")) == sorted([*patterns, *patterns])


def test_paths_differ_without_colour() -> None:
    root = drawn()
    hatches = [len(list(pattern.iter(f"{SVG}path"))) for pattern in root.iter(f"{SVG}pattern")]
    assert hatches == [0, 1]


def test_the_area_is_as_high_as_the_rate() -> None:
    """8 Mbit/s stand for half of both paths' 8 and 4 Mbit/s and what is free above."""
    heights = {}
    for element in drawn().iter(f"{SVG}text"):
        if element.text in {"0", "4"} and element.get("text-anchor") == "end":
            heights[element.text] = float(element.get("y", "nan")) - 4
    area = next(p for p in drawn().iter(f"{SVG}path") if p.get("fill", "").startswith("url"))
    ys = [float(y) for _, y in re.findall(r"([\d.]+) ([\d.]+)", area.get("d", ""))]
    assert max(ys) == pytest.approx(heights["0"], abs=0.1)
    assert min(ys) == pytest.approx(heights["4"], abs=0.1)


@pytest.mark.parametrize("kind", MARKS)
def test_every_kind_of_event_has_its_mark_and_its_words(kind: str) -> None:
    without, told = drawn(events=[]), drawn(events=[event(1.0, kind, 1, "wifi")])
    assert MARKS[kind].words in words(told)
    assert MARKS[kind].words not in words(without)
    shapes = [sum(1 for _ in root.iter()) for root in (without, told)]
    assert shapes[1] >= shapes[0] + 3  # the mark, and the same in the legend with its words


def test_an_event_of_a_kind_that_is_new_is_marked_too() -> None:
    assert "another event" in words(drawn(events=[event(1.0, "address_announced")]))


def test_without_a_deadline_there_is_no_line() -> None:
    assert not [w for w in words(drawn(deadline=None)) if w.startswith("deadline 6")]


def test_a_deadline_far_away_does_not_squeeze_the_rest() -> None:
    told = words(drawn(deadline={"seconds": 600.0, "met": True}))
    assert "600 s" not in told
    assert "5 s" in told


def test_a_name_can_be_anything() -> None:
    name = '<&">\x07'
    samples = [{"at": 1.0, "received": {name: 5}}]
    assert '<&">\ufffd' in words(drawn(subflows=[subflow(1, name, 0.0)], samples=samples))


@pytest.mark.slow
@settings(max_examples=40)  # in each place of a report
@given(
    st.recursive(
        st.none() | st.floats() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from([*report(), "at", "received", "wifi", "id", "path"]), x
            )
        ),
    )
)
def test_what_is_no_report_is_told_so(value: Any) -> None:
    for wrong in (value, *({**report(), key: value} for key in report())):
        with suppress(NoPicture):
            ElementTree.fromstring(picture(Facts.of(wrong)))
