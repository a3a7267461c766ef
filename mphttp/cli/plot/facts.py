"""What a picture needs of a report, checked: the report may come from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_SHORTEST, _LARGEST = 1e-6, 1e18
_MOST = {"samples": 100_000, "subflows": 1000, "events": 10_000}
"""Rows; with ten samples a second, those of three hours."""

Samples = tuple[tuple[float, Mapping[str, int]], ...]
"""Times, and bytes by the name of the path."""


class NoPicture(ValueError):
    """A report can't be shown.

    Args:
        what: why.
        hint: what to do about it, or "".
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Span:
    """A subflow's life, in seconds.

    Args:
        id: its number, or None for plain TCP.
        path: where it leaves.
        begin: when it was established.
        end: when it, or the response, ended.
    """

    id: int | None
    path: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Moment:
    """An event.

    Args:
        at: seconds since the request was sent.
        kind: such as "subflow_closed".
        subflow: id of the subflow that it happened to, or None.
        path: name of that subflow's path, or None.
    """

    at: float
    kind: str
    subflow: int | None
    path: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a picture shows; times are seconds since the request was sent.

    Args:
        size: bytes of the response's body.
        size_sent: bytes of the request's body.
        seconds: until the response ended.
        strategy: its name.
        parameters: the strategy's.
        deadline: in seconds, or None.
        met: whether it was met.
        received: time and bytes that each path had brought by then, in order.
        sent: the same of what was acknowledged on each.
        spans: the subflows, oldest first.
        moments: the events, in order.
    """

    size: int
    size_sent: int
    seconds: float
    strategy: str
    parameters: Mapping[str, Any]
    deadline: float | None
    met: bool
    received: Samples
    sent: Samples
    spans: tuple[Span, ...]
    moments: tuple[Moment, ...]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Self:
        """Read a report as `Report.to_dict` writes it.

        Raises:
            NoPicture: it has no samples, or isn't a report.
        """
        try:
            if not report.get("samples"):
                hint = "`mphttp get --samples --report FILE URL` keeps them"
                raise NoPicture("the report has no samples over time", hint)
            return cls._of(report)
        except NoPicture:
            raise
        except (AttributeError, ArithmeticError, KeyError, TypeError, ValueError) as error:
            raise NoPicture(f"this is no report: {type(error).__name__}: {error}") from error

    @classmethod
    def _of(cls, report: Mapping[str, Any]) -> Self:
        seconds, deadline = _number(report["seconds"]), report.get("deadline")
        if seconds < _SHORTEST:
            raise NoPicture("the response took no time")
        return cls(
            size=int(_number(report["bytes"])),
            size_sent=int(_number(report.get("bytes_sent", 0))),
            seconds=seconds,
            strategy=str(report["strategy"]["name"]),
            parameters={k: v for k, v in report["strategy"].items() if k != "name"},
            deadline=_number(deadline["seconds"]) if deadline else None,
            met=bool(deadline and deadline["met"]),
            received=_samples(report, "received"),
            sent=_samples(report, "sent"),
            spans=tuple(_span(row, seconds) for row in _few(report, "subflows")),
            moments=tuple(map(_moment, _few(report, "events"))),
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """Names of the paths that had a subflow, in the order of their opening."""
        return tuple(dict.fromkeys(span.path for span in self.spans))


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= _LARGEST:
        raise NoPicture(f"this is no report: it has the number {value}")
    return number


def _few(report: Mapping[str, Any], name: str) -> list[Any]:
    rows = list(report[name])
    if len(rows) > _MOST[name]:
        raise NoPicture(f"it has {len(rows)} {name}, more than a picture can show")
    return rows


def _samples(report: Mapping[str, Any], direction: str) -> Samples:
    found = [
        (_number(row["at"]), {str(n): int(_number(c)) for n, c in row.get(direction, {}).items()})
        for row in _few(report, "samples")
    ]
    return tuple(sorted(found, key=lambda sample: sample[0]))


def _moment(row: Mapping[str, Any]) -> Moment:
    return Moment(_number(row["at"]), str(row["kind"]), row.get("subflow"), row.get("path"))


def _span(row: Mapping[str, Any], seconds: float) -> Span:
    closed = row["closed_at"]
    end = seconds if closed is None else min(_number(closed), seconds)
    return Span(row["id"], str(row["path"]), min(_number(row["opened_at"]), seconds), end)
