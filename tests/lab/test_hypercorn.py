"""hypercorn, an ASGI server in Python, over a listener of the test's that speaks MPTCP."""

from __future__ import annotations

import hashlib
import ssl
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import trustme

from mphttp import FullMesh
from mphttp.lab import inside, names
from mphttp.lab.content import sha256_of
from tests.mphttp.transports.doors import DOORS, Door
from tests.schema import checked

from .downloads import carried
from .servers import serving

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000

LISTENER = """
import os, socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.set_inheritable(True)
os.execv(sys.executable, [
    sys.executable, "-m", "hypercorn", "--bind", f"fd://{listener.fileno()}", *sys.argv[3:]
])
"""

APPLICATION = """
from mphttp.lab.content import blocks

async def application(scope, receive, send):
    _, kind, size = scope["path"].split("/")
    headers = [(b"content-length", size.encode())] if kind == "bytes" else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for block in blocks(int(size)):
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body"})
"""


@pytest.fixture(params=["httpx", "httpx-asyncio", "httpx-trio"])
def door(request: pytest.FixtureRequest) -> Door:
    return DOORS[request.param]


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ssl.SSLContext]:
    """Run hypercorn with TLS and without; give what trusts it."""
    folder = tmp_path_factory.mktemp("hypercorn")
    (folder / "served.py").write_text(APPLICATION)
    authority = trustme.CA()
    pem = folder / "server.pem"
    authority.issue_cert(names.SERVER_ADDRESS).private_key_and_cert_chain_pem.write_to_path(pem)

    def command(port: int, *options: str) -> list[str]:
        where = [names.SERVER_ADDRESS, str(port)]
        # Without TLS, only this ends a connection that the client has closed.
        options = ("--keep-alive", "1", *options)
        return [sys.executable, "-c", LISTENER, *where, *options, "served:application"]

    with (
        closing(inside()) as lab,
        serving(lab, command(80), 80, cwd=folder),
        serving(lab, command(443, "--certfile", pem, "--keyfile", pem), 443, cwd=folder),
    ):
        yield ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())


@pytest.mark.parametrize(
    ("scheme", "options", "version"),
    [
        ("http", {}, "HTTP/1.1"),
        ("https", {}, "HTTP/1.1"),
        ("https", {"http2": True}, "HTTP/2"),
        ("http", {"http1": False, "http2": True}, "HTTP/2"),  # with prior knowledge
    ],
    ids=["HTTP/1.1", "TLS", "HTTP/2", "HTTP/2 without TLS"],
)
def test_both_paths_carry_a_response(
    trust: ssl.SSLContext, door: Door, scheme: str, options: dict[str, Any], version: str
) -> None:
    """With a length and without one, over a connection that is kept."""
    place = f"{scheme}://{names.SERVER_ADDRESS}"
    with door.client(strategy=FullMesh(), verify=trust, **options) as client:
        answers = [client.get(f"{place}/{kind}/{SIZE}") for kind in ("bytes", "unknown")]
    assert [answer.http_version for answer in answers] == [version] * 2
    for answer in answers:
        assert hashlib.sha256(answer.content).digest() == sha256_of(SIZE)
    reports = [answer.extensions["multipath"] for answer in answers]
    assert [report.length for report in reports] == [SIZE, None]
    assert len({report.subflows[0].local for report in reports}) == 1
    for report in reports:
        told = checked(report)
        assert (told["protocol"], told["mechanism"], told["problems"]) == ("mptcp", "netlink", [])
        assert [subflow["path"] for subflow in told["subflows"]] == ["wifi", "lte"]
        assert carried(report, "lte") > 0
