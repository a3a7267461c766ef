"""Codings, pace, proxies from the environment, `-w`: each against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from ..conftest import Object, content, packed


@pytest.mark.parametrize("coding", ["gzip", "deflate", "identity", "gzip, deflate"])
def test_compressed_writes_what_was_packed(run, server, coding: str) -> None:
    """The report counts what came over the wire."""
    server.objects["x"] = Object(packed(coding, content(100_000)), {"Content-Encoding": coding})
    url = f"{server.url}/object/x"
    result = run("get", "--compressed", url, "-w", "%{stderr}%{size_download}")
    assert (result.code, result.out) == (0, content(100_000))
    assert int(result.err) == len(packed(coding, content(100_000)))


def test_compressed_asks_for_what_can_be_undone(run, server) -> None:
    headers = run("get", "--compressed", f"{server.url}/echo").json["headers"]
    assert "gzip" in headers["accept-encoding"]


def test_without_it_the_body_is_written_as_it_came(run, server) -> None:
    server.objects["x"] = Object(packed("gzip", b"abc"), {"Content-Encoding": "gzip"})
    assert run("get", f"{server.url}/object/x").out == packed("gzip", b"abc")


@pytest.mark.parametrize(
    ("coding", "data"),
    [("gzip", b"no gzip"), ("gzip", packed("gzip", b"abc")[:-1]), ("x-unheard-of", b"abc")],
)
def test_a_coding_that_cannot_be_undone(run, server, tmp_path: Path, coding, data) -> None:
    server.objects["x"] = Object(data, {"Content-Encoding": coding})
    result = run("get", "--compressed", "-o", str(tmp_path / "x"), f"{server.url}/object/x")
    assert result.code == ExitCode.ENCODING
    assert "error: the body's coding can't be undone: " in result.err
    assert list(tmp_path.iterdir()) == []


def test_what_was_decoded_begins_anew_after_a_break(run, server, tmp_path: Path) -> None:
    data = packed("gzip", content(100_000))
    fields = {"Content-Encoding": "gzip", "ETag": '"1"'}
    server.objects["x"] = Object(data, fields, breaks=[50_000])
    options = ("--compressed", "--retry", "1", "--retry-delay", "1ms", "-o", str(tmp_path / "x"))
    assert run("get", *options, f"{server.url}/object/x").code == 0
    assert (tmp_path / "x").read_bytes() == content(100_000)


def test_limit_rate_makes_the_reader_wait(run, server) -> None:
    """As long as the bytes take at that rate, but for what came while it waited."""
    waits: list[float] = []
    url = f"{server.url}/bytes/2000000"
    result = run("get", "--limit-rate", "1MB", url, sleep=waits.append)
    assert result.out == content(2_000_000)
    assert max(waits) == pytest.approx(2.0, rel=0.5)  # nobody slept: each wait adds to the last


def test_a_rate_of_0_is_none(run, server) -> None:
    def never(_: float) -> None:
        raise AssertionError

    assert run("get", "--limit-rate", "0", f"{server.url}/bytes/10", sleep=never).code == 0


def test_a_proxy_from_the_environment(run, server) -> None:
    environ = {"http_proxy": server.url, "no_proxy": "127.0.0.1"}
    assert run("get", "http://example.invalid/bytes/10", environ=environ).out == content(10)
    assert run("get", f"{server.url}/bytes/20", environ=environ).out == content(20)
    assert server.targets == ["http://example.invalid/bytes/10", "/bytes/20"]


def test_the_environment_of_the_process_is_left_alone(run, server, monkeypatch) -> None:
    """A test's, or an embedding program's, own environment is the one that counts."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert run("get", f"{server.url}/bytes/10").code == 0


def test_noproxy_goes_around_x(run, server) -> None:
    options = ("-x", "http://127.0.0.1:1", "--noproxy", "127.0.0.0/8")
    assert run("get", *options, f"{server.url}/bytes/10").out == content(10)


def test_w_tells_what_curl_tells(run, server, tmp_path: Path) -> None:
    variables = "http_code size_download num_redirects url_effective exitcode urlnum method"
    form = " ".join(f"%{{{name}}}" for name in variables.split()) + r"\n"
    url = f"{server.url}/redirect/bytes/10"
    result = run("get", "-L", "-o", str(tmp_path / "x"), "-w", form, url)
    assert result.out.decode() == f"200 10 1 {server.url}/bytes/10 0 0 GET\n"


