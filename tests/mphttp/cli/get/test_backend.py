"""`mphttp get --backend curl`: the same command, with libcurl under it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from ..conftest import Object, content

pytest.importorskip("pycurl")


@pytest.fixture
def get(run):
    def get(*options: str, **settings):
        return run("get", "--backend", "curl", *options, **settings)

    return get


def test_bodies_and_reports(get, server) -> None:
    urls = [f"{server.url}/bytes/{n}" for n in (10, 300_000)]
    options = (
        "--strategy",
        "deadline",
        "-w",
        "%{stderr}%{http_code} %{size_download} %{protocol}\\n",
    )
    result = get(*options, *urls)
    assert (result.code, result.out) == (0, content(10) + content(300_000))
    lines = [line for line in result.err.splitlines() if line.startswith("200")]
    assert lines == ["200 10 tcp", "200 300000 tcp"]


def test_a_broken_body_goes_on_where_it_ended(get, server, tmp_path: Path) -> None:
    server.objects["x"] = Object(content(300_000), {"ETag": '"1"'}, breaks=[100_000, 0])
    url = f"{server.url}/object/x"
    options = ("-C", "-", "-o", str(tmp_path / "x"))
    assert get(*options, url).code == ExitCode.TRUNCATED
    digest = hashlib.sha256(content(300_000)).hexdigest()
    again = ("--retry", "1", "--retry-delay", "1ms", "--sha256", digest)
    assert get(*options, *again, url).code == 0
    assert (tmp_path / "x").read_bytes() == content(300_000)
    assert server.objects["x"].ranged == [None, "bytes=100000-", "bytes=100000-"]


def test_a_proxy(get, server) -> None:
    assert get("-x", server.url, "http://example.invalid/bytes/10").out == content(10)
    assert server.targets == ["http://example.invalid/bytes/10"]


def test_tls(get, tls_server, authority) -> None:
    url = f"{tls_server.url}/bytes/10"
    assert get(url).code == ExitCode.CERTIFICATE
    assert get("-k", url).out == content(10)
    assert get("--cacert", str(authority), url).out == content(10)
    assert get("--cacert", "/no/such", url).code == ExitCode.CA_FILE


def test_the_same_faults_have_the_same_numbers(get, server, nobody) -> None:
    assert get(nobody).code == ExitCode.CONNECT
    assert get("http://name.invalid/").code == ExitCode.RESOLVE
    assert get(server.url.replace("http:", "https:")).code == ExitCode.TLS
    assert get(f"{server.url}/silence").code == ExitCode.EMPTY
    assert get(f"{server.url}/half/1000").code == ExitCode.TRUNCATED
    assert get("--max-time", "300ms", f"{server.url}/stuck/1000").code == ExitCode.TIMEOUT
    strict = ("--strategy", "fullmesh", "--strict")
    assert get(*strict, f"{server.url}/bytes/10").code == ExitCode.STRATEGY
