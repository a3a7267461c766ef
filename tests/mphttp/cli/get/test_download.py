"""`mphttp get` against a real server, when all goes well."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_body_goes_to_stdout_and_nothing_to_stderr(run, server, body_of) -> None:
    """Where nobody watches a terminal there is no progress and no summary."""
    result = run("get", f"{server.url}/bytes/300000")
    assert (result.code, result.err) == (0, "")
    assert result.out == body_of(300_000)


def test_o_writes_a_file(run, server, body_of, tmp_path: Path) -> None:
    result = run("get", "-o", str(tmp_path / "file"), f"{server.url}/bytes/300000")
    assert (result.code, result.out) == (0, b"")
    assert (tmp_path / "file").read_bytes() == body_of(300_000)


def test_o_of_a_dash_is_stdout(run, server, body_of) -> None:
    assert run("get", "-o", "-", f"{server.url}/bytes/10").out == body_of(10)


def test_capital_o_takes_the_name_from_the_url(run, server, body_of, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("get", "-O", f"{server.url}/bytes/10/name.bin?x=1").code == 0
    assert (tmp_path / "name.bin").read_bytes() == body_of(10)


def test_an_empty_body_is_an_empty_file(run, server, tmp_path: Path) -> None:
    assert run("get", "-o", str(tmp_path / "file"), f"{server.url}/bytes/0").code == 0
    assert (tmp_path / "file").read_bytes() == b""


def test_what_is_sent_by_default(run, server) -> None:
    sent = run("get", f"{server.url}/echo").json
    assert sent["method"] == "GET"
    assert sent["headers"]["user-agent"].startswith("mphttp/")
    assert "accept-encoding" not in sent["headers"]


def test_headers_are_sent_replaced_emptied_and_taken_away(run, server) -> None:
    options = ("-H", "X-One: 1", "-H", "User-Agent: me", "-H", "Accept:", "-H", "X-Empty;")
    headers = run("get", *options, f"{server.url}/echo").json["headers"]
    assert headers["x-one"] == "1"
    assert headers["user-agent"] == "me"
    assert headers["x-empty"] == ""
    assert "accept" not in headers


def test_d_posts_a_form(run, server) -> None:
    sent = run("get", "-d", "a=1", "-d", "b=2", f"{server.url}/echo").json
    assert (sent["method"], sent["body"]) == ("POST", "a=1&b=2")
    assert sent["headers"]["content-type"] == "application/x-www-form-urlencoded"


def test_d_reads_a_file_and_stdin_without_their_line_ends(run, server, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("one\ntwo\r\n")
    options = ("-d", f"@{tmp_path / 'data'}", "-d", "@-")
    sent = run("get", *options, f"{server.url}/echo", stdin=b"three\n").json
    assert sent["body"] == "onetwo&three"


def test_capital_x_names_the_method(run, server) -> None:
    sent = run("get", "-X", "PUT", "-d", "x", f"{server.url}/echo").json
    assert (sent["method"], sent["body"]) == ("PUT", "x")


@pytest.mark.parametrize(("user", "secret"), [("me:se:cret", ""), ("me", "se:cret")])
def test_u_authenticates_and_asks_for_the_password_if_need_be(run, server, user, secret) -> None:
    headers = run("get", "-u", user, f"{server.url}/echo", secret=secret).json["headers"]
    scheme, credentials = headers["authorization"].split()
    assert (scheme, base64.b64decode(credentials)) == ("Basic", b"me:se:cret")


def test_capital_i_writes_the_head_alone(run, server) -> None:
    out = run("get", "-I", f"{server.url}/bytes/1000").out
    assert out.startswith(b"HTTP/1.1 200 OK\r\n")
    assert out.endswith(b"\r\n\r\n")
    assert b"X-Kind: bytes\r\n" in out
    assert b"Content-Length: 1000\r\n" in out


def test_i_writes_the_head_and_the_body(run, server, body_of) -> None:
    head, body = run("get", "-i", f"{server.url}/bytes/1000").out.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == body_of(1000)


def test_a_redirect_is_followed_with_capital_l_only(run, server, body_of) -> None:
    assert run("get", f"{server.url}/redirect/bytes/10").out == b"elsewhere"
    assert run("get", "-L", f"{server.url}/redirect/bytes/10").out == body_of(10)


def test_the_heads_of_all_hops_are_written(run, server, body_of) -> None:
    out = run("get", "-iL", f"{server.url}/redirect/bytes/10").out
    assert out.startswith(b"HTTP/1.1 302 Found\r\n")
    assert out.endswith(b"\r\n\r\n" + body_of(10))
    assert out.count(b"HTTP/1.1 ") == 2


def test_a_status_of_400_is_no_failure_without_f(run, server) -> None:
    result = run("get", f"{server.url}/status/404")
    assert (result.code, result.out) == (0, b"what is wrong")


def test_v_tells_both_heads_on_stderr(run, server, body_of) -> None:
    result = run("get", "-v", f"{server.url}/bytes/10")
    lines = result.err.splitlines()
    assert lines[0] == "> GET /bytes/10 HTTP/1.1"
    assert "< HTTP/1.1 200 OK" in lines
    assert "< X-Kind: bytes" in lines
    assert result.out == body_of(10)


def test_tls_with_a_certificate_of_ones_own(run, tls_server, authority, body_of) -> None:
    result = run("get", "--cacert", str(authority), f"{tls_server.url}/bytes/10")
    assert (result.code, result.out) == (0, body_of(10))


def test_k_trusts_any_certificate(run, tls_server, body_of) -> None:
    assert run("get", "-k", f"{tls_server.url}/bytes/10").out == body_of(10)


def test_x_goes_through_a_proxy(run, server) -> None:
    """A proxy gets the absolute URL in the request line (RFC 9112, 3.2.2)."""
    result = run("get", "-v", "-x", server.url, "http://example.invalid/bytes/10")
    assert result.code == 0
    assert server.targets == ["http://example.invalid/bytes/10"]


def test_the_report_goes_to_a_file(run, server, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = ("--deadline", "30s", "--report", str(report))
    assert run("get", *options, f"{server.url}/bytes/5000").code == 0
    told = json.loads(report.read_text())
    assert (told["url"], told["status"]) == (f"{server.url}/bytes/5000", 200)
    assert told["bytes"] == 5000
    assert told["strategy"]["name"] == "deadline"
    assert told["deadline"] == {"seconds": 30.0, "met": True, "expected": None}


def test_the_report_goes_to_stdout_when_the_body_goes_elsewhere(run, server, tmp_path) -> None:
    result = run("get", "--report", "-", "-o", str(tmp_path / "body"), f"{server.url}/bytes/10")
    assert result.json["bytes"] == 10


def test_the_report_and_the_body_cannot_share_stdout(run, server) -> None:
    result = run("get", "--report", "-", f"{server.url}/bytes/10")
    assert (result.code, result.out) == (ExitCode.USAGE, b"")
    assert "hint: -o FILE" in result.err
    assert server.targets == []


def test_a_person_at_a_terminal_gets_a_closing_line(run, server, tmp_path: Path) -> None:
    options = ("-o", str(tmp_path / "body"), "--deadline", "30s")
    result = run("get", *options, f"{server.url}/bytes/2000000", terminal=True)
    assert "2.0 MB in " in result.err.splitlines()[-1]
    assert "deadline of 30 s met" in result.err.splitlines()[-1]


def test_s_keeps_quiet_at_a_terminal(run, server, tmp_path: Path) -> None:
    options = ("-s", "-o", str(tmp_path / "body"))
    assert run("get", *options, f"{server.url}/bytes/2000000", terminal=True).err == ""


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_holds(run, server, monkeypatch, no_color: str, coloured: bool) -> None:
    """Bars are drawn either way; an empty NO_COLOR is none (no-color.org)."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    options = ("get", "-o", "/dev/null", f"{server.url}/bytes/10")
    told = run(*options, terminal=True, environ={"NO_COLOR": no_color}).err
    assert "━" in told
    assert ("\x1b[32m" in told) == coloured


@pytest.mark.slow
def test_a_closed_stdout_ends_quietly(server) -> None:
    """`mphttp get … | head -c 10` says nothing and ends by itself."""
    command = [sys.executable, "-m", "mphttp", "get", f"{server.url}/endless"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout
    assert process.stderr
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == ExitCode.WRITE
    process.stderr.close()


@pytest.mark.slow
def test_data_is_never_lost_to_a_stdout_that_is_not_there(server) -> None:
    command = f"{sys.executable} -m mphttp get {server.url}/bytes/10 >&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.WRITE
    assert "standard output can't be written" in done.stderr
