"""`mphttp get` when something goes wrong: a sentence, a number, and nothing half-written."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode


@pytest.fixture
def deaf() -> Iterator[str]:
    """A URL whose host never answers a SYN: its queue of connections is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for sock in (first, second):
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "options", "code", "told"),
    [
        ("/half/1000", (), ExitCode.TRUNCATED, "the body isn't whole"),
        ("/silence", (), ExitCode.EMPTY, "closed the connection without an answer"),
        ("/garbage", (), ExitCode.PROTOCOL, "is no HTTP that is known here"),
        ("/status/404", ("-f",), ExitCode.HTTP, "the server answered 404 Not Found"),
        ("/status/500", ("-f",), ExitCode.HTTP, "the server answered 500"),
        ("/loop", ("-L",), ExitCode.REDIRECTS, "the server redirects too often"),
        ("/redirect-to-ftp", ("-L",), ExitCode.PROTOCOL, "the URL can't be used"),
        ("/stuck/1000", ("--max-time", "300ms"), ExitCode.TIMEOUT, "wasn't done in time"),
        ("/bytes/10", ("-d", "@/no/such/file"), ExitCode.READ, "/no/such/file can't be read"),
        ("/bytes/10", ("--strategy", "x"), ExitCode.USAGE, "there is no strategy 'x'"),
        ("/bytes/10", ("-H", "bad name: x"), ExitCode.USAGE, "'bad name: x' is no header"),
        ("/bytes/10", ("-I", "-d", "x"), ExitCode.USAGE, "-I asks for the head only"),
        ("/bytes/10", ("--cacert", "/no/such"), ExitCode.CA_FILE, "/no/such can't be used"),
        ("/bytes/10", ("-x", "ftp://a"), ExitCode.PROXY, "'ftp://a' is no proxy"),
    ],
)
def test_each_fault_has_a_number_and_a_sentence(
    run, server, tmp_path: Path, *, path, options, code, told
) -> None:
    """Whatever goes wrong, the target is not there afterwards, nor a temporary file beside it."""
    result = run("get", *options, "-o", str(tmp_path / "file"), server.url + path)
    assert (result.code, result.out) == (code, b"")
    assert result.err.startswith("error: ")
    assert told in result.err
    assert list(tmp_path.iterdir()) == []


def test_an_interface_that_is_absent_is_no_error_beside_another(run, server) -> None:
    """But alone it leads nowhere."""
    url = server.url + "/bytes/10"
    result = run("get", "--path", "wlan99", "--path", "lo", url)
    assert (result.code, len(result.out)) == (ExitCode.OK, 10)
    assert result.err.startswith("warning: there is no interface 'wlan99' now\nhint: ")
    assert run("get", "-s", "--path", "wlan99", "--path", "lo", url).err == ""
    result = run("get", "--path", "wlan99", url)
    assert result.code == ExitCode.CONNECT
    assert "none of the interfaces wlan99 reaches" in result.err


def test_no_connection(run, nobody) -> None:
    result = run("get", nobody)
    assert result.code == ExitCode.CONNECT
    assert "Connection refused" in result.err
    assert f"hint: mphttp doctor {nobody}" in result.err


def test_a_host_that_never_answers_meets_connect_timeout(run, deaf) -> None:
    result = run("get", "--connect-timeout", "200ms", deaf)
    assert result.code == ExitCode.TIMEOUT
    assert "hint: --connect-timeout gives it longer" in result.err


def test_max_time_holds_for_the_connection_too(run, deaf) -> None:
    assert run("get", "--max-time", "200ms", deaf).code == ExitCode.TIMEOUT


def test_a_name_that_cannot_be_resolved(run) -> None:
    result = run("get", "http://name.invalid/")
    assert result.code == ExitCode.RESOLVE
    assert "the name name.invalid can't be resolved" in result.err


def test_a_certificate_that_nobody_trusts(run, tls_server) -> None:
    result = run("get", f"{tls_server.url}/bytes/10")
    assert result.code == ExitCode.CERTIFICATE
    assert "hint: --cacert FILE" in result.err


def test_tls_to_a_server_that_speaks_plain_http(run, server) -> None:
    assert run("get", server.url.replace("http:", "https:")).code == ExitCode.TLS


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://", ""),
        ("http://[::1", "hint: with -g, braces and brackets are letters like others\n"),
        ("http://a:port/", ""),
    ],
)
def test_a_url_that_cannot_be_used(run, url, hint) -> None:
    result = run("get", url)
    assert result.code == ExitCode.URL
    assert result.err.endswith(hint)
    assert result.err.count("\n") == (2 if hint else 1)


def test_a_file_that_was_there_survives_a_failure(run, server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"before")
    run("get", "-o", str(tmp_path / "file"), f"{server.url}/half/1000")
    assert (tmp_path / "file").read_bytes() == b"before"


def test_a_full_disk(run, server) -> None:
    result = run("get", "-o", "/dev/full", f"{server.url}/bytes/10")
    assert result.code == ExitCode.WRITE
    assert "No space left" in result.err


def test_s_leaves_errors_to_the_exit_code_and_capital_s_brings_them_back(run, server) -> None:
    url = f"{server.url}/half/1000"
    assert run("get", "-s", url).err == ""
    assert run("get", "-s", url).code == ExitCode.TRUNCATED
    assert run("get", "-sS", url).err.startswith("error: ")


@pytest.mark.parametrize(
    ("path", "received", "status"), [("/half/1000", 500, 200), ("/silence", 0, None)]
)
def test_the_report_is_written_when_the_download_failed(
    run, server, tmp_path: Path, *, path, received, status
) -> None:
    """As far as known: what came, and what ended it."""
    report = tmp_path / "report.json"
    options = ("--deadline", "9s", "-o", "/dev/null", "--report", str(report))
    result = run("get", *options, server.url + path)
    told = json.loads(report.read_text())
    assert told["url"] == server.url + path
    assert (told["bytes"], told.get("status")) == (received, status)
    assert told["strategy"]["name"] == "deadline"
    assert f"error: {told['problems'][-1]['what']}\n" in result.err


def test_a_report_that_cannot_be_written_is_said(run, server, tmp_path: Path) -> None:
    name = str(tmp_path / "missing" / "report.json")
    result = run("get", "--report", name, "-o", "/dev/null", f"{server.url}/bytes/10")
    assert result.code == ExitCode.WRITE
    assert f"{name} can't be written" in result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_no_file_behind(server, tmp_path: Path, number, code) -> None:
    """Ctrl-C, a terminated service and a closed terminal all clean up, without a traceback."""
    file = tmp_path / "file"
    get = [sys.executable, "-m", "mphttp", "get", "-o", str(file), f"{server.url}/stuck/100000"]
    # Tests that nohup runs, or a shell in the background, would hand on what they ignore.
    command = ["env", "--default-signal=HUP,INT", *get]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            assert server.stuck.wait(30)
            process.send_signal(number)
            assert process.wait(30) == code
        finally:
            process.kill()
        assert process.stderr
        assert process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []
