"""Run all features on this kernel, and write what was found: python -m tests.battery FILE."""

from __future__ import annotations

import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from mphttp.kernel.hints import select_userspace_manager
from mphttp.kernel.probe import without_mptcp

from .cells import Cell, found, no
from .features import ALWAYS, CONTROL, doctor_without_mptcp

_WITHIN = 60.0
"""Seconds for one feature; translated machines are slow."""


def run(*, quick: bool = False) -> dict[str, Cell]:
    """Find out about all features.

    Args:
        quick: whether those are left out whose mechanism others show as well.
    """
    cells = {name: _told(name, found(feature, _WITHIN)) for name, feature in ALWAYS.items()}
    lacks = _lacks()
    for name, feature in CONTROL.items():
        if lacks:
            cells[name] = no(lacks)
        elif not (quick and name in _LEFT_OUT):
            cells[name] = _told(name, found(feature, _WITHIN))
    if lacks:
        cells["`mphttp doctor URL`"] = found(doctor_without_mptcp, _WITHIN)
    return cells


_LEFT_OUT = [
    f"strategy {name}"
    for name in (
        "background",
        "cheapest",
        "deadline, in danger",
        "delayed, a small object",
        "dropslow",
        "handshake",
        "mark",
        "ndiffports",
    )
]


def _lacks() -> str:
    """Return what this kernel needs before any subflow can be controlled, or ""."""
    told = without_mptcp()
    if told is not None:
        return told[1]
    hint = select_userspace_manager()
    return "" if "sysctl" in hint else hint


def _told(name: str, cell: Cell) -> Cell:
    print(f"{time.monotonic():8.1f} {cell.word:5} {name} {cell.note}"[:300], flush=True)
    return cell


def main() -> int:
    """Run, write, and tell whether nothing is wrong."""
    file, *words = sys.argv[1:]
    cells = run(quick="--quick" in words)
    told = {"release": platform.release(), "cells": {n: asdict(c) for n, c in cells.items()}}
    Path(file).write_text(json.dumps(told, indent=1))
    return int(any(cell.word == "wrong" for cell in cells.values()))


if __name__ == "__main__":
    sys.exit(main())
