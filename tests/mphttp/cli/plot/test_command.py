"""`mphttp get --plot` and `mphttp plot`, with a real server."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from mphttp import MultipathTransport
from mphttp.sampling import sampled
from tests.schema import checked


def test_get_draws_and_a_saved_report_draws_the_same(run, server, tmp_path: Path) -> None:
    report, first, second = (str(tmp_path / name) for name in ("r.json", "1.svg", "2.svg"))
    url = f"{server.url}/bytes/100000"
    assert run("get", "-o", str(tmp_path / "b"), "--plot", first, "--report", report, url).code == 0
    assert run("plot", report, "-o", second).code == 0
    drawn = Path(first).read_bytes()
    assert drawn == Path(second).read_bytes()
    assert run("plot", "-", stdin=Path(report).read_bytes()).out == drawn
    assert ElementTree.fromstring(drawn).tag.endswith("svg")


def test_samples_are_in_the_report_only_if_they_are_wanted(run, server, tmp_path: Path) -> None:
    """The last one says all that came."""
    options = ("-o", str(tmp_path / "body"), "--report", "-", f"{server.url}/bytes/100000")
    assert "samples" not in run("get", *options).json
    told = run("get", "--samples", *options).json
    assert sum(told["samples"][-1]["received"].values()) >= 100_000


def test_the_library_keeps_samples_too(server) -> None:
    with (
        httpx.Client(transport=MultipathTransport()) as client,
        client.stream("GET", f"{server.url}/bytes/1000000") as response,
    ):
        report = response.extensions["multipath"]
        with sampled(report, every=0.001):
            body = b"".join(response.iter_raw())
    assert len(body) == 1_000_000
    samples = checked(report)["samples"]
    assert sum(samples[-1]["received"].values()) >= 1_000_000
    assert [sample["at"] for sample in samples] == sorted(sample["at"] for sample in samples)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--plot", "-"], "the picture and the body can't both go to stdout"),
        (["--plot", "-", "--report", "-", "-o", "x"], "name a file for one"),
        (["--plot", "x", "http://192.0.2.1/"], "--plot is for one URL"),
    ],
)
def test_what_cannot_be_is_said_before_the_first_packet(run, options, words) -> None:
    result = run("get", *options, "http://192.0.2.1/file")
    assert result.code == 2
    assert words in result.err


def test_of_what_never_began_there_is_no_picture(run, nobody, tmp_path: Path) -> None:
    assert run("get", "--plot", str(tmp_path / "x.svg"), nobody).code == 7
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_written_is_told(run, server, tmp_path: Path) -> None:
    """The body stays."""
    body = tmp_path / "body"
    result = run("get", "-o", str(body), "--plot", "/nowhere/x.svg", f"{server.url}/bytes/10")
    assert result.code == 23
    assert "/nowhere/x.svg can't be written" in result.err
    assert body.stat().st_size == 10


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{}", 26, "no samples over time\nhint: `mphttp get --samples"),
        ("[1]", 26, "this is no report"),
        ("{}\n{}", 2, "head -n 1"),
        ("no", 2, "isn't one report in JSON"),
        (json.dumps({"samples": [{}]}), 26, "this is no report"),
    ],
)
def test_what_is_no_report_is_told(run, text: str, code: int, words: str) -> None:
    result = run("plot", "-", stdin=text.encode())
    assert result.code == code
    assert words in result.err


def test_a_report_that_is_not_there_is_told(run) -> None:
    result = run("plot", "/nowhere/report.json")
    assert result.code == 26
    assert "/nowhere/report.json can't be read: No such file" in result.err
