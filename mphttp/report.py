"""What happened to one response: which subflows carried it, and what went wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from mphttp.strategies import Event

_GRACE = 0.015
"""Seconds that reading a report grants the strategy of a closed response for its last step."""


@dataclass(frozen=True, slots=True)
class SubflowReport:
    """One subflow; times are seconds since the request was sent.

    Args:
        id: the kernel's unique id, or None for plain TCP.
        path: name of the interface.
        local: local address and port.
        remote: remote address and port.
        opened_at: when it was established; 0.0 if it was there before.
        closed_at: when it ended, or None.
        bytes_received: TCP payload that came over it for this response, in bytes.
        initial: whether the connection began with it.
        backup: whether the peer was last asked to avoid it.
        bytes_sent: TCP payload that the peer acknowledged on it meanwhile, in bytes.
    """

    id: int | None
    path: str
    local: tuple[str, int]
    remote: tuple[str, int]
    opened_at: float
    closed_at: float | None
    bytes_received: int
    initial: bool
    backup: bool
    bytes_sent: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that didn't work, though the body came all the same.

    Args:
        at: seconds since the request was sent.
        what: one sentence.
        hint: what mends it, or "".
    """

    at: float
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class DeadlineReport:
    """The deadline that the strategy had.

    Args:
        seconds: from the request to the last byte.
        met: whether the whole body was there by then; None while it is on its way.
        expected: seconds from the request at which the last byte was expected, where that was later
            than the deadline, whatever could be done; None where it could be met.
    """

    seconds: float
    met: bool | None
    expected: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What had come and gone by some moment.

    Args:
        at: seconds since the request was sent.
        received: bytes by the name of the path, as `SubflowReport.bytes_received` counts them.
        sent: bytes that the peer had acknowledged, as `SubflowReport.bytes_sent` counts them.
    """

    at: float
    received: dict[str, int]
    sent: dict[str, int] = field(default_factory=dict)


_USERINFO = re.compile(r"(?<=://)[^/?#]*@")

reports: WeakKeyDictionary[Any, Report] = WeakKeyDictionary()
"""Of responses whose library has no place for them (requests), by urllib3's response."""


class Exchange(Protocol):
    """One request and its response: what a report reads from."""

    status: int
    length: int | None
    received: int

    def wait(self, timeout: float) -> bool: ...
    def bytes_sent(self) -> int: ...
    @property
    def url(self) -> str: ...
    @property
    def events(self) -> list[Event]: ...
    @property
    def problems(self) -> tuple[Problem, ...]: ...
    @property
    def protocol(self) -> str: ...
    @property
    def mechanism(self) -> str: ...
    @property
    def strategy(self) -> dict[str, Any]: ...
    @property
    def seconds(self) -> float: ...
    @property
    def deadline(self) -> DeadlineReport | None: ...
    @property
    def path_names(self) -> tuple[str, ...]: ...
    @property
    def subflow_reports(self) -> tuple[SubflowReport, ...]: ...


