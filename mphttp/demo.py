"""`mphttp demo`: a download that Wi-Fi alone would bring too late, in the lab, without root."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIZE = 10_000_000
DEADLINE = 8
LINKS = ("wifi=16mbit,20ms", "lte=20mbit,40ms")
WEAK_WIFI = "4mbit"
WALK_AWAY_AFTER = 2
"""Seconds into the download."""

_STORY = f"""\
Two real paths, Wi-Fi (16 Mbit/s, 20 ms) and LTE (20 Mbit/s, 40 ms), and the kernel's own MPTCP.
{SIZE / 1e6:g} MB are wanted within {DEADLINE} s. After {WALK_AWAY_AFTER} s you walk away from the \
access point: Wi-Fi falls to 4 Mbit/s.
"""


@dataclass(frozen=True)
class Told:
    """One download of the story.

    Args:
        title: what was tried.
        report: what happened, as `Report.to_dict` tells it.
        whole: whether the SHA-256 is right.
    """

    title: str
    report: dict[str, Any]
    whole: bool

    @property
    def met(self) -> bool:
        """Whether the deadline was met."""
        return bool(self.report["seconds"] <= DEADLINE)

    def carried(self, path: str) -> int:
        """Return the bytes that came over a path."""
        rows = self.report["subflows"]
        return sum(row["bytes_received"] for row in rows if row["path"] == path)

    def opened(self, path: str) -> float | None:
        """Return when a path was opened, in seconds after the request, or None."""
        rows = self.report["subflows"]
        return min((row["opened_at"] for row in rows if row["path"] == path), default=None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `mphttp demo` does; it has no options."""
    parser.description = _STORY


def run(_: argparse.Namespace) -> int:
    """Tell the story in a lab; 0 if it ended well."""
    from mphttp.lab.errors import LabError
    from mphttp.lab.lab import Lab

    try:
        with Lab(LINKS) as lab:
            code = lab.run([sys.executable, "-m", "mphttp.demo"])
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return code if code >= 0 else 128 - code


def main() -> int:
    """Tell the story; runs inside the lab."""
    print(_STORY, flush=True)
    told = [
        download("Wi-Fi alone", ["--strategy", "single"]),
        download(f"Deadline({DEADLINE})", ["--deadline", f"{DEADLINE}s"]),
    ]
    print_table(told)
    return 0 if told[-1].met and all(one.whole for one in told) else 1


def download(title: str, options: Sequence[str]) -> Told:
    """Run `mphttp get` while Wi-Fi gets weak, and check what came."""
    from mphttp.cli import main as mphttp
    from mphttp.lab import names
    from mphttp.lab.client import inside
    from mphttp.lab.content import sha256_of

    url = f"{os.environ[names.ORIGIN]}/bytes/{SIZE}"
    print(f"$ mphttp get {' '.join(options)} {url}", flush=True)
    lab = inside()
    lab.reset()
    walk = threading.Timer(WALK_AWAY_AFTER, lab.change, ["wifi"], {"rate": WEAK_WIFI})
    walk.start()
    with tempfile.TemporaryDirectory() as folder:
        body, report = Path(folder, "body"), Path(folder, "report")
        code = mphttp(["get", *options, "-o", str(body), "--report", str(report), url])
        walk.cancel()
        walk.join()
        if code:
            raise SystemExit(code)
        with body.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").digest() == sha256_of(SIZE)
        return Told(title, json.loads(report.read_text()), whole)


def print_table(told: Sequence[Told]) -> None:
    """Print what came of the downloads."""
    from rich.console import Console
    from rich.table import Table

    columns = ("", "time", f"in {DEADLINE} s?", "Wi-Fi", "LTE", "LTE opened", "SHA-256")
    table = Table(*columns)
    for one in told:
        opened = one.opened("lte")
        table.add_row(
            one.title,
            f"{one.report['seconds']:.2f} s",
            "[green]yes[/]" if one.met else "[red]no[/]",
            f"{one.carried('wifi') / 1e6:.1f} MB",
            f"{one.carried('lte') / 1e6:.1f} MB",
            "never" if opened is None else f"at {opened:.2f} s",
            "[green]right[/]" if one.whole else "[red]wrong[/]",
        )
    Console(no_color=bool(os.environ.get("NO_COLOR"))).print("\n", table)


if __name__ == "__main__":
    raise SystemExit(main())
