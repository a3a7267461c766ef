"""Where bodies and heads go, and when: the same by both backends and by curl itself."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.cli.get.outputs import named_by_server

from ..raw import raw_server
from .seen import BODY, Answer, Client, Seen

MODIFIED = 1672628645
DATED = (("Last-Modified", "Mon, 02 Jan 2023 03:04:05 GMT"),)


def files() -> list[str]:
    return sorted(str(path) for path in Path().rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--output-dir d --create-dirs -o a URL/x", ["d/a"]),
        ("--output-dir d/e --create-dirs -O URL/x", ["d/e/x"]),
        ("--create-dirs -o d/e/f URL/x", ["d/e/f"]),
        ("--remote-name-all URL/x URL/y", ["x", "y"]),
        ("--remote-name-all URL/x URL/y -o z", ["y", "z"]),
        ("-N -o a URL/x", ["a"]),
    ],
)
def test_names(client: Client, seen: Seen, words: str, names: list[str]) -> None:
    assert client(*words.replace("URL", seen.url).split(" ")).code == 0
    assert files() == names
    assert all(Path(name).read_bytes() == BODY for name in names)


def test_a_folder_that_is_not_there(client: Client, seen: Seen) -> None:
    assert client("--output-dir", "d", "-O", f"{seen.url}/x").code == ExitCode.WRITE
    assert files() == []


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("attachment; filename=a.txt", "a.txt"),
        ('attachment; filename="a b.txt"', "a b.txt"),
        ('attachment; filename="../../a"', "a"),
        ("attachment; filename=a;x=y", "a"),
        ("attachment", "x"),
        ("attachment; filename*=UTF-8''a.txt", "x"),
    ],
)
def test_the_server_names_the_file(client: Client, seen: Seen, field: str, name: str) -> None:
    seen.answers["/x"] = Answer(fields=(("Content-Disposition", field),))
    done = client("-OJ", "-w", "%{filename_effective}", f"{seen.url}/x")
    assert (done.code, files(), done.out.decode()) == (0, [name], name)


def test_a_name_of_the_servers_replaces_nothing(client: Client, seen: Seen) -> None:
    Path("a").write_text("before")
    seen.answers["/x"] = Answer(fields=(("Content-Disposition", "attachment; filename=a"),))
    assert client("-OJ", f"{seen.url}/x").code == ExitCode.WRITE
    assert (files(), Path("a").read_text()) == (["a"], "before")


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("attachment; filename=.bashrc", "_bashrc"),
        ("attachment; filename=-rf", "_rf"),
        ('attachment; filename="a\x1b[2Jb"', "a_[2Jb"),
        ('attachment; filename="..\\\\..\\\\a"', "a"),
        ('attachment; filename=".."', "_."),
        ('attachment; filename="d/"', None),
        ('attachment; filename=""', None),
        ('attachment; filename="' + "ä" * 300 + '"', "ä" * 127 + "\udcc3"),
        ("attachment; xfilename=a", None),
    ],
)
def test_no_name_of_a_servers_does_harm(field: str, name: str | None) -> None:
    assert named_by_server(field) == name


def test_heads_go_to_a_file(client: Client, seen: Seen) -> None:
    done = client("-L", "-D", "heads", f"{seen.url}/302/x", f"{seen.url}/y")
    lines = Path("heads").read_bytes().split(b"\r\n")
    assert [line for line in lines if line.startswith(b"HTTP/")] == [
        b"HTTP/1.0 302 Found".replace(b"1.0", b"1.1"),
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK",
    ]
    assert (done.out, lines[-2:]) == (BODY * 2, [b"", b""])


def test_heads_stand_before_the_body(client: Client, seen: Seen) -> None:
    out = client("-D", "-", f"{seen.url}/x").out
    assert out.startswith(b"HTTP/1.1 200 OK\r\n")
    assert out.endswith(b"\r\n\r\n" + BODY)


@pytest.mark.parametrize("words", [["-i"], ["-I"]])
def test_a_line_of_a_head_stands_there_for_each_that_asks_for_it(client, seen, words) -> None:
    once = client(*words, "-L", f"{seen.url}/302/x").out
    heads, _, body = once.rpartition(b"\r\n\r\n")
    lines = (heads + b"\r\n\r\n").splitlines(keepends=True)
    told = client(*words, "-L", "-D", "-", f"{seen.url}/302/x").out
    assert _undated(told) == _undated(b"".join(line * 2 for line in lines) + body)
    client(*words, "-L", "-D", "-", "-o", "x", f"{seen.url}/302/x")
    assert _undated(Path("x").read_bytes()) == _undated(once)


TRAILERS = b"A: b\r\nc:  d\r\n"


def test_fields_behind_a_body_are_written_where_heads_are(client: Client) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def answer(_: bytes, connection: socket.socket) -> None:
        connection.sendall(head + b"3\r\nabc\r\n0\r\n" + TRAILERS + b"\r\n")

    with raw_server(answer) as server:
        done = client("-i", "-D", "heads", server.url)
        assert (done.code, done.out) == (0, head + b"abc" + TRAILERS)
        assert Path("heads").read_bytes() == head + TRAILERS
        assert client("-o", "file", server.url).code == 0
        assert Path("file").read_bytes() == b"abc"


def test_heads_before_an_answer_that_never_comes(client: Client) -> None:
    head = b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\n"

    def answer(_: bytes, connection: socket.socket) -> None:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_RDWR)

    with raw_server(answer) as server:
        done = client("-i", server.url)
    assert (done.code, done.out) == (52, head)


def _undated(heads: bytes) -> list[bytes]:
    return [line for line in heads.splitlines() if not line.startswith(b"Date:")]


def test_the_date_of_the_object(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = Answer(fields=DATED)
    assert client("-R", "-O", f"{seen.url}/x").code == 0
    assert Path("x").stat().st_mtime == MODIFIED


@pytest.mark.parametrize(
    ("date", "field", "value", "came"),
    [
        ("20240101", "if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT", False),
        ("01 Jan 2022 12:30", "if-modified-since", "Sat, 01 Jan 2022 12:30:00 GMT", True),
        ("-01 Jan 2022", "if-unmodified-since", "Sat, 01 Jan 2022 00:00:00 GMT", False),
        (
            "-1 Jan 2024 01:00:00 +0100",
            "if-unmodified-since",
            "Mon, 01 Jan 2024 00:00:00 GMT",
            True,
        ),
        ("dated", "if-modified-since", "Mon, 02 Jan 2023 03:04:05 GMT", False),
    ],
)
def test_time_conditions(client: Client, seen: Seen, *, date, field, value, came) -> None:
    """Also where a server doesn't look at them."""
    Path("dated").touch()
    os.utime("dated", (MODIFIED, MODIFIED))
    Path("x").write_text("before")
    seen.answers["/x"] = Answer(fields=DATED)
    assert client("-z", date, "-o", "x", f"{seen.url}/x").code == 0
    assert seen.requests[0][field] == value
    assert Path("x").read_bytes() == (BODY if came else b"before")


