"""The shape of a report as JSON, as users are promised it: docs/reference/report.schema.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from mphttp import Report

_SCHEMA = json.loads((Path(__file__).parents[1] / "docs/reference/report.schema.json").read_text())
_VALIDATOR = Draft202012Validator(_SCHEMA)


def checked(report: Report) -> dict[str, Any]:
    """Return what a report's JSON says, its shape checked."""
    told: dict[str, Any] = json.loads(report.to_json())
    check(told)
    return told


def check(told: dict[str, Any]) -> None:
    """Hold a report, read from JSON, against what it is to look like."""
    _VALIDATOR.validate(told)
    for subflow in told["subflows"]:
        assert subflow["closed_at"] is None or subflow["closed_at"] >= subflow["opened_at"]
