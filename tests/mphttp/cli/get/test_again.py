"""`mphttp get --retry` against a real server that fails and recovers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from ..conftest import Object, content

DATA = content(300_000)


@pytest.fixture
def thing(server) -> Object:
    server.objects["x"] = Object(DATA, {"ETag": '"one"'})
    return server.objects["x"]


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def again(run, server, waits):
    def again(*options: str, times: int = 3):
        url = f"{server.url}/object/x"
        return run("get", "--retry", str(times), *options, url, sleep=waits.append)

    return again


def test_a_status_that_passes_is_waited_for(again, thing, waits) -> None:
    thing.refusals = [503, 429]
    result = again()
    assert (result.code, result.out, waits) == (0, DATA, [1.0, 2.0])
    assert result.err.splitlines() == [
        "note: the server answered 503 Service Unavailable; trying again in 1 s (1 of 3)",
        "note: the server answered 429 Too Many Requests; trying again in 2 s (2 of 3)",
    ]


def test_the_last_answer_is_taken_as_it_is(again, thing, waits) -> None:
    """As in curl: without -f, its body is the output."""
    thing.refusals = [503] * 9
    result = again(times=1)
    assert (result.code, result.out, waits) == (0, b"not now", [1.0])


def test_with_f_the_last_answer_is_a_failure(again, thing, waits) -> None:
    thing.refusals = [503] * 9
    result = again("-f", times=1)
    assert (result.code, result.out) == (ExitCode.HTTP, b"")


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize(
    "case",
    [(("-i",), 3, 2), (("-i", "-f"), 3, 0), (("-i", "-o"), 1, 0), (("-if", "-o"), 3, 0)],
)
def test_i_writes_the_answers_of_all_attempts(
    again, thing, tmp_path: Path, backend: str, case: tuple[tuple[str, ...], int, int]
) -> None:
    """As in curl, where a file gives them back but for heads alone."""
    words, heads, bodies = case
    file = (str(tmp_path / "x"),) if "-o" in words else ()
    thing.refusals = [503, 429]
    result = again("--backend", backend, *words, *file)
    came = (tmp_path / "x").read_bytes() if file else result.out
    assert result.code == 0
    assert (came.count(b"HTTP/1.1 "), came.count(b"not now")) == (heads, bodies)
    assert came.endswith(b"\r\n\r\n" + DATA)


def test_a_status_that_says_no_is_not_tried_again(again, thing, waits) -> None:
    thing.refusals = [404]
    assert (again("-f").code, waits) == (ExitCode.HTTP, [])
    thing.refusals = [404]
    assert (again("-f", "--retry-all-errors").out, waits) == (DATA, [1.0])


def test_retry_after_and_retry_delay(again, thing, waits) -> None:
    thing.refusals = [503, 503]
    thing.fields["Retry-After"] = "7"
    again("--retry-delay", "500ms")
    assert waits == [7.0, 7.0]
    thing.refusals, thing.fields = [503], {}
    again("--retry-delay", "500ms")
    assert waits[2:] == [0.5]


def test_retry_max_time_forbids_a_wait_that_is_too_long(again, thing, waits) -> None:
    thing.refusals = [503]
    assert again("--retry-max-time", "900ms").out == b"not now"
    assert waits == []


@pytest.mark.parametrize("output", ["-", "file"])
def test_a_body_that_breaks_goes_on_where_it_ended(
    again, thing, output, tmp_path: Path, monkeypatch
) -> None:
    """In a pipe as in a file: what is there is neither repeated nor lost."""
    monkeypatch.chdir(tmp_path)
    thing.breaks = [100_000, 50_000]
    result = again("-o", output)
    assert result.code == 0
    assert (result.out if output == "-" else Path("file").read_bytes()) == DATA
    assert thing.ranged == [None, "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize("words", [(), ("-o", "file"), ("-o", "file", "--backend", "curl")])
def test_what_is_missing_is_not_unmodified(
    again, thing, words: tuple[str, ...], tmp_path: Path, monkeypatch
) -> None:
    """Nobody has asked whether it is: 304 brings none of the bytes that are to come."""
    monkeypatch.chdir(tmp_path)
    thing.breaks, thing.after_each = [100_000], lambda: thing.refusals.append(304)
    result = again(*words)
    assert result.code == ExitCode.HTTP
    assert "the server answered 304" in result.err
    assert not Path("file").exists()


def changed(thing: Object) -> None:
    thing.data, thing.fields = content(200_000), {"ETag": '"two"'}


def test_in_a_file_an_object_that_has_changed_starts_over(again, thing, tmp_path: Path) -> None:
    thing.breaks, thing.after_each = [100_000], lambda: changed(thing)
    result = again("-o", str(tmp_path / "file"))
    assert result.code == 0
    assert "note: the object has changed: starting over" in result.err
    assert (tmp_path / "file").read_bytes() == content(200_000)


def test_in_a_pipe_versions_never_mix(again, thing) -> None:
    thing.breaks, thing.after_each = [100_000], lambda: changed(thing)
    result = again()
    assert (result.code, result.out) == (ExitCode.RANGE, DATA[:100_000])
    assert "the object has changed, and what was written can't be taken back" in result.err


def test_in_a_pipe_without_ranges_the_beginning_is_left_out(again, thing) -> None:
    thing.breaks, thing.ranges = [100_000], False
    assert again().out == DATA


def test_in_a_pipe_without_validator_a_broken_body_is_the_end(again, thing, waits) -> None:
    thing.breaks, thing.fields = [100_000], {}
    result = again()
    assert (result.code, result.out, waits) == (ExitCode.TRUNCATED, DATA[:100_000], [])


def test_in_a_file_without_validator_it_begins_anew(again, thing, tmp_path: Path) -> None:
    thing.breaks, thing.fields = [100_000], {}
    assert again("-o", str(tmp_path / "file")).code == 0
    assert (tmp_path / "file").read_bytes() == DATA
    assert thing.ranged == [None, None]


@pytest.mark.parametrize("output", ["-", "file"])
def test_the_head_of_i_stands_there_once(again, thing, output, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    thing.breaks = [100_000]
    out = again("-i", "-o", output).out
    head, body = (out if output == "-" else Path("file").read_bytes()).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == DATA


def test_a_head_in_a_pipe_is_not_repeated(again, thing, waits) -> None:
    """Nothing of the body has come, but what stands before it can't be taken back."""
    thing.breaks = [0]
    result = again("-i")
    assert (result.code, waits) == (ExitCode.TRUNCATED, [])
    assert result.out.count(b"HTTP/1.1 200") == 1


