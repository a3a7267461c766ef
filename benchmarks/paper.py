"""Section 4 of the paper again, by its own means: strategies stepped in libcurl's write callback.

    python benchmarks/paper.py

Three tables. Figure 6: how many successive subflows an object takes, by its size and the threshold;
beside it the same with strategies on the engine's thread, which reads on while a subflow is made:
a small body is there before many handshakes are. Delayed establishment: which objects get a second
subflow, and how many SYNs the second path saw. Both deadline rules: when the second subflow came,
and whether the deadline was met, beside the same download over one path.

Then lines of code beside the paper's. Ours are those of the strategy's class and of the steps that
it shares with others, without blank lines, comments and docstrings; what carries out the calls is
mphttp's, and serves every strategy. The paper's are what was added to curl, calls and all.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import io
import os
import statistics
import sys
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from measure import in_lab, origin

from mphttp import Deadline, DelayedByContentLength, Refresh, Report, SinglePath, Strategy
from mphttp.curl import fetch
from mphttp.curl.session import Stepping
from mphttp.lab import LabClient, inside, names
from mphttp.lab.content import sha256_of

SIZES = (10_000, 20_000, 57_344, 60_000, 100_000, 300_000)
THRESHOLDS = (1024, 4096, 16_384, 65_536)
LARGE = 100_000
DEADLINE = 2.0
OBJECT = 1_000_000
_LAYOUT = {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def download(
    strategy: Strategy, size: int, *, stepping: Stepping = "callback", **options: Any
) -> Report:
    """Fetch an object over a new connection, and check it."""
    response = fetch(
        origin(size), strategy, stepping=stepping, verify=os.environ[names.CA], **options
    )
    if hashlib.sha256(response.content).digest() != sha256_of(size):
        raise ValueError(f"{size} bytes: the SHA-256 is wrong")
    return response.report


def refresh(rounds: int) -> None:
    print("Figure 6: successive subflows (median), by bytes of the object and threshold")
    print("  one link of 50 Mbit/s, 5 ms one way; the server allows 2 more subflows at a time")
    title = "".join(f"{threshold:>9}" for threshold in THRESHOLDS)
    print(f"{'':>11}  stepped in the write callback{'':>9}on the engine's thread")
    print(f"{'bytes':>11}  {title}  {title}")
    for size in SIZES:
        counts = [
            statistics.median_low(successive(size, threshold, stepping) for _ in range(rounds))
            for stepping in ("callback", "engine")
            for threshold in THRESHOLDS
        ]
        half = len(THRESHOLDS)
        left, right = ("".join(f"{n:>9}" for n in part) for part in (counts[:half], counts[half:]))
        print(f"{size:>11}  {left}  {right}")
    print("  paper: up to 56 with a threshold of 1024, for an object whose size it doesn't tell;")
    print(f"  57344 bytes are 56 thresholds. Here: {successive(57_344, 1024, 'callback')}.\n")


def successive(size: int, threshold: int, stepping: Any) -> int:
    """Count the subflows that carried an object, the first included."""
    report = download(Refresh(threshold), size, stepping=stepping, paths=["wired"])
    return len(report.subflows)


def delayed(lab: LabClient) -> None:
    print(f"Delayed establishment: a second subflow only above {LARGE} bytes")
    print(f"{'bytes':>11} {'subflows':>9} {'SYNs on lte':>12}")
    for size in (1000, LARGE // 2, LARGE, LARGE + 1, 10 * LARGE):
        before = lab.counters()["lte"].up.syns
        report = download(DelayedByContentLength(LARGE), size, paths=["wifi", "lte"])
        syns = lab.counters()["lte"].up.syns - before
        print(f"{size:>11} {len(report.subflows):>9} {syns:>12}")
    print("  paper: no second subflow for short objects, in 10 lines of code\n")


def deadlines(lab: LabClient) -> None:
    print(f"Deadline of {DEADLINE:g} s for {OBJECT} bytes; lte has 12 Mbit/s, 50 ms")
    print(f"{'wifi':>11} {'rule':>7} {'opened at':>10} {'seconds':>8} {'met':>5}")
    for rate in ("8mbit", "5mbit", "3mbit", "1mbit"):
        lab.change("wifi", rate=rate)
        rules = [SinglePath(), Deadline(DEADLINE, rule="half"), Deadline(DEADLINE, rule="rate")]
        for strategy in rules:
            report = download(strategy, OBJECT, paths=["wifi", "lte"])
            opened = [subflow.opened_at for subflow in report.subflows if not subflow.initial]
            told = f"{opened[0]:.2f} s" if opened else "never"
            met = "yes" if report.seconds <= DEADLINE else "no"
            rule = strategy.rule if isinstance(strategy, Deadline) else "none"
            print(f"{rate:>11} {rule:>7} {told:>10} {report.seconds:>8.2f} {met:>5}")
    lab.restore("wifi")
    print("  paper: a second subflow if after d/2 less than half has come, or, more often looked")
    print("  at, if s_n / (t_n - t_0) < s / d; it tells no numbers\n")


@dataclass(frozen=True)
class Claim:
    """What the paper says of a strategy's length."""

    strategy: type[Strategy]
    lines: int | None


def lines() -> None:
    print("Lines of code: the strategy and the steps it shares; the paper: added to curl")
    print(f"{'':>24} {'class':>6} {'shared':>7} {'in all':>7} {'paper':>6}")
    for claim in (Claim(Refresh, 96), Claim(DelayedByContentLength, 10), Claim(Deadline, None)):
        own = code_lines(inspect.getsource(claim.strategy))
        shared = sum(code_lines(inspect.getsource(step)) for step in shared_steps(claim.strategy))
        told = "-" if claim.lines is None else claim.lines
        print(f"{claim.strategy.__name__:>24} {own:>6} {shared:>7} {own + shared:>7} {told:>6}")


def shared_steps(strategy: type[Strategy]) -> list[Any]:
    """Return the functions of `mphttp.strategies.steps` that a strategy's module uses."""
    values = vars(sys.modules[strategy.__module__]).values()
    return [v for v in values if inspect.isfunction(v) and v.__module__.endswith(".steps")]


def code_lines(source: str) -> int:
    """Count the lines that have more on them than a comment or a docstring."""
    found: set[int] = set()
    for statement in statements(source):
        if any(token.type != tokenize.STRING for token in statement[:-1]):
            found.update(n for t in statement for n in range(t.start[0], t.end[0] + 1))
    return len(found)


def statements(source: str) -> Iterable[list[tokenize.TokenInfo]]:
    """Yield the tokens of each logical line, comments and layout left out."""
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _LAYOUT:
            statement.append(token)
        if token.type == tokenize.NEWLINE:
            yield statement
            statement = []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=3, help="downloads for each count of subflows"
    )
    given = parser.parse_args()
    in_lab("wifi=8mbit,20ms", "lte=12mbit,50ms", "wired=50mbit,5ms,queue=20ms")
    lab = inside()
    refresh(given.rounds)
    delayed(lab)
    deadlines(lab)
    lines()


if __name__ == "__main__":
    main()