def test_w_has_the_times_in_order(run, tls_server) -> None:
    names = ("connect", "appconnect", "starttransfer", "total")
    form = "%{stderr}" + " ".join(f"%{{time_{name}}}" for name in names)
    result = run("get", "-k", "-w", form, f"{tls_server.url}/bytes/10")
    times = [float(word) for word in result.err.split()]
    assert times == sorted(times)
    assert times[0] > 0


def test_w_tells_of_failures(run, nobody) -> None:
    result = run("get", "-s", "-w", r"%{http_code} %{exitcode} %{errormsg}", nobody)
    assert result.code == ExitCode.CONNECT
    assert result.out.startswith(b"000 7 no connection to ")


def test_w_as_json_has_the_report(run, server, tmp_path: Path) -> None:
    options = ("--deadline", "30s", "-o", str(tmp_path / "x"), "-w", "%{json}")
    told = run("get", *options, f"{server.url}/bytes/10").json
    assert (told["http_code"], told["size_download"], told["deadline_met"]) == (200, 10, True)
    assert told["report"]["deadline"] == {"seconds": 30.0, "met": True, "expected": None}
    assert told["subflows"] == 1
    assert told["protocol"] == "tcp"


def test_w_comes_from_a_file_or_stdin(run, server, tmp_path: Path) -> None:
    (tmp_path / "format").write_text("%{http_code}")
    url = f"{server.url}/bytes/0"
    assert run("get", "-w", f"@{tmp_path / 'format'}", url).out == b"200"
    assert run("get", "-w", "@-", url, stdin=b"%{size_download}").out == b"0"
    assert run("get", "-w", "@/no/such", url).code == ExitCode.READ


def test_a_variable_that_there_is_not_is_a_warning(run, server) -> None:
    result = run("get", "-w", "%{http_cod}|", f"{server.url}/bytes/10")
    assert (result.code, result.out) == (0, content(10) + b"|")
    assert "warning: -w: there is no variable %{http_cod}" in result.err
    assert "hint: did you mean %{http_code}?" in result.err


def test_a_format_that_is_no_text_is_said(run, server) -> None:
    result = run("get", "-w", "@-", f"{server.url}/bytes/10", stdin=b"\xff")
    assert (result.code, server.targets) == (ExitCode.USAGE, [])


def test_strict_fails_where_a_strategy_gets_nothing(run, server) -> None:
    """This server has no MPTCP."""
    url = f"{server.url}/bytes/10"
    assert run("get", "--strategy", "fullmesh", url).code == 0
    result = run("get", "--strategy", "fullmesh", "--strict", url)
    assert (result.code, result.out) == (ExitCode.STRATEGY, b"")
    assert "plain TCP" in result.err
    assert "hint: " in result.err


@pytest.mark.slow
def test_backend_curl_names_the_package_that_it_needs(server) -> None:
    program = (
        "import sys\n"
        "sys.modules['pycurl'] = None\n"
        "from mphttp.cli import main\n"
        f"sys.exit(main(['get', '--backend', 'curl', '{server.url}/bytes/10']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitCode.USAGE
    assert "--backend curl needs the package pycurl" in done.stderr
    assert "hint: pip install pycurl" in done.stderr
    assert server.targets == []


def test_json_of_several_transfers_is_several_values(run, server) -> None:
    urls = [f"{server.url}/bytes/0"] * 2
    out = run("get", *urls, "-w", r"%{json}\n").out
    assert [json.loads(line)["urlnum"] for line in out.splitlines()] == [0, 1]


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("Transfer-Encoding: chunked", ()),
        ("transfer-encoding: identity", ()),
        ("transfer-encoding: identity", ("-d", "abc")),
        ("Content-Length: 5", ()),
        ("Content-Length: 5", ("-d", "abc")),
    ],
)
def test_a_framing_of_ones_own_is_refused(run, server, line, data) -> None:
    refused(run("get", "-H", line, *data, f"{server.url}/echo"), server)


def test_a_body_without_its_length_is_refused(run, server) -> None:
    refused(run("get", "-H", "Content-Length:", "-d", "abc", f"{server.url}/echo"), server)


def refused(result, server) -> None:
    assert result.code == ExitCode.USAGE
    assert "leave that -H away" in result.err
    assert server.targets == []


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize("line", ["Content-Length: 3", "Transfer-Encoding:"])
def test_what_says_the_same_is_not(run, server, line, backend) -> None:
    result = run("get", "-H", line, "-d", "abc", "--backend", backend, f"{server.url}/echo")
    assert (result.code, result.json["body"]) == (0, "abc")
