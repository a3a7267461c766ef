"""A part is asked for as the whole was, where that came from, and with no secret more."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import requests

from mphttp import MultipathAdapter, MultipathTransport
from mphttp.strategies import NDiffPorts

from .origins import BODY, SIZE, Asked, Origin, Peer, right

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

SECRETS = {"authorization", "cookie", "proxy-authorization"}
OWN = {"range", "if-range"}
SETTINGS = {"multipath": "ranges"}


def moved(origin: Origin) -> Callable[[Peer, Asked], None]:
    """Point to another origin, with a cookie of this one."""

    def answer(peer: Peer, asked: Asked) -> None:
        where = f"http://127.0.0.1:{origin.port}/there?a=b"
        peer.head(302, f"Location: {where}", "Set-Cookie: secret=1", "Content-Length: 0")

    return answer


def with_cookie(peer: Peer, asked: Asked) -> None:
    """Send all, with a cookie; and a part of it with another."""
    peer.head(
        200,
        f"Content-Length: {SIZE}",
        'ETag: "one"',
        "Accept-Ranges: bytes",
        "Set-Cookie: new=1",
    )
    peer.send(range(SIZE // 4))
    peer.wait()
    peer.send(range(SIZE // 4, SIZE))


def part_with_cookie(peer: Peer, asked: Asked) -> None:
    peer.part_head(asked.part, "Set-Cookie: evil=1")
    peer.send(asked.part)
    peer.origin.gate.set()


def by_httpx(url: str) -> bytes:
    transport = MultipathTransport(NDiffPorts(2), **SETTINGS)
    with httpx.Client(transport=transport, auth=("u", "p"), follow_redirects=True) as client:
        client.cookies.set("mine", "1", domain="localhost.local")
        body = client.get(url).content
        assert "evil" not in client.cookies
    return body


def by_requests(url: str) -> bytes:
    with requests.Session() as session:
        session.trust_env = False
        session.mount("http://", MultipathAdapter(NDiffPorts(2), **SETTINGS))
        session.cookies.set("mine", "1", domain="localhost.local")
        body = session.get(url, auth=("u", "p")).content
        assert "evil" not in session.cookies
    return body


def by_command(backend: str) -> Callable[[str], bytes]:
    def get(url: str) -> bytes:
        options = f"-s -L -u u:p --backend {backend} --multipath ranges --strategy ndiffports"
        command = [sys.executable, "-m", "mphttp", "get", *options.split(), "-H", "Cookie: c=1"]
        return subprocess.run([*command, url], capture_output=True, check=True).stdout

    return get


CLIENTS = {
    "httpx": by_httpx,
    "requests": by_requests,
    "get": by_command("httpx"),
    "get, curl": by_command("curl"),
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS.keys())
def test_after_a_redirect_parts_carry_no_secret(client: Callable[[str], bytes]) -> None:
    """What was for the first origin isn't told to the second, in any request."""
    with Origin(with_cookie, part_with_cookie) as there, Origin(moved(there)) as here:
        host = f"127.0.0.1:{there.port}"
        assert client(here.url) == BODY
    assert "authorization" in here.asked[0].headers
    assert there.parts
    for asked in there.asked:
        assert not SECRETS & asked.headers.keys()
        assert asked.target == "/there?a=b"
        assert asked.headers["host"] == host


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS.keys())
def test_without_one_parts_carry_what_the_first_request_did(
    client: Callable[[str], bytes],
) -> None:
    """And not what came since: another version might be behind another cookie."""
    with Origin(with_cookie, part_with_cookie) as origin:
        assert client(origin.url) == BODY
    first, *parts = origin.asked
    assert "authorization" in first.headers
    for asked in parts:
        mine = {name: value for name, value in asked.headers.items() if name not in OWN}
        mine.pop("connection", None)
        theirs = dict(first.headers)
        theirs.pop("connection", None)
        assert mine == theirs


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_of_a_part_is_followed_by_nobody(status: int) -> None:
    """It could lead anywhere, with all that the request carries."""
    elsewhere = Origin(right)

    def redirect(peer: Peer, asked: Asked) -> None:
        peer.head(status, f"Location: {elsewhere.url}", "Content-Length: 0")
        peer.origin.gate.set()

    with elsewhere, Origin(with_cookie, redirect) as origin:
        assert by_httpx(origin.url) == BODY
    assert not elsewhere.asked


def test_netrc_is_read_for_the_first_request_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts carry what it gave there, and nothing where it gave nothing."""
    file = tmp_path / "netrc"
    file.write_text("machine localhost login u password p\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    for host, told in (("localhost", True), ("127.0.0.1", False)):
        with Origin(with_cookie, part_with_cookie) as origin, requests.Session() as session:
            session.mount("http://", MultipathAdapter(NDiffPorts(2), **SETTINGS))
            body = session.get(f"http://{host}:{origin.port}/").content
        assert body == BODY
        assert origin.parts
        assert {"authorization" in asked.headers for asked in origin.asked} == {told}
