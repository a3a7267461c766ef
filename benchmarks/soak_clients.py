"""Every client in one shape, and downloads by all of them in turn, each checked by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import random
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
import nginx
import pycurl
import requests

from mphttp import (
    AsyncMultipathTransport,
    Deadline,
    FullMesh,
    Handover,
    MultipathAdapter,
    MultipathTransport,
    Refresh,
    Report,
    Strategy,
)
from mphttp.curl import CurlSession, Limits
from mphttp.lab.content import sha256_of
from mphttp.requests import report as report_of
from mphttp.strategies import Close, Command, CommandFailed, Open, Steps, Transfer, Until

SIZES = (20_000, 300_000, 1_500_000, 4_000_000)
TIMEOUT = 20.0
"""Seconds of silence after which a download has failed."""
_ATTEMPTS = 8
_FAILED = (httpx.TransportError, requests.RequestException, pycurl.error, OSError)
"""What a client raises when its connection ends: both paths may have been unlucky at once."""


@dataclass(frozen=True)
class Restless(Strategy):
    """Open or close a subflow at random every 20 to 200 ms.

    Args:
        seed: of the pseudo-random choices.
    """

    seed: int

    def run(self, transfer: Transfer) -> Steps:
        choice = random.Random(self.seed)
        while True:
            yield Until(elapsed=transfer.elapsed + choice.uniform(0.02, 0.2))
            command = self._choose(choice, transfer)
            if command is None:
                continue
            try:
                yield command
            except CommandFailed:
                continue  # faults are part of the plan

    def _choose(self, choice: random.Random, transfer: Transfer) -> Command | None:
        if len(transfer.subflows) > 1 and choice.random() < 0.5:
            return Close(choice.choice(transfer.subflows))
        return Open(choice.choice(transfer.paths)) if transfer.paths else None


Got = tuple[bytes, Report | None]
Client = Callable[[Strategy, int], Got]
"""Gets a body of a size, and returns its SHA-256 and the report."""


def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def _httpx(strategy: Strategy, size: int, *, tls: bool = False, **options: Any) -> Got:
    mptcp = options.get("multipath") != "ranges"
    transport = MultipathTransport(strategy, verify=_trust(), **options)
    with httpx.Client(transport=transport, timeout=TIMEOUT) as client:
        response = client.get(nginx.url(size, mptcp=mptcp, tls=tls)).raise_for_status()
    return hashlib.sha256(response.content).digest(), response.extensions["multipath"]


def _asyncio(strategy: Strategy, size: int) -> Got:
    async def get() -> Got:
        transport = AsyncMultipathTransport(strategy, verify=_trust())
        async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
            response = await client.get(nginx.url(size, mptcp=True, tls=True))
        response.raise_for_status()
        return hashlib.sha256(response.content).digest(), response.extensions["multipath"]

    return anyio.run(get)


def _requests(strategy: Strategy, size: int) -> Got:
    with requests.Session() as session:
        session.mount("http://", MultipathAdapter(strategy))
        response = session.get(nginx.url(size, mptcp=True, tls=False), timeout=TIMEOUT)
        response.raise_for_status()
        return hashlib.sha256(response.content).digest(), report_of(response)


def _curl(strategy: Strategy, size: int) -> Got:
    digest = hashlib.sha256()
    with CurlSession(strategy) as session:
        address = nginx.url(size, mptcp=True, tls=False)
        response = session.fetch(address, to=digest.update, limits=Limits(silence=TIMEOUT))
    return digest.digest(), response.report


CLIENTS: dict[str, Client] = {
    "httpx": _httpx,
    "asyncio": _asyncio,
    "requests": _requests,
    "curl": _curl,
    "HTTP/2": lambda strategy, size: _httpx(strategy, size, tls=True, http2=True),
    "ranges": lambda strategy, size: _httpx(strategy, size, multipath="ranges"),
}


@dataclass
class Tally:
    """What came of many downloads."""

    done: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    volume: int = 0
    subflows: int = 0
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Sequence[str]:
        """Say it."""
        clients = ", ".join(f"{name} {count}" for name, count in sorted(self.done.items()))
        yield_ = [f"{sum(self.done.values())} downloads ({clients}), {self.volume / 1e6:.0f} MB"]
        yield_.append(f"{self.subflows} subflows, {len(self.wrong)} wrong: {self.wrong[:5]}")
        yield_ += [f"  begun again {count} times: {why}" for why, count in self.again.items()]
        return yield_


def download(tally: Tally, number: int, seed: int) -> None:
    """Do one download, whose client, strategy and size come from a number and a seed."""
    choice = random.Random(seed)
    name = list(CLIENTS)[number % len(CLIENTS)]
    size = choice.choice(SIZES)
    strategy = choice.choice(
        [
            Restless(seed),
            FullMesh(),
            Handover(),
            Handover(0.4, standby=True),
            Deadline(1.5),
            Refresh(300_000, rotate=True),
        ]
    )
    for _ in range(_ATTEMPTS):
        try:
            digest, report = CLIENTS[name](strategy, size)
        except _FAILED as error:
            tally.again[f"{name}: {type(error).__name__} {str(error)[:80]}"] += 1
            continue
        if digest != sha256_of(size):
            tally.wrong.append(f"{name} {strategy} {size} {seed}")
        for problem in report.problems if report is not None else ():
            if "itself failed" in problem.what or "ended with" in problem.what:
                tally.wrong.append(f"{name} {strategy}: {problem.what}")
        tally.done[name] += 1
        tally.volume += size
        tally.subflows += len(report.subflows) if report is not None else 0
        return
    tally.wrong.append(f"{name} {strategy} {size} {seed}: {_ATTEMPTS} attempts failed")
