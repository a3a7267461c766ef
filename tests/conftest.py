"""What all tests share: the lab, which tests marked `lab` run inside of."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from shlex import join
from typing import Any

import hypothesis
import pytest

from mphttp.lab import LabClient, inside, names

from . import choice

# How long an example takes is the machine's affair; what hangs, pytest-timeout ends.
_untimed = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("untimed", _untimed)
hypothesis.settings.register_profile("quick", _untimed, max_examples=12)  # `make quick`
hypothesis.settings.load_profile("untimed")

_OUTSIDE = "needs two real paths: pytest --labs 1 tests/lab"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--labs", type=int, metavar="N", help="run tests in N labs side by side (make test)"
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


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Let xdist start each of its processes in a lab of its own.

    Tests of the lab wait for slow links most of the time, so that several do well side by side. One
    that is done takes tests from another. What failed before is looked at again in one alone.
    """
    labs = config.getoption("--labs")
    if not labs or hasattr(config, "workerinput"):
        return
    command = [sys.executable, "-m", "mphttp", "lab", "run", "--", sys.executable]
    config.option.numprocesses = None
    config.option.dist = "worksteal"
    count = 1 if config.getoption("lf", default=False) else labs
    config.option.tx = [f"{count}*popen//python={join(command)}"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from the thousands of tests, which stay as long as the process.

    It would look through all of them again and again, while they are collected and in each test
    that asks what is left: a sixth of what a quick run takes.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Let marks make their choice; the longest come first, and what needs the lab is skipped."""
    choice.mark_more(items)
    yield
    items.sort(key=choice.longest_first)
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


@pytest.fixture
def lab() -> Iterator[LabClient]:
    """The lab around this test, with links as `mphttp lab run` made them and counters at 0."""
    client = inside()
    client.reset()
    yield client
    client.reset()
    client.close()
