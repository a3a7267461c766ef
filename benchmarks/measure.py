"""What the benchmarks share: a lab around a script, a verified download, packets counted."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from mphttp import MultipathTransport, Report, Strategy
from mphttp.lab import names
from mphttp.lab.lab import Lab


def in_lab(*links: str, server_subflow_limit: int | None = None) -> None:
    """Go on inside a lab with these links; outside, run this script in one and end as it ends."""
    if names.INSIDE in os.environ:
        return
    with Lab(links, server_subflow_limit=server_subflow_limit) as lab:
        raise SystemExit(lab.run([sys.executable, *sys.argv]))


def origin(size: int, *, kind: str = "bytes", tls: bool = False) -> str:
    """Return the URL of a body of the lab's origin."""
    return f"{os.environ[names.ORIGIN_TLS if tls else names.ORIGIN]}/{kind}/{size}"


def packets_sent(interface: str) -> int:
    """Return the packets that left by an interface, as Linux counts them."""
    return _counter(interface, 9)


def bytes_received(interface: str) -> int:
    """Return the bytes that came by an interface, as Linux counts them."""
    return _counter(interface, 0)


def bytes_sent(interface: str) -> int:
    """Return the bytes that left by an interface, as Linux counts them."""
    return _counter(interface, 8)


def _counter(interface: str, column: int) -> int:
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == interface:
            return int(numbers.split()[column])
    raise ValueError(f"no interface {interface!r}")


def packets_when_quiet(interface: str) -> int:
    """Return the packets sent so far, once what an earlier connection still had to say is out."""
    while True:
        before = packets_sent(interface)
        time.sleep(1)
        if packets_sent(interface) == before:
            return before


@dataclass(frozen=True)
class Download:
    """A whole body that came, its checksum right.

    Args:
        seconds: from the call to the last byte.
        report: what happened.
    """

    seconds: float
    report: Report


def client(strategy: Strategy | None, paths: tuple[str, ...] | None = None) -> httpx.Client:
    """Make a client that trusts the lab's certificate."""
    trust = ssl.create_default_context(cafile=os.environ[names.CA])
    transport = MultipathTransport(strategy, paths=paths, verify=trust)
    return httpx.Client(transport=transport, timeout=120)


def download(strategy: Strategy | None, url: str) -> Download:
    """Get a body over a new connection and check it against its Repr-Digest (RFC 9530).

    Raises:
        ValueError: not a byte is to be missing, repeated or out of order; here one was.
    """
    with client(strategy) as http:
        return download_with(http, url)


def download_with(http: httpx.Client, url: str, strategy: Strategy | None = None) -> Download:
    """Get a body with a client that may have a connection already; otherwise as `download`.

    Args:
        http: the client.
        url: what to get.
        strategy: of this request; None for the client's.
    """
    began = time.monotonic()
    digest = hashlib.sha256()
    extensions = {} if strategy is None else {"strategy": strategy}
    with http.stream("GET", url, extensions=extensions) as response:
        response.raise_for_status()
        for chunk in response.iter_raw():
            digest.update(chunk)
        seconds = time.monotonic() - began
    expected = response.headers["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":")
    if base64.b64decode(expected) != digest.digest():
        raise ValueError(f"{url}: the SHA-256 is wrong")
    return Download(seconds, response.extensions["multipath"])
