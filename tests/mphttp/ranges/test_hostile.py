"""Whatever a server answers to a request for a part: the body is whole and right."""

from __future__ import annotations

import pytest

from mphttp import Report
from mphttp.strategies import NDiffPorts
from tests.lab.leaks import eventually
from tests.mphttp.transports.doors import DOORS, Door

from .origins import BODY, QUARTER, Origin
from .parts import CASES, Case

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]


def download(door: Door, origin: Origin, case: Case, **options: object) -> Report:
    """Read a body of which others fetch parts, hold it against what it should be."""
    settings = {"strategy": NDiffPorts(2), "multipath": "ranges", "verify": False, **options}
    with door.client(**settings) as client, client.stream(origin.url) as answer:
        body, report = b"", answer.report
        for part in answer.parts():
            body += part
            if len(body) >= QUARTER and not origin.gate.is_set():
                eventually(lambda: case.done(origin, report) or _words(report), True)
                origin.gate.set()
        assert body == BODY
    told: Report = report
    return told


def _words(report: Report) -> list[str]:
    """Return what a test that waits in vain may tell."""
    return [problem.what for problem in report.problems]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_no_answer_puts_a_wrong_byte_into_the_body(case: Case) -> None:
    """And the report says what it was."""
    check(DOORS["httpx"], case)


@pytest.mark.parametrize("name", ["right", "another tag", "short", "replaced", "stalls"])
@pytest.mark.parametrize("door", ["httpx-asyncio", "httpx-trio", "httpx2"])
def test_nor_does_it_behind_other_doors(door: str, name: str) -> None:
    """The connections for parts are the same, what reads the first response is not."""
    check(DOORS[door], CASES[name])


def check(door: Door, case: Case) -> None:
    with Origin(part=case.answer) as origin:
        report = download(door, origin, case)
    assert report.mechanism == "ranges"
    assert report.bytes == len(BODY)
    assert origin.parts
    assert all(problem.what == problem.what.strip() for problem in report.problems)
    assert not [p.what for p in report.problems if "Error" in p.what or "failed with" in p.what]