class Report:
    """What happened to one response, up to now while it is on its way, for good when it is closed.

    It is `response.extensions["multipath"]`. Reading an attribute looks at the connection, so that
    a program can show progress; once the response is closed nothing changes any more.

    Attributes:
        sha256: hexadecimal digest of the body, where whoever read it has set one.
        samples: what had come and gone by when, where `mphttp.sampling` took them; else None.
    """

    def __init__(self, exchange: Exchange) -> None:
        self.sha256: str | None = None
        self.samples: list[Sample] | None = None
        self._exchange = exchange

    @property
    def url(self) -> str:
        """The URL that was asked for, without a user and a password that stood in it."""
        return _USERINFO.sub("", self._exchange.url, count=1)

    @property
    def status(self) -> int:
        """The response's status code."""
        return self._exchange.status

    @property
    def length(self) -> int | None:
        """Bytes of the whole body, or None if the response didn't tell."""
        return self._exchange.length

    @property
    def bytes(self) -> int:
        """Bytes of the body on the wire that were read so far."""
        return self._exchange.received

    @property
    def bytes_sent(self) -> int:
        """Bytes of the request's body that the peer has acknowledged so far."""
        return self._exchange.bytes_sent()

    @property
    def seconds(self) -> float:
        """Seconds from the request's first byte to the end of the response, or to now."""
        return self._exchange.seconds

    @property
    def protocol(self) -> str:
        """The protocol: "mptcp", or "tcp" where the peer or a middlebox has no MPTCP."""
        return self._exchange.protocol

    @property
    def mechanism(self) -> str:
        """What carried out the calls: "netlink", "ranges", "netlink+ranges", "none" ..."""
        return self._exchange.mechanism

    @property
    def strategy(self) -> dict[str, Any]:
        """Name and parameters of the strategy."""
        return self._exchange.strategy

    @property
    def deadline(self) -> DeadlineReport | None:
        """The deadline and whether it was met, if the strategy has one."""
        return self._exchange.deadline

    @property
    def paths(self) -> tuple[str, ...]:
        """Names of the paths that reach the server, preferred first."""
        return self._exchange.path_names

    @property
    def subflows(self) -> tuple[SubflowReport, ...]:
        """Every subflow that was alive during the response, in the order of their opening."""
        self.wait(_GRACE)
        return self._exchange.subflow_reports

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, in order."""
        self.wait(_GRACE)
        return tuple(self._exchange.events)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What didn't work, in order."""
        self.wait(_GRACE)
        return self._exchange.problems

    def wait(self, timeout: float = 2.0) -> bool:
        """Wait for what a strategy of yours still has to say when its response is closed.

        Nothing else waits for it, but for a moment that no event loop would notice: a report that
        is read at once tells what is known by then. What such a strategy does in its last step, as
        by raising an exception, may be missing.

        Args:
            timeout: seconds, at most.

        Returns:
            Whether nothing of the report changes any more.
        """
        return self._exchange.wait(timeout)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dictionaries and lists; absent facts are left out."""
        told: dict[str, Any] = {
            "url": self.url,
            "status": self.status,
            "bytes": self.bytes,
            "bytes_sent": self.bytes_sent,
            "seconds": self.seconds,
            "sha256": self.sha256,
            "protocol": self.protocol,
            "mechanism": self.mechanism,
            "strategy": self.strategy,
            "deadline": asdict(self.deadline) if self.deadline else None,
            "subflows": [asdict(subflow) for subflow in self.subflows],
            "events": [asdict(event) for event in self.events],
            "problems": [asdict(problem) for problem in self.problems],
            "samples": None if self.samples is None else [asdict(one) for one in self.samples],
        }
        return {name: value for name, value in told.items() if value is not None}

    def to_json(self, indent: int | None = 2) -> str:
        """Return the report as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        from .report_words import words  # for those who print it

        return words(self)

    def _repr_html_(self) -> str:
        from .report_words import notebook

        return notebook(self)

    def __repr__(self) -> str:
        return (
            f"<Report {self.status} {self.bytes} bytes in {self.seconds:.3f} s over "
            f"{len(self.subflows)} subflow(s), {self.protocol}, {self.mechanism}>"
        )


def report_of(response: Any) -> Report | None:
    """Return what happened to a response of any client, up to now while its body is on its way.

    Args:
        response: of httpx, httpx2, requests, or mphttp.curl; one of its `history`, too; or what
            one of these raised instead.

    Returns:
        None where nothing of the network is known: another transport's response, one that came from
        a cache or from a test's mock, or one that was pickled.
    """
    if isinstance(response, BaseException):
        return _of_error(response)
    return _of_response(response)


def _of_response(response: Any) -> Report | None:
    extensions = getattr(response, "extensions", None)
    if isinstance(extensions, Mapping):
        found = extensions.get("multipath")
    else:
        found = getattr(response, "report", None) or _of_raw(getattr(response, "raw", None))
    return found if isinstance(found, Report) else None


def _of_error(error: BaseException) -> Report | None:
    """Find the report of an exception: its own, its request's or response's, or of what led to it.

    Libraries wrap exceptions in others of their own, again and again.
    """
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        found = getattr(at, "report", None)
        if isinstance(found, Report):
            return found
        at = at.__cause__ or at.__context__
    return _of_response(_without_raising(error, "request")) or _of_response(
        _without_raising(error, "response")
    )


def _without_raising(error: BaseException, name: str) -> Any:
    try:
        return getattr(error, name, None)
    except RuntimeError:  # httpx's have none before they are given one
        return None


def _of_raw(raw: Any) -> Report | None:
    try:
        return reports.get(raw)
    except TypeError:  # it can't be referred to weakly, or has no hash: nothing that we made
        return None
