"""Parts of objects that change, over paths that are cut: never a byte of another version."""

from __future__ import annotations

import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import httpx
import pytest

from mphttp import FullMesh, MultipathTransport, Strategy
from mphttp.lab import LabClient, names

from .servers import serving
from .test_soak import Restless, trouble
from .versions import digest

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

PORT, SEED = 8089, 9110
AT_ONCE = 4


def download(strategy: Strategy, url: str) -> tuple[str, int]:
    """Read a body, and say what came of it, and how many connections brought it."""
    told, length = sha256(), 0
    transport = MultipathTransport(strategy, multipath="ranges", verify=False)
    try:
        with (
            httpx.Client(transport=transport, timeout=20) as client,
            client.stream("GET", url) as it,
        ):
            for chunk in it.iter_raw():
                told.update(chunk)
                length += len(chunk)
            report = it.extensions["multipath"]
            version = int(it.headers["etag"].strip('"'))
            assert length == int(it.headers["content-length"])
            assert not [p for p in report.problems if "itself failed" in p.what]
    except httpx.TransportError:
        return "an error", 0
    right = told.digest() == digest(length, version)
    return "right" if right else f"wrong: {report.to_json()}", len(report.subflows)


def many(lab: LabClient, count: int, *, least: float) -> None:
    """Read objects of 10 to the power of `least`, or 6.3, bytes, or of something between."""
    choice = random.Random(SEED)
    at = names.SERVER_ADDRESS
    jobs: list[tuple[Strategy, str]] = []
    for n in range(count):
        size = int(10 ** choice.uniform(least, 6.3))
        strategy = choice.choice([FullMesh(), Restless(choice.randrange(2**32))])
        jobs.append((strategy, f"http://{at}:{PORT}/{size}/{n % 7}"))
    server = (sys.executable, "-m", "tests.lab.versions", at, str(PORT), str(SEED))
    with (
        serving(lab, server, PORT),
        trouble(lab, choice) as faults,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        outcomes = list(pool.map(lambda job: download(*job), jobs))
    came = Counter(what for what, _ in outcomes)
    assert set(came) <= {"right", "an error"}, came
    # A strategy may close the first response, and others break off: then there is an error.
    assert came["right"] > 0.6 * count, came
    assert sum(connections > 1 for _, connections in outcomes) > 0.3 * count
    assert faults


@pytest.mark.timeout(120)
def test_ten_downloads(lab: LabClient) -> None:
    many(lab, 10, least=5.8)


@pytest.mark.more
@pytest.mark.timeout(600)
def test_two_hundred_downloads(lab: LabClient) -> None:
    many(lab, 200, least=4)
