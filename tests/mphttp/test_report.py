"""A report: the same as an object, as dictionaries and as JSON, in the shape that is promised."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mphttp.report import DeadlineReport, Problem, Report, Sample, SubflowReport
from mphttp.strategies import Event
from tests.schema import check

SECONDS = st.floats(0, 1e6)
ADDRESSES = st.tuples(st.ip_addresses().map(str), st.integers(1, 65535))


@dataclass
class Facts:
    """What a report reads from (report.Exchange), as plain values."""

    url: str = "http://192.0.2.1/file"
    status: int = 200
    length: int | None = 3
    received: int = 3
    sent: int = 0
    protocol: str = "mptcp"
    mechanism: str = "netlink"
    strategy: dict[str, Any] = field(default_factory=lambda: {"name": "deadline", "d": 10.0})
    seconds: float = 1.0000004
    deadline: DeadlineReport | None = None
    path_names: tuple[str, ...] = ("wifi", "lte")
    subflow_reports: tuple[SubflowReport, ...] = ()
    events: tuple[Event, ...] = ()
    problems: tuple[Problem, ...] = ()

    def wait(self, timeout: float) -> bool:
        return True

    def bytes_sent(self) -> int:
        return self.sent


@st.composite
def subflows(draw: st.DrawFn) -> SubflowReport:
    opened = draw(SECONDS)
    return SubflowReport(
        id=draw(st.none() | st.integers(0, 2**32 - 1)),
        path=draw(st.text()),
        local=draw(ADDRESSES),
        remote=draw(ADDRESSES),
        opened_at=opened,
        closed_at=draw(st.none() | st.floats(opened, 1e6)),
        bytes_received=draw(st.integers(0, 2**64 - 1)),
        initial=draw(st.booleans()),
        backup=draw(st.booleans()),
    )


FACTS = st.builds(
    Facts,
    status=st.integers(100, 599),
    length=st.none() | st.integers(0, 2**63),
    received=st.integers(0, 2**63),
    sent=st.integers(0, 2**63),
    protocol=st.sampled_from(["mptcp", "tcp"]),
    mechanism=st.sampled_from(["netlink", "readonly", "none"]),
    seconds=SECONDS,
    deadline=st.none() | st.builds(DeadlineReport, SECONDS, met=st.none() | st.booleans()),
    subflow_reports=st.lists(subflows(), max_size=3).map(tuple),
    events=st.lists(st.builds(Event, SECONDS, st.text()), max_size=3).map(tuple),
    problems=st.lists(st.builds(Problem, SECONDS, st.text(), st.text()), max_size=3).map(tuple),
)


SAMPLES = st.lists(
    st.builds(Sample, SECONDS, st.dictionaries(st.text(), st.integers(0, 2**64))), max_size=3
)


@given(
    FACTS, st.none() | st.text("0123456789abcdef", min_size=64, max_size=64), st.none() | SAMPLES
)
def test_any_report_has_the_promised_shape(
    facts: Facts, digest: str | None, samples: list[Sample] | None
) -> None:
    """And its JSON says what its attributes say."""
    report = Report(facts)
    report.sha256, report.samples = digest, samples
    told = json.loads(report.to_json())
    check(told)
    assert told == json.loads(json.dumps(report.to_dict()))
    assert told.get("sha256") == digest
    assert (told["bytes"], told["status"]) == (report.bytes, report.status)
    assert told["bytes_sent"] == report.bytes_sent == facts.sent
    assert len(told["subflows"]) == len(report.subflows)
    assert (samples is None) is ("samples" not in told)
    assert len(told.get("samples", ())) == len(samples or ())
    assert ("deadline" in told) is (report.deadline is not None)


def test_what_is_not_known_is_left_out() -> None:
    told = Report(Facts()).to_dict()
    assert not {"sha256", "deadline", "samples"} & told.keys()
    assert told["seconds"] == Facts().seconds


def test_a_subflow_is_told_with_addresses_as_pairs() -> None:
    subflow = SubflowReport(
        7, "lte", ("10.0.0.1", 4000), ("192.0.2.1", 80), 0.5, None, 100, False, True, 200
    )
    (told,) = json.loads(Report(Facts(subflow_reports=(subflow,))).to_json())["subflows"]
    assert told == {
        "id": 7,
        "path": "lte",
        "local": ["10.0.0.1", 4000],
        "remote": ["192.0.2.1", 80],
        "opened_at": 0.5,
        "closed_at": None,
        "bytes_received": 100,
        "initial": False,
        "backup": True,
        "bytes_sent": 200,
    }


def test_a_report_is_read_anew_each_time() -> None:
    """While the response is on its way, a report follows it."""
    facts = Facts(received=1)
    report = Report(facts)
    facts.received = 2
    assert (report.bytes, report.paths) == (2, ("wifi", "lte"))


def test_a_report_shows_itself_in_a_line() -> None:
    assert repr(Report(Facts())) == (
        "<Report 200 3 bytes in 1.000 s over 0 subflow(s), mptcp, netlink>"
    )


def test_a_report_is_printed_as_a_person_reads_it() -> None:
    wifi, lte = ("10.0.0.2", 1), ("10.1.0.2", 2)
    server = ("192.0.2.1", 80)
    facts = Facts(
        received=5_000_000,
        deadline=DeadlineReport(4.0, met=True),
        subflow_reports=(
            SubflowReport(1, "wifi", wifi, server, 0.0, None, 3_000_000, True, False),
            SubflowReport(2, "lte", lte, server, 0.4, 3.59, 2_000_000, False, True, 7),
        ),
        problems=(Problem(0.1, "the peer said \x1b[2J", "look there"), Problem(0.2, "it rained")),
    )
    assert str(Report(facts)).splitlines() == [
        "200, 5,000,000 bytes in 1.00 s (mptcp, netlink)",
        "deadline of 4 s: met",
        "wifi: 3,000,000 bytes, from the start",
        "lte: 2,000,000 bytes, from 0.40 s to 3.59 s",
        "problem: the peer said \\x1b[2J (hint: look there)",
        "problem: it rained",
    ]


@given(facts=FACTS)
def test_a_report_can_always_be_printed(facts: Facts) -> None:
    told = str(Report(facts))
    assert told.startswith(str(facts.status))
    assert all(line.replace("\t", "").isprintable() for line in told.split("\n"))


@given(facts=FACTS, samples=SAMPLES)
def test_a_report_can_always_be_shown_in_a_notebook(facts: Facts, samples: list[Sample]) -> None:
    report = Report(facts)
    report.samples = samples
    assert "<pre>" in report._repr_html_()


def test_a_notebook_shows_the_picture() -> None:
    report = Report(Facts())
    assert "<svg" not in report._repr_html_()
    report.samples = [Sample(0.5, {"wifi": 2}), Sample(1.0, {"wifi": 3})]
    assert "<svg" in report._repr_html_()