@pytest.mark.parametrize("date", ["yesterday", "2024-01-01", "1 Jan 2024 10:00 CET", "99999999"])
def test_what_is_no_date_is_said(run, seen: Seen, date: str) -> None:
    result = run("get", "-z", date, seen.url)
    assert (result.code, seen.requests) == (ExitCode.USAGE, [])


def test_a_file_stays_if_nothing_has_changed(client: Client, seen: Seen) -> None:
    Path("x").write_text("before")
    seen.answers["/x"] = Answer(304, body=b"")
    done = client("-o", "x", "-w", "%{http_code}", f"{seen.url}/x")
    assert (done.code, done.out, Path("x").read_text()) == (0, b"304", "before")
    assert client("-o", "y", f"{seen.url}/x").code == 0
    assert files() == ["x"]


def test_entity_tags(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = Answer(fields=(("ETag", 'W/"1"'),))
    options = ("--etag-save", "tag", "--etag-compare", "tag", "-o", "x", f"{seen.url}/x")
    assert client(*options).code == 0
    assert client(*options).code == 0
    assert [request["if-none-match"] for request in seen.requests] == ['""', 'W/"1"']
    assert Path("tag").read_text() == 'W/"1"\n'


def test_an_entity_tag_that_cannot_be_compared(client: Client, seen: Seen) -> None:
    assert client("--etag-compare", "missing", f"{seen.url}/x").code == ExitCode.READ
    assert seen.requests == []


def test_a_page_that_tells_of_an_error_is_kept(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = Answer(404)
    done = client("--fail-with-body", "-o", "x", f"{seen.url}/x")
    assert (done.code, Path("x").read_bytes()) == (ExitCode.HTTP, BODY)


@pytest.mark.parametrize("words", ["-f --fail-with-body", "-OJ -i", "-OJ -C -"])
def test_what_cannot_go_together(client: Client, seen: Seen, words: str) -> None:
    assert client(*words.split(" "), f"{seen.url}/x").code == ExitCode.USAGE
    assert seen.requests == []
