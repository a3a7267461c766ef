"""What `-w` writes: the same by both backends and by curl itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from .seen import BODY, Answer, Client, Seen

FORMAT = (
    "%{http_code} %{response_code} %{method} %{num_headers} %{num_redirects} %{scheme} %{urlnum} "
    "%{size_download} %{size_upload} %{size_header} %{ssl_verify_result} %{referer} %{url} "
    "%{url_effective} %{redirect_url} %{content_type} %{exitcode} %{errormsg} %{http_version} "
    "%{filename_effective} %{remote_ip} %{local_ip} %header{x-a} %header{none}"
)


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_a_name_beyond_ascii_stands_as_it_was_typed(run, seen: Seen, backend: str) -> None:
    known = ("--resolve", f"xn--4cab6c.se:{seen.port}:127.0.0.1")
    for name in ("åäö.se", "xn--4cab6c.se"):
        url = f"http://{name}:{seen.port}"
        words = ("-L", "-w", "%{url} %{url_effective}", "-o", os.devnull, f"{url}/302/x")
        done = run("get", "--backend", backend, *known, *words)
        assert done.out.decode() == f"{url}/302/x {url}/x"
    assert seen.requests[-1]["host"] == f"xn--4cab6c.se:{seen.port}"


@pytest.mark.parametrize("words", ["-L", "-L -d abc -e me;auto", "-I", "-T file -A x"])
def test_variables(client: Client, seen: Seen, words: str) -> None:
    Path("file").write_bytes(b"12345")
    fields = (("X-A", "1"), ("Content-Type", "text/x"), ("X-A", "2"))
    seen.answers["/x"] = Answer(404, fields)
    url = f"{seen.url}/302/x" if "-L" in words else f"{seen.url}/x"
    done = client(*words.split(" "), "-o", "out", "-w", FORMAT, url)
    redirected = "-L" in words
    told = done.out.decode().split(" ")
    assert told[:10] == [
        "404",
        "404",
        {"-I": "HEAD", "-T file -A x": "PUT"}.get(words, "GET"),
        "6",
        "1" if redirected else "0",
        "HTTP",
        "0",
        "0" if words == "-I" else "6",
        "5" if "-T" in words else "0",
        told[9],
    ]
    assert int(told[9]) > 100
    referer = url if "auto" in words else ""
    effective = f"{seen.url}/x"
    assert told[10:] == [
        *("0", referer, url, effective, "", "text/x", "0", "", "1.1", "out", "127.0.0.1"),
        *("127.0.0.1", "1", ""),
    ]


def test_heads_as_json(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = Answer(fields=(("X-A", "1"), ("x-a", '"2"')))
    done = client("-o", "x", "-w", "%{header_json}", f"{seen.url}/x")
    told = json.loads(done.out)
    assert (told["x-a"], told["content-length"]) == (["1", '"2"'], ["6"])


def test_a_variable_that_there_is_not(client: Client, seen: Seen) -> None:
    done = client("-w", "a%{nope}b", f"{seen.url}/x")
    assert (done.code, done.out) == (0, BODY + b"ab")
    assert "nope" in done.err


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_output_goes_to_files(run, seen: Seen, tmp_path: Path, backend: str) -> None:
    """As in newer curls than the one that these tests have."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("before")
    two.write_text("before ")
    form = f"a%output{{{one}}}%{{http_code}}\\n%output{{>>{two}}}%{{urlnum}}%{{stdout}}b"
    done = run("get", "--backend", backend, "-w", form, f"{seen.url}/x", f"{seen.url}/y")
    assert (done.code, done.out) == (0, (BODY + b"ab") * 2)
    assert (one.read_text(), two.read_text()) == ("200\n200\n", "before 01")
