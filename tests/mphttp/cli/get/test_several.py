"""Several URLs in one command, and what is checked and written about each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from ..conftest import Object, content


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digest(length: int) -> str:
    return hashlib.sha256(content(length)).hexdigest()


def test_each_output_is_for_one_url_and_the_rest_goes_to_stdout(run, server) -> None:
    urls = [f"{server.url}/bytes/{n}/name{n}" for n in (10, 20, 30, 40)]
    result = run("get", "-o", "a", urls[0], "-O", urls[1], urls[2], "-o", "b", urls[3])
    assert result.code == 0
    assert Path("a").read_bytes() == content(10)
    assert Path("name20").read_bytes() == content(20)
    assert Path("b").read_bytes() == content(30)
    assert result.out == content(40)


def test_the_urls_go_over_one_connection(run, server) -> None:
    urls = [f"{server.url}/bytes/{n}" for n in (10, 20, 30)]
    out = run("get", *urls, "-w", "%{stderr}%{local_port} ").err
    assert len(out.split()) == 3
    assert len(set(out.split())) == 1


def test_cookies_are_for_nobody(run, server) -> None:
    server.objects["x"] = Object(b"", {"Set-Cookie": "a=1; Path=/"})
    out = run("get", f"{server.url}/object/x", f"{server.url}/echo").json
    assert "cookie" not in out["headers"]


def test_what_fails_does_not_stop_the_others(run, server, nobody) -> None:
    """The exit code is that of the last that failed."""
    result = run("get", "-f", nobody, f"{server.url}/status/404", f"{server.url}/bytes/10")
    assert (result.code, result.out) == (ExitCode.HTTP, content(10))
    assert result.err.count("error: ") == 2


def test_a_command_line_is_checked_before_the_first_request(run, server) -> None:
    result = run("get", f"{server.url}/bytes/10", "ftp://a/")
    assert (result.code, server.targets) == (ExitCode.PROTOCOL, [])
    result = run("get", "-o", "x", "-o", "x", f"{server.url}/bytes/1", f"{server.url}/bytes/2")
    assert (result.code, server.targets) == (ExitCode.USAGE, [])
    assert "2 URLs would go to the same file x" in result.err
    result = run("get", "--no-such", f"{server.url}/bytes/1")
    assert (result.code, server.targets) == (ExitCode.USAGE, [])


def test_a_word_too_many_is_said_by_other_commands(run) -> None:
    assert run("doctor", "http://a/", "http://b/").code == ExitCode.USAGE


def test_one_report_is_an_object_and_several_are_a_line_each(run, server, nobody) -> None:
    urls = [f"{server.url}/bytes/10", nobody]
    run("get", *urls, "--report", "r")
    first, second = (json.loads(line) for line in Path("r").read_text().splitlines())
    assert (first["url"], first["bytes"]) == (urls[0], 10)
    assert "Connection refused" in second["problems"][-1]["what"]
    run("get", urls[0], "--report", "r")
    assert json.loads(Path("r").read_text())["bytes"] == 10


def test_a_person_is_told_which_is_which(run, server) -> None:
    urls = [f"{server.url}/bytes/{n}" for n in (10, 20)]
    told = run("get", "-o", "a", "-o", "b", *urls, terminal=True).err
    assert "a: 200 OK, 10 B in " in told
    assert "b: 200 OK, 20 B in " in told


def test_a_digest_that_is_right_is_reported(run, server) -> None:
    result = run("get", "--sha256", digest(10).upper(), f"{server.url}/bytes/10", "-w", "%{sha256}")
    assert (result.code, result.out) == (0, content(10) + digest(10).encode())


def test_a_digest_that_is_wrong_leaves_nothing(run, server, folder: Path) -> None:
    (folder / "old").write_bytes(b"before")
    options = ("--sha256", digest(11), "--sha256", digest(20), "-o", "old", "-o", "new")
    result = run("get", *options, f"{server.url}/bytes/10", f"{server.url}/bytes/20")
    assert result.code == ExitCode.DIGEST
    assert f"error: the body's SHA-256 is {digest(10)}, not {digest(11)}" in result.err
    assert (folder / "old").read_bytes() == b"before"
    assert (folder / "new").read_bytes() == content(20)


def test_a_digest_is_for_every_url_or_for_none(run, server) -> None:
    urls = [f"{server.url}/bytes/{n}" for n in (10, 20)]
    result = run("get", "--sha256", digest(10), *urls)
    assert result.code == ExitCode.USAGE
    assert "--sha256 is there 1 times, for 2 URLs" in result.err


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "0" * 65])
def test_what_is_no_digest(run, text: str) -> None:
    assert "is no SHA-256 digest" in run("get", "--sha256", text, "http://a").err


def test_after_retries_the_digest_is_that_of_the_whole(run, server) -> None:
    server.objects["x"] = Object(content(1000), {"ETag": '"1"'}, breaks=[600, 100])
    options = ("--retry", "2", "--retry-delay", "1ms", "--sha256", digest(1000))
    assert run("get", *options, f"{server.url}/object/x").out == content(1000)
    server.objects["x"] = Object(content(1000), breaks=[600, 100])
    assert run("get", *options, "-o", "x", f"{server.url}/object/x").code == 0
