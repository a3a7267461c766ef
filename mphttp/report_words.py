"""A report as a person reads it: in words, and as a picture in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .report import Report, SubflowReport


def words(report: Report) -> str:
    """Return what happened in a few lines: the response, its deadline, each subflow, each problem.

    Args:
        report: may be of a response that is still on its way.
    """
    from .cli.printable import printable

    return "\n".join(printable(line, breaks=False) for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    sent = f" ({report.bytes_sent:,} sent)" if report.bytes_sent else ""
    how = (
        report.protocol if report.mechanism == "none" else f"{report.protocol}, {report.mechanism}"
    )
    yield f"{report.status}, {report.bytes:,} bytes{sent} in {report.seconds:.2f} s ({how})"
    deadline = report.deadline
    if deadline is not None:
        outcome = {True: "met", False: "missed", None: "not over yet"}[deadline.met]
        yield f"deadline of {deadline.seconds:g} s: {outcome}"
    for subflow in report.subflows:
        yield _of_subflow(subflow, uploading=bool(report.bytes_sent))
    for problem in report.problems:
        yield f"problem: {problem.what}" + (f" (hint: {problem.hint})" if problem.hint else "")


def _of_subflow(subflow: SubflowReport, *, uploading: bool) -> str:
    sent = f", {subflow.bytes_sent:,} sent" if uploading else ""  # a head alone is of no interest
    since = "from the start" if subflow.initial else f"from {subflow.opened_at:.2f} s"
    until = "" if subflow.closed_at is None else f" to {subflow.closed_at:.2f} s"
    return f"{subflow.path}: {subflow.bytes_received:,} bytes{sent}, {since}{until}"


def notebook(report: Report) -> str:
    """Return the same as HTML, with the picture of `mphttp plot` where there is one to draw."""
    from .cli.plot.facts import Facts, NoPicture
    from .cli.plot.picture import picture

    told = f"<pre>{html.escape(words(report))}</pre>"
    try:
        return picture(Facts.of(report.to_dict())) + told
    except NoPicture:  # nothing was carried by a subflow
        return told
