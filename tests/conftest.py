"""What all tests share: the lab, which tests marked `lab` run inside of."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import hypothesis
import pytest

from mphttp.lab import LabClient, inside, names

from . import choice

# How long an example takes is the machine's affair; what hangs, pytest-timeout ends.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)  # `make quick`
hypothesis.settings.load_profile("untimed")

_OUTSIDE = "needs two real paths: mphttp lab run -- pytest tests/lab"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share", metavar="N/M", help="run the N-th of M shares of the files: scripts/lab_tests"
    )


_left_out = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Let the programs that tests start get signals that are ignored where tests are run.

    As in the background of a shell, or under nohup: what is ignored stays so in a child, and what
    has a handler becomes the default again (signal(7)).
    """
    config.stash[_left_out] = Counter()
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Let marks make their choice; then take one share, and skip what needs the lab.

    A second look at what failed (--last-failed) takes all of it: pytest doesn't even read the other
    files then, so that the shares would be others.
    """
    choice.mark_more(items)
    yield
    share = config.getoption("--share")
    if share is not None and not config.getoption("lf"):
        number, _, shares = share.partition("/")
        _keep_share(items, int(number) - 1, int(shares))
    if names.INSIDE in os.environ:
        return
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason=_OUTSIDE))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items[:1]:
        item.config.stash[_left_out].update(choice.reasons_of(items))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = dict(session.config.stash[_left_out])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the word of one of xdist's processes, which all leave out the same."""
    node.config.stash[_left_out] = Counter(getattr(node, "workeroutput", {}).get("left out"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what was left out; what was skipped and why, `-ra` tells."""
    if words := choice.told(terminalreporter.config.stash[_left_out]):
        terminalreporter.write_line(words)


def _keep_share(items: list[pytest.Item], number: int, shares: int) -> None:
    """Keep a share of the files, with as many tests as each other share."""
    loads = [0] * shares
    share_of = dict[str, int]()
    for file, tests in Counter(str(item.path) for item in items).most_common():
        share_of[file] = loads.index(min(loads))
        loads[share_of[file]] += tests
    items[:] = [item for item in items if share_of[str(item.path)] == number]


@pytest.fixture
def lab() -> Iterator[LabClient]:
    """The lab around this test, with links as `mphttp lab run` made them and counters at 0."""
    client = inside()
    client.reset()
    yield client
    client.reset()
    client.close()
