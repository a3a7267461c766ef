"""`mphttp doctor`: what is there, what is missing, and what mends it."""

from __future__ import annotations

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.kernel import findings


def test_every_finding_has_a_line_and_what_is_missing_a_fix(run) -> None:
    result = run("doctor")
    lines = result.out.decode().splitlines()
    for finding in findings():
        state = "ok" if finding.ok else "missing" if finding.needed else "optional"
        told = f"{state:8} {finding.name}: {finding.meaning}"
        assert told in lines
        if finding.mend:
            assert lines[lines.index(told) + 1].strip() == f"fix: {finding.mend}"
    assert result.err == ""


def test_the_exit_code_says_whether_all_is_there(run) -> None:
    expected = ExitCode.OK if all(f.ok for f in findings() if f.needed) else ExitCode.MISSING
    assert run("doctor").code == expected


def test_json_tells_the_same(run) -> None:
    told = run("doctor", "--json").json
    assert [entry["name"] for entry in told["findings"]] == [f.name for f in findings()]
    assert told["healthy"] == all(f.ok for f in findings() if f.needed)
    assert "server" not in told


def test_a_server_without_mptcp_is_told_apart(run, server) -> None:
    """The answer comes from a real connection over each path that leads there."""
    result = run("doctor", server.url)
    assert f"missing  lo: 127.0.0.1 port {server.server_port} answers over plain TCP" in (
        result.out.decode()
    )
    assert result.code == ExitCode.MISSING


def test_a_server_with_mptcp_is_told_apart(run, mptcp_server) -> None:
    (told,) = run("doctor", "--json", mptcp_server).json["server"]
    assert (told["path"], told["protocol"], told["error"]) == ("lo", "mptcp", "")


def test_a_server_that_does_not_answer(run, nobody) -> None:
    result = run("doctor", nobody)
    assert "doesn't answer: Connection refused" in result.out.decode()
    assert result.code == ExitCode.MISSING


@pytest.mark.parametrize(
    ("url", "code"),
    [("example.org", ExitCode.URL), ("http://name.invalid/", ExitCode.RESOLVE)],
)
def test_a_url_that_cannot_be_used(run, url, code) -> None:
    result = run("doctor", url)
    assert result.code == code
    assert result.err.startswith("error: ")
