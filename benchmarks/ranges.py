"""Ranges against MPTCP: the same strategies, links and file, in turns, and aria2 beside them.

    python benchmarks/ranges.py [--links usual|weak|fast] [--tls] [--rounds 5] [--json FILE]
    python benchmarks/ranges.py --objects 1000

A plain nginx is downloaded from by ranges, one under mptcpize by MPTCP. Each download is a process
of its own. LTE is the metered path: its bytes are the interface's, both ways, headers and all.
Connections are SYNs that left by any link. Needs nginx, mptcpize, aria2c and trustme.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import nginx
from contenders import METERED, aria2, by_source_address
from measure import in_lab, packets_when_quiet
from rivals import metered, metered_when_quiet

import mphttp.strategies
from mphttp.lab import LabClient, inside
from mphttp.lab.content import sha256_of

MB = 1_000_000
OBJECT = 10_000


@dataclass(frozen=True)
class Scene:
    """Links, a file and the strategies that fetch it.

    Args:
        links: the metered one is called lte.
        size: of the file, in bytes.
        deadlines: in seconds.
        others: strategies beside `Deadline`.
    """

    links: tuple[str, str]
    size: int
    deadlines: tuple[float, ...]
    others: tuple[str, ...] = ("FullMesh()", "DelayedByContentLength()")

    @property
    def strategies(self) -> list[str]:
        """What is tried, in Python."""
        return [*self.others, *(f"Deadline({d:g})" for d in self.deadlines)]


SCENES = {
    "usual": Scene(("wifi=8mbit,20ms", "lte=12mbit,50ms"), 10 * MB, (7,)),
    "weak": Scene(("wifi=3.8mbit,25ms", "lte=3mbit,25ms"), 5 * MB, (8, 9, 10, 12), ("FullMesh()",)),
    "fast": Scene(("wifi=100mbit,5ms", "lte=50mbit,20ms"), 50 * MB, (4,)),
}


@dataclass(frozen=True)
class Run:
    """One download.

    Args:
        seconds: from the request to the last byte; of aria2, from its start to its end.
        cpu: seconds of the client, user and system.
        metered: bytes that came and went by the metered interface.
        connections: SYNs that left.
    """

    seconds: float
    cpu: float
    metered: int
    connections: int


# A download, in a process of its own.


def one(multipath: str, strategy: str, url: str) -> None:
    """Download, and print the seconds and the CPU seconds that it took."""
    import httpx

    from mphttp import MultipathTransport
    from mphttp.engine import engine

    engine.start()
    made = eval(strategy, vars(mphttp.strategies))  # one of SCENES
    transport = MultipathTransport(made, multipath=multipath)
    digest = hashlib.sha256()
    with httpx.Client(transport=transport, timeout=60) as client:
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        with client.stream("GET", url) as response:
            for chunk in response.iter_raw():
                digest.update(chunk)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    report = response.extensions["multipath"]
    assert digest.digest() == sha256_of(report.length), report
    assert report.problems == (), report.problems
    assert report.mechanism == ("ranges" if multipath == "ranges" else "netlink"), report
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps([seconds, cpu]))


def ours(multipath: str, strategy: str, url: str) -> tuple[float, float]:
    """Run one of these."""
    command = [sys.executable, __file__, "--one", multipath, strategy, url]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return told[0], told[1]


# All of them.


def contenders(scene: Scene, *, tls: bool) -> dict[str, Callable[[], tuple[float, float]]]:
    """Return who takes part, by name."""
    plain, mptcp = (nginx.url(scene.size, mptcp=which, tls=tls) for which in (False, True))
    found: dict[str, Callable[[], tuple[float, float]]] = {}
    for strategy in scene.strategies:
        found[f"{strategy}, MPTCP"] = partial(ours, "mptcp", strategy, mptcp)
        found[f"{strategy}, ranges"] = partial(ours, "ranges", strategy, plain)
    found["aria2c"] = partial(aria2, plain, scene.size)
    return found


def measured(lab: LabClient, contender: Callable[[], tuple[float, float]]) -> Run:
    """Let one download once."""
    before, connections = metered_when_quiet(), opened(lab)
    seconds, cpu = contender()
    metered_when_quiet()
    return Run(seconds, cpu, metered() - before, opened(lab) - connections)


def opened(lab: LabClient) -> int:
    """Return the SYNs that left by any link so far."""
    return sum(link.up.syns for link in lab.counters().values())


def show(results: dict[str, list[Run]]) -> None:
    """Print medians, and how many times as long ranges took as MPTCP in the same round."""
    for name, runs in results.items():
        times = [run.seconds for run in runs]
        cells = [f"{statistics.median(times):6.2f} {min(times):6.2f}..{max(times):<6.2f}"]
        for field, unit in (("metered", MB), ("connections", 1), ("cpu", 1)):
            cells.append(f"{statistics.median(getattr(run, field) for run in runs) / unit:6.2f}")
        if name.endswith(", ranges"):
            beside = results[name.removesuffix("ranges") + "MPTCP"]
            cells.append(f"{statistics.median(times) / _median_seconds(beside):6.3f}")
        print(f"{name:<36}", *cells, flush=True)


def _median_seconds(runs: list[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def small_objects(count: int, *, tls: bool) -> None:
    """Fetch small objects under `DelayedByContentLength`, and count what leaves by LTE."""
    import httpx

    from mphttp import DelayedByContentLength, MultipathTransport

    url = nginx.url(OBJECT, mptcp=False, tls=tls)
    before = packets_when_quiet(METERED)
    with httpx.Client(transport=MultipathTransport(DelayedByContentLength(MB))) as client:
        for _ in range(count):
            response = client.get(url)
            assert hashlib.sha256(response.content).digest() == sha256_of(OBJECT)
            assert response.extensions["multipath"].problems == ()
    packets = packets_when_quiet(METERED) - before
    print(f"{count} objects of {OBJECT} bytes over {url.split(':')[0]}: {packets} packets by LTE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--links", choices=SCENES, default="usual")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="*", default=[""], help="words in the names of those wanted"
    )
    parser.add_argument("--objects", type=int, help="fetch so many small objects instead")
    parser.add_argument("--json", type=Path, help="write every run there")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return
    scene = SCENES[given.links]
    in_lab(*scene.links)
    lab = inside()
    with nginx.both(lab, scene.size, OBJECT), by_source_address():
        if given.objects:
            small_objects(given.objects, tls=given.tls)
            return
        every = contenders(scene, tls=given.tls)
        chosen = {n: c for n, c in every.items() if any(word in n for word in given.only)}
        results: dict[str, list[Run]] = {name: [] for name in chosen}
        for _ in range(given.rounds):
            for name, contender in chosen.items():
                results[name].append(measured(lab, contender))
    scheme = "HTTPS" if given.tls else "HTTP"
    print(f"{' '.join(scene.links)}, {scene.size / MB:g} MB, {scheme}, {given.rounds} rounds")
    print(f"{'':<36} median s   min..max  LTE MB  conn.  CPU s  of MPTCP")
    show(results)
    if given.json:
        told = {name: [asdict(run) for run in runs] for name, runs in results.items()}
        given.json.write_text(json.dumps({"scene": asdict(scene), "runs": told}, indent=1))


if __name__ == "__main__":
    main()
