"""What is sent: the same by both backends and by curl itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from ..conftest import Run
from .seen import BODY, Client, Seen

FORM = "application/x-www-form-urlencoded"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "method", "target", "body"),
    [
        ("URL/a?b", "GET", "/a?b", b""),
        ("-d a -d b URL/", "POST", "/", b"a&b"),
        ("-d @lines -d @lines URL/", "POST", "/", b"one two&one two"),
        ("--data-ascii @lines URL/", "POST", "/", b"one two"),
        ("--data-raw @lines URL/", "POST", "/", b"@lines"),
        ("--data-binary @lines -d x URL/", "POST", "/", b"one\n two\n&x"),
        ("--data-binary @- URL/", "POST", "/", b"from\0stdin\r\n"),
        ("--data-urlencode @lines URL/", "POST", "/", b"one%0A+two%0A"),
        ("--data-urlencode n@lines URL/", "POST", "/", b"n=one%0A+two%0A"),
        ("--data-urlencode =a=b@c URL/", "POST", "/", b"a%3Db%40c"),
        ("--data-urlencode n=ö/~-. URL/", "POST", "/", b"n=%C3%B6%2F~-."),
        ("--data-urlencode ö URL/", "POST", "/", b"%C3%B6"),
        ("--json [1, --json 2] -d x URL/", "POST", "/", b"[1,2]&x"),
        ("-G -d a=1 -d b URL/x", "GET", "/x?a=1&b", b""),
        ("-G -d a=1 URL/x?y=2#part", "GET", "/x?y=2&a=1", b""),
        ("-G --data-urlencode q@lines URL", "GET", "/?q=one%0A+two%0A", b""),
        ("-G -I -d a URL/x", "HEAD", "/x?a", b""),
        ("-T lines URL/d/", "PUT", "/d/lines", b"one\n two\n"),
        ("-T lines URL", "PUT", "/lines", b"one\n two\n"),
        ("-T lines URL/d/?q", "PUT", "/d/lines?q", b"one\n two\n"),
        ("-T lines URL/d/e", "PUT", "/d/e", b"one\n two\n"),
        ("-T - URL/d/", "PUT", "/d/", b"from\0stdin\r\n"),
        ("-X DELETE URL/", "DELETE", "/", b""),
        ("-X PATCH -d a URL/", "PATCH", "/", b"a"),
        ("-X POST -T lines URL/x", "POST", "/x", b"one\n two\n"),
    ],
)
def test_method_target_and_body(
    client: Client, seen: Seen, *, words: str, method: str, target: str, body: bytes
) -> None:
    Path("lines").write_bytes(b"one\n two\n")
    done = client(*words.replace("URL", seen.url).split(" "), stdin=b"from\0stdin\r\n")
    (request,) = seen.requests
    told = request.target.lower()  # curl writes %0a in a query (-G) as it was not written
    assert (done.code, request.method, told, request.body) == (0, method, target.lower(), body)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("-d a", "content-type", FORM),
        ("-d a -H content-type:", "content-type", None),
        ("-d a -H Content-Type:text/x", "content-type", "text/x"),
        ("--json {}", "content-type", "application/json"),
        ("--json {}", "accept", "application/json"),
        ("--json {} -H Accept:text/x", "accept", "text/x"),
        ("-T lines", "content-type", None),
        ("-T lines", "content-length", "9"),
        ("-T -", "transfer-encoding", "chunked"),
        ("-r 0-99", "range", "bytes=0-99"),
        ("-r 0-1,5-6", "range", "bytes=0-1,5-6"),
        ("-r -500", "range", "bytes=-500"),
        ("-r 500", "range", "bytes=500-"),
        ("-r 1-2 -H Range:bytes=3-4", "range", "bytes=3-4"),
        ("-A me/1", "user-agent", "me/1"),
        ("-A me/1 -H User-Agent:you", "user-agent", "you"),
        ("-H User-Agent:", "user-agent", None),
        ("-e http://a/b", "referer", "http://a/b"),
        ("-e http://a/b;auto", "referer", "http://a/b"),
        ("-e ;auto", "referer", None),
        ("-H X;", "x", ""),
        ("-H Accept:", "accept", None),
        ("-H @fields", "b", "2"),
        ("-H @-", "c", "3"),
        ("-u me:secret", "authorization", "Basic bWU6c2VjcmV0"),
    ],
)
def test_fields(client: Client, seen: Seen, words: str, name: str, value: str | None) -> None:
    Path("lines").write_bytes(b"one\n two\n")
    Path("fields").write_bytes(b"a: 1\r\n\r\nb: 2\n")
    assert client(*words.split(" "), f"{seen.url}/x", stdin=b"c: 3").code == 0
    assert seen.requests[0][name] == value


def test_an_empty_user_agent_is_none(client: Client, seen: Seen) -> None:
    assert client("-A", "", seen.url).code == 0
    assert seen.requests[0]["user-agent"] is None


def test_a_url_without_scheme(client: Client, seen: Seen) -> None:
    done = client(f"127.0.0.1:{seen.port}/a?u=http://b/")
    assert (done.code, done.out, seen.requests[0].target) == (0, BODY, "/a?u=http://b/")


@pytest.mark.parametrize("name", ["ftp.example.org", "FTP.example.org:21/x"])
def test_a_name_that_means_another_protocol_to_curl(run, name: str) -> None:
    result = run("get", name)
    assert result.code == ExitCode.PROTOCOL
    assert f"hint: mphttp get http://{name}" in result.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "methods", "body"),
    [
        ("-L -X FOO -d a", ["FOO", "FOO"], b""),
        ("-L -d a", ["POST", "GET"], b""),
        ("-L -T lines", ["PUT", "GET"], b""),
        ("-L -I", ["HEAD", "HEAD"], b""),
        ("-L -X DELETE", ["DELETE", "DELETE"], b""),
    ],
)
def test_methods_after_303(client: Client, seen: Seen, words, methods, body) -> None:
    Path("lines").write_bytes(b"one\n two\n")
    assert client(*words.split(" "), f"{seen.url}/303/x").code == 0
    assert [request.method for request in seen.requests] == methods
    assert seen.requests[-1].body == body
    assert seen.requests[-1]["content-type"] is None


@pytest.mark.slow
@pytest.mark.parametrize(("status", "method", "body"), [(302, "PUT", b"abc"), (307, "PUT", b"abc")])
def test_a_file_is_sent_once_more(client: Client, seen: Seen, status, method, body) -> None:
    Path("file").write_bytes(b"abc")
    assert client("-L", "-T", "file", f"{seen.url}/{status}/x").code == 0
    assert (seen.requests[1].method, seen.requests[1].body) == (method, body)


def test_stdin_cannot_be_sent_once_more(client: Client, seen: Seen) -> None:
    done = client("-L", "-T", "-", f"{seen.url}/307/x", stdin=b"abc")
    assert done.code == ExitCode.REWIND
    assert seen.requests[0].body == b"abc"


@pytest.mark.parametrize(
    ("most", "code", "count"), [("0", 47, 1), ("1", 47, 2), ("2", 0, 3), ("-1", 0, 3)]
)
def test_max_redirs(client: Client, seen: Seen, most: str, code: int, count: int) -> None:
    done = client("-L", "--max-redirs", most, f"{seen.url}/302/302/x")
    assert (done.code, len(seen.requests)) == (code, count)


def test_each_redirect_names_where_it_came_from(client: Client, seen: Seen) -> None:
    client("-L", "-e", ";auto", f"{seen.url}/302/302/x")
    assert [r["referer"] for r in seen.requests] == [
        None,
        f"{seen.url}/302/302/x",
        f"{seen.url}/302/x",
    ]


@pytest.mark.parametrize("words", ["-I -d a", "-d a -T lines", "-T lines -I"])
def test_what_cannot_go_together(client: Client, seen: Seen, words: str) -> None:
    Path("lines").write_bytes(b"x")
    assert client(*words.split(" "), f"{seen.url}/x").code == ExitCode.USAGE
    assert seen.requests == []


def test_two_files_for_one_url(run, seen: Seen, tmp_path: Path) -> None:
    """curl drops the second one in silence."""
    file = tmp_path / "lines"
    file.write_bytes(b"x")
    result = run("get", "-T", str(file), "-T", str(file), f"{seen.url}/x")
    assert (result.code, seen.requests) == (ExitCode.USAGE, [])


@pytest.mark.parametrize("words", ["-T missing", "-d @missing", "-H @missing", "--json @missing"])
def test_a_file_that_is_not_there(run, seen: Seen, words: str) -> None:
    result = run("get", *words.split(" "), f"{seen.url}/x")
    assert (result.code, seen.requests) == (ExitCode.READ, [])
    assert "error: missing can't be read" in result.err


def test_a_space_that_g_would_put_into_the_url(client: Client, seen: Seen) -> None:
    assert client("-G", "-d", "a b", seen.url).code == ExitCode.URL
    assert seen.requests == []


def test_put_sends_a_file(run: Run, seen: Seen, tmp_path: Path) -> None:
    """With the options of get, and no faster than it may."""
    waited: list[float] = []
    file = tmp_path / "lines"
    file.write_bytes(b"one\n two\n" * 10)
    done = run("put", "-s", "--limit-rate", "100", str(file), f"{seen.url}/d/", sleep=waited.append)
    (request,) = seen.requests
    assert (done.code, request.method, request.target) == (0, "PUT", "/d/lines")
    assert request.body == file.read_bytes()
    assert len([wait for wait in waited if wait > 0]) >= 9


def test_put_wants_a_file_and_a_url(run: Run) -> None:
    done = run("put", "lines")
    assert done.code == ExitCode.USAGE
    assert "hint: mphttp put FILE" in done.err
