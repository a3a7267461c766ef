"""How links are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.lab.errors import LinkError
from mphttp.lab.spec import MTU, Link, change, parse_link


def test_rate_and_delay_are_read_in_bits_and_seconds() -> None:
    assert parse_link("wifi=8mbit,20ms") == Link("wifi", 0.02, rate=8e6)


def test_everything_else_is_read_in_any_order() -> None:
    link = parse_link("lte=queue=50kB,loss=1.5%,50ms,12mbit")
    assert link == Link("lte", 0.05, rate=12e6, loss=0.015, queue=50_000)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("300bit", 300), ("64kbit", 64e3), ("1.5mbit", 1.5e6), ("2gbit", 2e9)],
)
def test_rates_have_the_units_of_tc(text: str, bits: float) -> None:
    assert parse_link(f"a={text},0s").rate == bits


@pytest.mark.parametrize(("text", "seconds"), [("500us", 0.0005), ("5ms", 0.005), ("1.5s", 1.5)])
def test_delays_have_units(text: str, seconds: float) -> None:
    assert parse_link(f"a=1mbit,{text}").delay == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2000B", 2000), ("50kB", 50_000), ("50KiB", 51_200), ("1MB", 1_000_000), ("1mib", 1 << 20)],
)
def test_queue_is_a_size(text: str, size: int) -> None:
    assert parse_link(f"a=8mbit,0ms,queue={text}").queue == size


def test_queue_as_a_time_is_what_the_rate_empties_in_it() -> None:
    assert parse_link("a=8mbit,0ms,queue=20ms").queue == 20_000


def test_queue_as_a_time_holds_at_least_one_packet() -> None:
    assert parse_link("a=8kbit,0ms,queue=20ms").queue == MTU


@pytest.mark.parametrize(("rate", "size"), [("8mbit", 100_000), ("1mbit", 32 * MTU)])
def test_default_queue_is_100_ms_and_at_least_32_packets(rate: str, size: int) -> None:
    assert parse_link(f"a={rate},0ms").queue_bytes == size


def test_trace_takes_the_place_of_a_rate(tmp_path: Path) -> None:
    trace = tmp_path / "lte.trace"
    trace.write_text("0\n3\n3\n12\n")
    link = parse_link(f"lte=50ms,trace={trace}")
    assert link.trace == (0, 3, 3, 12)
    assert link.mean_rate == 4 * MTU * 8 / 0.012


@pytest.mark.parametrize(
    "text",
    [
        "wifi",
        "wifi=",
        "=8mbit,20ms",
        "wifi=8mbit",
        "wifi=20ms",
        "wifi=8mbit,20ms,",
        "wifi=8,20ms",
        "wifi=8mbit,20",
        "wifi=8mbit,-20ms",
        "wifi=8mbit,20ms,30ms",
        "wifi=8mbit,20ms,loss=1",
        "wifi=8mbit,20ms,loss=101%",
        "wifi=8mbit,20ms,loss=nan%",
        "wifi=8mbit,20ms,queue=1kB",
        "wifi=8mbit,20ms,queue=fast",
        "wifi=8mbit,20ms,colour=red",
        "wifi=0mbit,20ms",
        "wifi=8mbit,61s",
        "wifi=20ms,trace=/does/not/exist",
        "lo=8mbit,20ms",
        "wi/fi=8mbit,20ms",
        "sixteenletters16=8mbit,20ms",
    ],
)
def test_what_has_no_meaning_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(LinkError) as caught:
        parse_link(text)
    assert caught.value.what
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("content", ["", "0\n", "5\n3\n", "-1\n5\n", "1.5\n", "x\n"])
def test_a_trace_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    trace = tmp_path / "trace"
    trace.write_text(content)
    with pytest.raises(LinkError):
        parse_link(f"lte=50ms,trace={trace}")


@given(st.text(max_size=40))
def test_any_text_is_a_link_or_a_link_error(text: str) -> None:
    try:
        link = parse_link(text)
    except LinkError:
        return
    assert link.queue_bytes >= MTU


def test_change_keeps_what_it_isn_t_told() -> None:
    link = parse_link("wifi=8mbit,20ms,loss=1%,queue=50kB")
    assert change(link, rate="1mbit") == Link("wifi", 0.02, rate=1e6, loss=0.01, queue=50_000)
    assert change(link, delay="5ms").delay == 0.005
    assert change(link, loss="0%").loss == 0
    assert change(link, rate="1mbit", queue="100ms").queue == 12_500


def test_a_new_rate_ends_a_trace() -> None:
    assert change(Link("lte", 0.05, trace=(0, 5)), rate="1mbit") == Link("lte", 0.05, rate=1e6)


def test_a_new_delay_keeps_the_trace() -> None:
    assert change(Link("lte", 0.05, trace=(0, 5)), delay="1ms").trace == (0, 5)
