"""A diagnosis in words, one line for each finding, and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from textwrap import wrap
from typing import Any

from mphttp.cli.printable import printable
from mphttp.kernel import Finding

from .diagnosis import Diagnosis
from .outcomes import Answer, Connected, Probed, Protocol

_MANY = 4
_NARROW = 40
"""Columns, below which a terminal's own wrapping is no worse."""
_PROTOCOLS = {Protocol.MPTCP: "mptcp", Protocol.TCP: "tcp", Protocol.TCP_WITH_DATA: "tcp"}


def lines(diagnosis: Diagnosis, width: int | None = None) -> Iterator[str]:
    """Tell it to people.

    Args:
        diagnosis: what was found.
        width: columns of the terminal; None if it is none. What mends something may be a command,
            which a line break would spoil, so that only what is told beside it is wrapped.
    """
    for alike in _alike(diagnosis.findings):
        finding = alike[0]
        names = ", ".join(each.name for each in alike)
        text = printable(f"{_state(finding):8} {names}: {finding.meaning}", breaks=False)
        wide = width is None or width < _NARROW or len(text) <= width
        yield from [text] if wide else wrap(text, width or _NARROW, subsequent_indent=" " * 9)
        if finding.mend:
            yield printable(f"{'':8} fix: {finding.mend}", breaks=False)


def _alike(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Put findings in a row together that differ in their names alone, if they are many."""
    for _, group in groupby(findings, lambda each: replace(each, name="")):
        alike = list(group)
        if len(alike) >= _MANY:
            yield alike
        else:
            yield from ([finding] for finding in alike)


def to_dict(diagnosis: Diagnosis) -> dict[str, Any]:
    """Tell it to programs; docs/doctor.md says what each field is."""
    told: dict[str, Any] = {
        "healthy": diagnosis.healthy,
        "findings": [
            {**asdict(finding), "state": _state(finding)} for finding in diagnosis.findings
        ],
        "paths": [asdict(path) for path in diagnosis.paths],
    }
    outcomes = diagnosis.outcomes
    if outcomes is None:
        return told
    others = diagnosis.others or {}
    return {
        **told,
        "ways": {way: list(names) for way, names in diagnosis.ways.items()},
        "auto": diagnosis.auto,
        "in_parts": diagnosis.not_in_parts == "",
        "not_in_parts": diagnosis.not_in_parts,
        "addresses": list(outcomes.addresses),
        "in_time": outcomes.in_time,
        "server": [_route(probed) for probed in outcomes.probed],
        "answers": [
            {**_answer(answer), "other": others[name].what if name in others else None}
            for name, answer in outcomes.answers.items()
        ],
        "counters": dict(outcomes.counters),
    }


def _state(finding: Finding) -> str:
    if finding.ok:
        return "ok"
    return "missing" if finding.needed else "optional"


def _route(probed: Probed) -> dict[str, Any]:
    route, joined = probed.route, probed.joined
    reached = [c for c in (probed.plain, probed.multipath) if c is not None]
    ok = any(c.ok for c in reached)
    protocol = None if probed.protocol is None else _PROTOCOLS[probed.protocol]
    return {
        "path": route.path.name,
        "local": route.path.address,
        "remote": list(route.remote),
        "protocol": protocol or ("tcp" if ok else None),
        "error": "" if ok or not reached else reached[0].error,
        "tcp": _connected(probed.plain),
        "mptcp": _connected(probed.multipath),
        "with_data": probed.protocol is Protocol.TCP_WITH_DATA,
        "certificate": probed.certificate,
        "join": None if joined is None else {**asdict(joined), "ok": joined.ok},
    }


def _connected(came: Connected | None) -> dict[str, Any] | None:
    return None if came is None else {**asdict(came), "ok": came.ok}


def _answer(answer: Answer) -> dict[str, Any]:
    return asdict(answer)
