"""Several URLs in one, options in files, and --next: the same as by curl itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.get.glob import expanded
from mphttp.cli.get.settings.config import words_of

from .seen import Answer, Client, Seen

RC = {"httpx": ".mphttprc", "curl": ".mphttprc", "the curl program": ".curlrc"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pattern", "targets"),
    [
        ("/{a,b}", ["/a", "/b"]),
        ("/{a,}x", ["/ax", "/x"]),
        ("/[1-3]", ["/1", "/2", "/3"]),
        ("/[08-10]", ["/08", "/09", "/10"]),
        ("/[1-9:4]", ["/1", "/5", "/9"]),
        ("/[a-c:2]", ["/a", "/c"]),
        ("/{a,b}[1-2]", ["/a1", "/a2", "/b1", "/b2"]),
        ("/{a\\,b,c\\}}", ["/a,b", "/c%7d"]),
        ("/a[]", ["/a[]"]),
    ],
)
def test_patterns(client: Client, seen: Seen, pattern: str, targets: list[str]) -> None:
    assert client(seen.url + pattern).code == 0
    asked = [request.target.replace("%7D", "%7d").replace("}", "%7d") for request in seen.requests]
    assert [target.replace("%5B%5D", "[]") for target in asked] == targets


def test_files_are_named_after_what_varies(client: Client, seen: Seen) -> None:
    assert client("-o", "f_#1_#2_#3", f"{seen.url}/{{a,b}}[1-2]").code == 0
    assert sorted(path.name for path in Path().iterdir()) == [
        "f_a_1_#3",
        "f_a_2_#3",
        "f_b_1_#3",
        "f_b_2_#3",
    ]


def test_each_has_the_name_in_its_url(client: Client, seen: Seen) -> None:
    assert client("-O", f"{seen.url}/x[1-2]", f"{seen.url}/y", "-o", "z").code == 0
    assert sorted(path.name for path in Path().iterdir()) == ["x1", "x2", "z"]


def test_g_takes_letters_as_they_are(client: Client, seen: Seen) -> None:
    assert client("-g", f"{seen.url}/?[1-2]").code == 0
    (request,) = seen.requests
    assert request.target.replace("%5B", "[").replace("%5D", "]") == "/?[1-2]"


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern", ["/{a", "/a}", "/{}", "/[1-", "/[3-1]", "/[a-1]", "/]", "/{a,{b}}"]
)
def test_a_pattern_that_is_not_understood(client: Client, seen: Seen, pattern: str) -> None:
    assert client(seen.url + pattern).code == ExitCode.URL
    assert seen.requests == []


def test_an_ipv6_address_is_no_range() -> None:
    texts = [glob.text for glob in expanded("http://[fe80::1%eth0]:80/[1-2]")]
    assert texts == ["http://[fe80::1%eth0]:80/1", "http://[fe80::1%eth0]:80/2"]


@pytest.mark.parametrize("pattern", ["http://a/[1-1000]" * 3, "http://a/[0-999999999999999999]"])
def test_too_many_are_refused_at_once(pattern: str) -> None:
    with pytest.raises(Failure) as failure:
        expanded(pattern)
    assert failure.value.code == ExitCode.URL


CONFIG = """\
# a comment
-A "me \\"and\\t you"
header: "A: 1"
--data raw
data-raw = "@x y"   # not a part
silent
url = URL/x
-H "B: 2"
"""


def test_options_in_a_file(client: Client, seen: Seen) -> None:
    Path("options").write_text(CONFIG.replace("URL", seen.url))
    assert client("-K", "options", "-H", "C: 3").code == 0
    (request,) = seen.requests
    assert request["user-agent"] == 'me "and\t you'
    assert (request["a"], request["b"], request["c"]) == ("1", "2", "3")
    assert request.body == b"raw&@x y"


def test_options_on_stdin_and_by_default(client: Client, seen: Seen) -> None:
    Path(RC[client.name]).write_text("user-agent = mine\n")
    assert client("-K", "-", stdin=f"url={seen.url}/x\n".encode()).code == 0
    assert seen.requests[0]["user-agent"] == "mine"
    if client.name != "the curl program":  # which gets -sS first here
        assert client("-q", f"{seen.url}/x", stdin=b"").code == 0


def test_q_reads_no_file_by_default(run, seen: Seen, tmp_path: Path) -> None:
    (tmp_path / ".mphttprc").write_text("user-agent = mine\n")
    environ = {"HOME": str(tmp_path)}
    assert run("get", seen.url, environ=environ).code == 0
    assert run("get", "-q", seen.url, environ=environ).code == 0
    assert [request["user-agent"] == "mine" for request in seen.requests] == [True, False]


@pytest.mark.parametrize("text", ["nonsense", 'data = "no end', "silent = yes", "config = options"])
def test_a_file_that_is_not_understood(run, seen: Seen, tmp_path: Path, monkeypatch, text) -> None:
    monkeypatch.chdir(tmp_path)
    Path("options").write_text(text + "\n")
    result = run("get", "-K", "options", seen.url)
    assert (result.code, seen.requests) == (ExitCode.USAGE, [])
    assert run("get", "-K", "missing", seen.url).code == ExitCode.READ


def test_words_of_a_file() -> None:
    found = list(words_of('a\n\n -b c d\n#e\nf=g\n  h : ""\n'))
    assert found == ["--a", "-b", "c", "--f=g", "--h="]


def test_what_follows_next_has_options_of_its_own(client: Client, seen: Seen) -> None:
    words = (
        "-d",
        "a",
        "-A",
        "me",
        f"{seen.url}/x",
        "--next",
        "-I",
        f"{seen.url}/y",
        "-:",
        f"{seen.url}/z",
    )
    assert client(*words).code == 0
    assert [request.method for request in seen.requests] == ["POST", "HEAD", "GET"]
    assert [request["user-agent"] == "me" for request in seen.requests] == [True, False, False]


def test_cookies_stay_after_next(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = Answer(fields=(("Set-Cookie", "k=1"),))
    words = ("-b", "none", f"{seen.url}/x", "--next", "-b", "none", f"{seen.url}/y")
    assert client(*words).code == 0
    assert seen.requests[1]["cookie"] == "k=1"


def test_each_part_needs_a_url(run, seen: Seen) -> None:
    assert run("get", seen.url, "--next", "-s").code == ExitCode.USAGE
    assert seen.requests == []
