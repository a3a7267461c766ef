"""`mphttp get --plot` and `mphttp plot`, with a real server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from mphttp import MultipathTransport
from mphttp.cli.exits import ExitCode
from mphttp.sampling import EVERY, sampled
from tests.schema import checked

SIZE = 24_000_000
"""Bytes, more than the sockets of a connection hold."""


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


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_an_upload_is_sampled_from_its_beginning(run, tmp_path: Path, backend: str) -> None:
    """There are samples before the answer, and before all was acknowledged."""
    if backend == "curl":
        pytest.importorskip("pycurl")
    file, plot = tmp_path / "file", tmp_path / "up.svg"
    file.write_bytes(bytes(SIZE))
    with late() as url:
        words = (
            "--backend",
            backend,
            "--plot",
            str(plot),
            "--report",
            "-",
            "-o",
            str(tmp_path / "o"),
        )
        told = run("put", *words, str(file), url).json
    sent = [sum(sample["sent"].values()) for sample in told["samples"]]
    assert sent[0] < SIZE <= sent[-1]
    assert sent == sorted(sent)
    assert b"Mbit/s sent by path" in plot.read_bytes()


@contextmanager
def late() -> Iterator[str]:
    """Serve one upload: of its body nothing is read for some samples' time."""

    def serve() -> None:
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as stream:
            length = 0
            while (line := stream.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            time.sleep(3 * EVERY)
            assert len(stream.read(length)) == length
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        serving.join(20)
        assert not serving.is_alive()


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


ODD = (
    *(None, True, 0, -1, 1, 1e300, 10**400, 1e-320, float("nan"), float("inf"), "1e5", "x"),
    *("\x00\x1b[31m", "\ud800", "\u202e</text><a>", "a" * 100_000, [], {}, [[]], {"name": []}),
)
"""What no report should have in any of its places."""


def _sound() -> dict:
    return {
        "url": "http://x/",
        "bytes": 1000,
        "seconds": 5.0,
        "strategy": {"name": "deadline", "d": 8},
        "deadline": {"seconds": 8.0, "met": True},
        "samples": [{"at": n / 10, "received": {"wifi": n * 10}} for n in range(9)],
        "subflows": [{"id": 0, "path": "wifi", "opened_at": 0, "closed_at": None}],
        "events": [{"at": 1, "kind": "path_lost", "subflow": 0, "path": "wifi"}],
    }


_PLACES = (
    *(("url",), ("bytes",), ("seconds",), ("strategy",), ("deadline",), ("samples",)),
    *(("subflows",), ("events",), ("strategy", "name"), ("strategy", "d"), ("strategy", "\x1b")),
    *(("deadline", "seconds"), ("samples", 0), ("samples", 3, "at"), ("samples", 0, "received")),
    *(("samples", 0, "received", "wifi"), ("subflows", 0), ("subflows", 0, "id")),
    *(("subflows", 0, "path"), ("subflows", 0, "opened_at"), ("subflows", 0, "closed_at")),
    *(("events", 0), ("events", 0, "at"), ("events", 0, "kind"), ("events", 0, "subflow")),
    ("events", 0, "path"),
)


@pytest.mark.slow
@pytest.mark.parametrize("place", _PLACES, ids=str)
def test_an_odd_report_is_a_picture_or_an_error(run, place: tuple) -> None:
    """A picture is XML, whatever words are in it."""
    for odd in ODD:
        report = _sound()
        inner = report
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = odd
        result = run("plot", "-", stdin=json.dumps(report).encode())
        assert result.code in {0, ExitCode.READ}, (odd, result.err)
        if result.code == 0:
            ElementTree.fromstring(result.out)


@pytest.mark.parametrize("data", [b"[" * 200_000, b'{"a":' * 200_000, b"", b"\xff", b"9" * 5000])
def test_what_is_no_report_is_said(run, data: bytes) -> None:
    result = run("plot", "-", stdin=data)
    assert result.code in {ExitCode.USAGE, ExitCode.READ}
    assert result.err.startswith("error: ")


@pytest.mark.parametrize(("name", "count"), [("subflows", 1001), ("events", 10_001)])
def test_a_picture_has_room_for_so_many_rows(run, name: str, count: int) -> None:
    report = _sound()
    report[name] *= count
    result = run("plot", "-", stdin=json.dumps(report).encode())
    assert (result.code, f"it has {count} {name}" in result.err) == (ExitCode.READ, True)
