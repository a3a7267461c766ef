"""Make docs/compatibility.md of what the battery found: python -m tests.battery.page --write FOUND…

Each FOUND is SUITE=FILE.
With --check, only compare: a word that is another than on the page is an error.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"
HEAD = """\
# Kernels

What mphttp does on kernels that Debian ships. `make test-kernels` boots each of them in a virtual
machine with two uplinks, a server behind both and a capture of every SYN that leaves, runs a
battery of features (`tests/battery`), and writes this page. What a kernel can't do is found by
trying it, never by its version.

- **yes**: it works, every SYN has left by the interface that the report names, and no byte is lost.
- **no**: it doesn't, and the program says so, with the hint that stands below.
- *wrong* would be a fault of mphttp.
- Where nothing stands, nothing was tried.

"""


def names(release: str, suite: str) -> str:
    """Name a kernel for people."""
    return f"{release.partition('-')[0].partition('+')[0]} ({suite})"


def table(found: dict[str, Any]) -> str:
    """Write the table, and below it the notes that its words refer to."""
    notes: list[str] = []
    features = list(dict.fromkeys(f for told in found.values() for f in told["cells"]))
    heads = [names(told["release"], suite) for suite, told in found.items()]
    lines = ["| feature | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for feature in features:
        cells = [_cell(told["cells"].get(feature), notes) for told in found.values()]
        lines.append(f"| {feature} | " + " | ".join(cells) + " |")
    told = [f"{n}. {note.replace('|', chr(92) + '|')}" for n, note in enumerate(notes, 1)]
    return "\n".join([*lines, "", *told]) + "\n"


def _cell(cell: dict[str, str] | None, notes: list[str]) -> str:
    if cell is None:
        return ""
    note = plain(cell["note"])
    if not note:
        return str(cell["word"])
    if note not in notes:
        notes.append(note)
    return f"{cell['word']} ({notes.index(note) + 1})"


def plain(note: str) -> str:
    """Leave out of a note what another run has another number for."""
    return re.sub(r"\btable \d+", "table N", note)


def differences(found: dict[str, Any], page: str) -> list[str]:
    """Say which words are others than those of a page, and what is wrong that it doesn't have."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    ]
    heads = rows[0] if rows else []
    before = {row[0]: dict(zip(heads, row, strict=False)) for row in rows}
    told = []
    for suite, each in found.items():
        head = next((head for head in heads if head.endswith(f"({suite})")), None)
        for feature, cell in each["cells"].items():
            there = before.get(feature, {}).get(head or "", "").partition(" ")[0]
            if cell["word"] != there and (there or cell["word"] == "wrong"):
                told.append(f"{suite}, {feature}: {cell['word']} ({cell['note']}), not {there!r}")
    return told


def _version(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)][:3]


def main() -> None:
    """Write, or compare."""
    mode, *words = sys.argv[1:]
    pairs = (word.partition("=") for word in words)
    read = {suite: json.loads(Path(file).read_text()) for suite, _, file in pairs}
    found = dict(sorted(read.items(), key=lambda item: _version(item[1]["release"])))
    if mode == "--write":
        PAGE.write_text(HEAD + table(found))
        return
    told = differences(found, PAGE.read_text())
    if told:
        sys.exit("error: other than in docs/compatibility.md:\n" + "\n".join(told))


if __name__ == "__main__":
    main()
