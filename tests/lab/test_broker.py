"""A process without any capability has all that the privilege gives, through the broker.

The broker runs as the lab's root; `WITHOUT_PRIVILEGE` is a client that has nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from mphttp.kernel import KernelError
from mphttp.kernel.bpf import program
from mphttp.lab import LabClient
from mphttp.lab.content import sha256_of
from tests.mphttp.broker.brokers import Broker, running

from .downloads import WITHOUT_PRIVILEGE, get, url

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000

STRATEGIES = [
    ("single",),
    ("fullmesh",),
    ("refresh", "--threshold", "500kB"),
    ("delayed", "--size", "100kB"),
    ("deadline", "--deadline", "300ms"),
    ("ndiffports", "--subflows", "3"),
    ("handover", "--standby"),
    ("handshake",),
    ("cheapest",),
    ("background",),
    ("dropslow",),
]


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    try:
        program.check()
        options = ["--subflow-options"]
    except KernelError:  # the lab has a user namespace of its own: BPF isn't for its root
        options = []
    with running(*options) as broker:
        yield broker


@pytest.fixture
def asked(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Broker:
    monkeypatch.setenv("MPHTTP_BROKER", broker.path)
    return broker


def opened(report: dict[str, Any]) -> list[str]:
    """List the paths of the subflows that a strategy opened."""
    return [subflow["path"] for subflow in report["subflows"] if not subflow["initial"]]


@pytest.mark.more
@pytest.mark.parametrize("strategy", STRATEGIES, ids=" ".join)
def test_every_strategy_does_the_same_as_with_the_privilege(
    asked: Broker, strategy: tuple[str, ...]
) -> None:
    options = ("--strategy", *strategy)
    privileged = get(url(SIZE), *options)
    ordinary = get(url(SIZE), *options, through=WITHOUT_PRIVILEGE)
    assert (privileged["mechanism"], ordinary["mechanism"]) == ("netlink", "broker")
    assert ordinary["protocol"] == "mptcp"
    assert ordinary["problems"] == privileged["problems"] == []
    assert set(opened(ordinary)) == set(opened(privileged))


def test_both_paths_carry(asked: Broker, lab: LabClient) -> None:
    """The links' own counters say so."""
    report = get(url(SIZE), "--strategy", "fullmesh", through=WITHOUT_PRIVILEGE)
    carried = {s["path"]: s["bytes_received"] for s in report["subflows"]}
    assert min(carried["wifi"], carried["lte"]) > SIZE / 10
    assert lab.counters()["lte"].down.bytes > SIZE / 10


def test_events_come_with_it(asked: Broker) -> None:
    report = get(url(SIZE), "--strategy", "fullmesh", through=WITHOUT_PRIVILEGE)
    assert "subflow_established" in {event["kind"] for event in report["events"]}


MARK = """
import os, ssl, sys
import httpx
from mphttp import FullMesh, MultipathTransport
from mphttp.lab import names
from mphttp.strategies import Mark
trust = ssl.create_default_context(cafile=os.environ[names.CA])
transport = MultipathTransport(FullMesh() & Mark({"lte": "ef"}), verify=trust)
with httpx.Client(transport=transport) as client:
    print(client.get(sys.argv[1]).extensions["multipath"].to_json())
"""


def test_marks_come_with_it(asked: Broker) -> None:
    """Where the broker may set options, the strategy has no problem; elsewhere it says which."""
    command = [*WITHOUT_PRIVILEGE, sys.executable, "-c", MARK, url(SIZE)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    report = json.loads(done.stdout)
    assert report["mechanism"] == "broker"
    problems = [problem["what"] for problem in report["problems"]]
    can = any("--subflow-options" in part for part in asked.process.args)
    assert problems == ([] if can else ["this broker sets no options on one subflow"])


DOWNLOAD = """
import hashlib, json, os, ssl, sys
import httpx
from mphttp import MultipathTransport, Refresh
from mphttp.lab import names
trust = ssl.create_default_context(cafile=os.environ[names.CA])
with httpx.Client(transport=MultipathTransport(Refresh(500_000), verify=trust)) as client:
    for _ in range(2):
        digest = hashlib.sha256()
        with client.stream("GET", sys.argv[1]) as response:
            for number, chunk in enumerate(response.iter_raw()):
                digest.update(chunk)
                if number == 10:
                    print("midway", flush=True)
                    sys.stdin.readline()
            report = response.extensions["multipath"].to_dict()
        print(json.dumps([digest.hexdigest(), report]), flush=True)
"""


def test_a_broker_that_is_killed_and_comes_again(lab: LabClient) -> None:
    """The body that was under way is whole; the next has its subflows as if nothing had been."""
    broker = Broker()
    lab.change("wifi", rate="20mbit")
    command = [*WITHOUT_PRIVILEGE, sys.executable, "-c", DOWNLOAD, url(4_000_000)]
    environment = {**os.environ, "MPHTTP_BROKER": broker.path}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "midway\n"
        broker.kill()
        process.stdin.write("\n")
        process.stdin.flush()
        digest, report = json.loads(process.stdout.readline())
        assert digest == sha256_of(4_000_000).hex()
        broker = Broker(path=broker.path)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "midway\n"
        digest, report = json.loads(process.stdout.readline())
    assert digest == sha256_of(4_000_000).hex()
    assert report["mechanism"] == "broker"
    assert len(opened(report)) > 2  # those of the first are still there, since nobody closed them
    broker.stop()
