"""`mphttp doctor`: what is there, what is missing, and what mends it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import mphttp
from mphttp.cli.exits import ExitCode
from mphttp.kernel import findings
from tests.mphttp.cli.conftest import Object


@pytest.fixture
def silent() -> Iterator[str]:
    """A URL where the kernel takes connections, and nobody answers on them."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


def test_every_finding_has_a_line_and_what_is_missing_a_fix(run) -> None:
    result = run("doctor")
    lines = result.out.decode().splitlines()
    for finding in findings():
        state = "ok" if finding.ok else "missing" if finding.needed else "optional"
        told = f"{state:8} {finding.name}: {finding.meaning}"
        if finding.name.startswith("rp_filter"):
            continue  # of interfaces that are no second path, nothing is said
        assert told in lines
        if finding.mend:
            assert lines[lines.index(told) + 1].strip() == f"fix: {finding.mend}"
    assert result.err == ""


def test_the_exit_code_says_whether_all_is_there(run) -> None:
    result = run("doctor", "--json")
    assert result.code == (ExitCode.OK if result.json["healthy"] else ExitCode.MISSING)


def test_every_exit_code_is_in_the_help(run) -> None:
    told = run("doctor", "--help").out.decode()
    for code in (
        ExitCode.OK,
        ExitCode.MISSING,
        ExitCode.RESOLVE,
        ExitCode.CONNECT,
        ExitCode.CA_FILE,
    ):
        assert f"\n  {code.value:>3}  " in told


def test_every_field_of_the_json_is_documented(run, server) -> None:
    text = (Path(mphttp.__file__).parent.parent / "docs/doctor.md").read_text()
    told = run("doctor", "--json", f"{server.url}/bytes/10").json
    for fields in (told, *told["findings"][:1], *told["server"], *told["answers"], *told["paths"]):
        for name in fields:
            assert f"`{name}`" in text, name


def test_progress_is_for_a_terminal_alone(run, server) -> None:
    """It is gone when the command ends."""
    assert run("doctor", server.url).err == ""
    told = run("doctor", server.url, terminal=True).err
    assert "connecting over lo" in told
    assert told.endswith("\r\x1b[K")


def test_what_is_not_done_in_time_is_said(run, silent) -> None:
    result = run("doctor", "--max-time", "0.3", silent)
    assert "not all could be tried in time" in result.out.decode()
    assert result.code == ExitCode.MISSING


def test_nothing_that_a_server_says_reaches_the_terminal_as_it_is(run, server) -> None:
    fields = {"ETag": '"\x1b[31m"', "Accept-Ranges": "bytes"}
    server.objects["odd"] = Object(b"body", fields, breaks=[4], refusals=[599])
    result = run("doctor", f"{server.url}/redirect/%1b%0aok%20downloads", out_terminal=True)
    assert "\x1b" not in result.out.decode()
    assert run("doctor", f"{server.url}/object/odd", "--json").out.isascii()


def test_json_tells_the_same(run) -> None:
    told, lines = run("doctor", "--json").json, run("doctor").out.decode().splitlines()
    for entry in told["findings"]:
        assert f"{entry['state']:8} {entry['name']}: {entry['meaning']}" in lines
    assert told["healthy"] == all(entry["ok"] for entry in told["findings"] if entry["needed"])
    assert "server" not in told


def test_a_server_without_mptcp_is_told_apart(run, server) -> None:
    """The answer comes from a real connection over each path that leads there."""
    result = run("doctor", server.url)
    assert f"missing  lo: 127.0.0.1 port {server.server_port} answers over plain TCP" in (
        result.out.decode()
    )
    assert result.code == ExitCode.MISSING


@pytest.mark.slow
def test_a_server_with_mptcp_is_told_apart(run, mptcp_server) -> None:
    (told,) = run("doctor", "--json", "--max-time", "1", mptcp_server).json["server"]
    assert (told["path"], told["protocol"], told["error"]) == ("lo", "mptcp", "")


def test_a_server_that_does_not_answer(run, nobody) -> None:
    result = run("doctor", nobody)
    assert "doesn't answer: Connection refused" in result.out.decode()
    assert result.code == ExitCode.MISSING


def test_whose_certificates_are_trusted(run, tls_server, authority) -> None:
    """With --cacert and -k as in `mphttp get`; nobody is trusted otherwise."""
    url = f"{tls_server.url}/bytes/10"
    assert "lo tls: the certificate isn't trusted" in run("doctor", url).out.decode()
    for options in (("--cacert", str(authority)), ("-k",)):
        assert " tls: " not in run("doctor", *options, url).out.decode()
    assert run("doctor", "--cacert", "/nowhere", url).code == ExitCode.CA_FILE


@pytest.mark.parametrize(
    ("url", "code"),
    [("example.org", ExitCode.URL), ("http://name.invalid/", ExitCode.RESOLVE)],
)
def test_a_url_that_cannot_be_used(run, url, code) -> None:
    result = run("doctor", url)
    assert result.code == code
    assert result.err.startswith("error: ")
