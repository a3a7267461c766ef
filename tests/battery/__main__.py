"""Run features on this kernel: python -m tests.battery FILE [--quick] [WORDS-OF-A-NAME…]."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from mphttp.kernel.hints import select_userspace_manager
from mphttp.kernel.probe import without_mptcp

from .cells import Cell, found, no
from .features import CONTROL, FEATURES

_WITHIN = 150.0
"""Seconds for one feature; translated machines are slow."""


def run(words: Sequence[str] = (), *, quick: bool = False) -> Iterator[tuple[str, Cell]]:
    """Find out about one feature after the other.

    Args:
        words: only features whose name has one of these; none for all.
        quick: whether those are left out whose mechanism others show as well.
    """
    lacks = _lacks()
    for name, feature in FEATURES.items():
        if words and not any(word in name for word in words):
            continue
        if lacks and name in CONTROL:
            yield name, no(lacks)
        elif not (quick and name in _LEFT_OUT):
            yield name, found(feature, _WITHIN)


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


def main() -> int:
    """Run, write, and tell whether nothing is wrong."""
    file, *words = sys.argv[1:]
    cells: dict[str, dict[str, str]] = {}
    quick = "--quick" in words
    for name, cell in run([word for word in words if word != "--quick"], quick=quick):
        print(f"{time.monotonic():8.1f} {cell.word:5} {name} {cell.note}"[:300], flush=True)
        cells[name] = asdict(cell)
        told = {"release": platform.release(), "cells": cells}
        Path(file).write_text(json.dumps(told, indent=1))  # what ends it early leaves the rest
    return int(any(cell["word"] == "wrong" for cell in cells.values()))


if __name__ == "__main__":
    sys.exit(main())