def test_no_connection_is_tried_again(run, nobody, waits) -> None:
    result = run("get", "--retry", "2", nobody, sleep=waits.append)
    assert (result.code, waits) == (ExitCode.CONNECT, [1.0, 2.0])
    assert "Connection refused; trying again in 2 s (2 of 2)" in result.err


@pytest.mark.slow
def test_max_time_is_for_each_attempt(run, server, waits, tmp_path: Path) -> None:
    output = ("-o", str(tmp_path / "file"))
    options = ("--retry", "2", "--retry-delay", "100ms", "--max-time", "300ms", *output)
    result = run("get", *options, f"{server.url}/stuck/1000", sleep=waits.append)
    assert (result.code, waits) == (ExitCode.TIMEOUT, [0.1, 0.1])
    assert len(server.targets) == 3
    assert list(tmp_path.iterdir()) == []


def test_s_keeps_quiet_about_it_and_the_report_does_not(again, thing, tmp_path: Path) -> None:
    thing.refusals = [503]
    report = tmp_path / "report"
    options = ("-s", "--deadline", "30s", "--report", str(report))
    result = again(*options, "-w", "%{stderr}%{num_retries} %{deadline_met}")
    assert (result.code, result.err) == (0, "1 true")
    told = json.loads(report.read_text())
    assert "503" in told["problems"][0]["what"]
    assert told["strategy"]["d"] == 30.0
    assert told["deadline"] == {"seconds": 30.0, "met": True, "expected": None}


def test_a_deadline_counts_from_the_first_attempt(run, server, thing) -> None:
    """What an attempt has left is what its strategy is told."""
    thing.refusals = [503]
    options = ("--retry", "1", "--retry-delay", "300ms", "--deadline", "200ms", "-o", "/dev/null")
    url = f"{server.url}/object/x"
    result = run("get", *options, "-w", "%{deadline_met}", url)
    assert (result.code, result.out) == (0, b"false")
    thing.refusals = [503]
    late = run("get", *options, "--fail-deadline", url)
    assert late.code == ExitCode.LATE
    assert "the deadline of 0.2 s was missed: it took " in late.err


def test_each_attempt_is_told_what_is_left_of_the_deadline(again, thing) -> None:
    """30 s at this rate would just do at the first attempt, and not at the second."""
    options = ("--deadline", "30s", "--limit-rate", "10kB")
    assert "--limit-rate" not in again(*options).err
    thing.refusals = [503]
    told = re.search(r"makes this take 30.0 s: the deadline of ([\d.]+) s", again(*options).err)
    assert told
    assert 0 < float(told[1]) < 30


def test_bad_numbers_are_said(again) -> None:
    assert "is no number of attempts" in again("--retry", "-1").err
