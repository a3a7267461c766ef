"""How servers are reached: the same by both backends and by curl itself."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from mphttp.cli.exits import ExitCode
from mphttp.cli.get.trust import _split

from ..conftest import Server, _served, content
from .seen import BODY, Answer, Client, Seen


@dataclass(frozen=True)
class Tls:
    url: str
    authority: str
    chain: str
    key: str
    both: str


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[Tls]:
    """A server that wants to see a certificate."""
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(tmp_path / "authority.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    issuer.configure_trust(context)
    issuer.issue_cert("127.0.0.1").configure_cert(context)
    own = issuer.issue_cert("me@example.org")
    own.cert_chain_pems[0].write_to_path(tmp_path / "own.pem")
    own.private_key_pem.write_to_path(tmp_path / "own.key")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    server = Server()
    server.scheme = "https"
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    names = ("authority.pem", "own.pem", "own.key", "both.pem")
    for served in _served(server):
        yield Tls(served.url, *(str(tmp_path / name) for name in names))


@pytest.mark.slow
def test_a_certificate_of_ones_own(client: Client, tls: Tls) -> None:
    url = f"{tls.url}/bytes/10"
    trust = ("--cacert", tls.authority)
    assert client(*trust, "--cert", tls.chain, "--key", tls.key, url).out == content(10)
    assert client(*trust, "-E", tls.both, url).out == content(10)
    assert client("-k", "-E", tls.both, url).out == content(10)
    assert client(*trust, url).code in (ExitCode.RECEIVE, ExitCode.SEND, ExitCode.TLS)


def test_a_certificate_that_cannot_be_used(client: Client, tls: Tls) -> None:
    for options in (("--cert", "missing"), ("--cert", tls.chain)):
        done = client("--cacert", tls.authority, *options, f"{tls.url}/bytes/10")
        assert done.code == ExitCode.OWN_CERTIFICATE


@pytest.mark.parametrize(
    ("text", "name", "password"),
    [("a", "a", ""), ("a:b", "a", "b"), ("a\\:b:c:d", "a:b", "c:d"), ("a:", "a", "")],
)
def test_the_password_of_a_certificate(text: str, name: str, password: str) -> None:
    assert _split(text) == (name, password)


def test_a_folder_of_certificates(run, tls: Tls, tmp_path: Path) -> None:
    folder = tmp_path / "trusted"
    folder.mkdir()
    url = f"{tls.url}/bytes/10"
    options = ("--capath", str(folder), "-E", tls.both)
    assert run("get", *options, url).code == ExitCode.CERTIFICATE
    context = ssl.create_default_context(cafile=tls.authority)
    (subject,) = context.get_ca_certs()
    assert subject
    assert run("get", *options, "--cacert", tls.authority, url).out == content(10)
    assert run("get", "--capath", str(tmp_path / "missing"), url).code == ExitCode.CA_FILE


def test_what_only_the_other_backend_can_do_is_refused(run) -> None:
    pytest.importorskip("pycurl")
    result = run("get", "--backend", "curl", "--capath", "/", "https://a/")
    assert result.code == ExitCode.USAGE
    assert "error: --capath can't be had with --backend curl\n" in result.err
    assert "hint: --backend httpx can do it\n" in result.err


@pytest.mark.parametrize("option", ["--http1.1", "--http2"])
def test_versions_over_plain_tcp(client: Client, seen: Seen, option: str) -> None:
    done = client(option, "-w", "%{http_version}", f"{seen.url}/x")
    assert (done.code, done.out) == (0, BODY + b"1.1")


def test_an_interface(client: Client, seen: Seen) -> None:
    assert client("--interface", "lo", f"{seen.url}/x").out == BODY


def test_an_interface_that_is_not_there(run, seen: Seen) -> None:
    assert run("get", "--interface", "wlan99", seen.url).code != 0
    result = run("get", "--interface", "lo", "--path", "lo", seen.url)
    assert (result.code, seen.requests) == (ExitCode.USAGE, [])


@pytest.mark.parametrize("status", [200, 404])
def test_the_closing_line_tells_the_status(run, seen: Seen, status: int, tmp_path: Path) -> None:
    """So that a page that tells of an error is no quiet success."""
    seen.answers["/x"] = Answer(status)
    result = run("get", "-o", str(tmp_path / "x"), f"{seen.url}/x", terminal=True)
    assert result.code == 0
    told = {200: "200 OK, 6 B in ", 404: "404 Not Found, 6 B in "}[status]
    assert told in result.err.splitlines()[-1]
