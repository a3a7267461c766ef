"""The shape of a report as JSON, as users are promised it."""

from __future__ import annotations

import json
from typing import Any

from mphttp import Report

_NUMBER = (int, float)
_DEADLINE = {
    "seconds": _NUMBER,
    "met": (bool, type(None)),
    "expected": (*_NUMBER, type(None)),
}
_OPTIONAL = {"sha256", "deadline", "samples"}
_TOP: dict[str, Any] = {
    "url": str,
    "status": int,
    "bytes": int,
    "bytes_sent": int,
    "seconds": _NUMBER,
    "sha256": str,
    "protocol": str,
    "mechanism": str,
    "strategy": dict,
    "deadline": dict,
    "subflows": list,
    "events": list,
    "problems": list,
    "samples": list,
}
_PARTS: dict[str, dict[str, Any]] = {
    "subflows": {
        "id": (int, type(None)),
        "path": str,
        "local": list,
        "remote": list,
        "opened_at": _NUMBER,
        "closed_at": (*_NUMBER, type(None)),
        "bytes_received": int,
        "initial": bool,
        "backup": bool,
        "bytes_sent": int,
    },
    "events": {
        "at": _NUMBER,
        "kind": str,
        "subflow": (int, type(None)),
        "path": (str, type(None)),
        "detail": str,
    },
    "problems": {"at": _NUMBER, "what": str, "hint": str},
    "samples": {"at": _NUMBER, "received": dict},
}


def checked(report: Report) -> dict[str, Any]:
    """Return what a report's JSON says, its shape checked."""
    told: dict[str, Any] = json.loads(report.to_json())
    check(told)
    return told


def check(told: dict[str, Any]) -> None:
    """Hold a report, read from JSON, against what it is to look like."""
    _shape(told, _TOP, optional=_OPTIONAL)
    assert told["protocol"] in {"mptcp", "tcp"}
    assert told["mechanism"] in {"netlink", "broker", "sockopt", "ranges", "readonly", "none"}
    assert isinstance(told["strategy"]["name"], str)
    if "deadline" in told:
        _shape(
            told["deadline"],
            {"seconds": _NUMBER, "met": (bool, type(None)), "expected": (*_NUMBER, type(None))},
        )
    for name, shape in _PARTS.items():
        for part in told.get(name, ()):
            _shape(part, shape)
    for subflow in told["subflows"]:
        _times(subflow)
        for host, port in (subflow["local"], subflow["remote"]):
            assert isinstance(host, str)
            assert 0 < port < 65536


def _shape(
    told: dict[str, Any], shape: dict[str, Any], optional: frozenset[str] | set[str] = frozenset()
) -> None:
    assert shape.keys() - optional <= told.keys() <= shape.keys()
    for name, value in told.items():
        assert isinstance(value, shape[name]), f"{name} is {value!r}"


def _times(subflow: dict[str, Any]) -> None:
    assert subflow["opened_at"] >= 0
    if subflow["closed_at"] is not None:
        assert subflow["closed_at"] >= subflow["opened_at"]
