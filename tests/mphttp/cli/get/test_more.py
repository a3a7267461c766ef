"""Options that are typed less often: each means the same by both backends and by curl itself."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from ..conftest import Object
from .seen import BODY, Answer, Client, Seen, serving

BASIC = "Basic " + base64.b64encode(b"me:secret").decode()
ASKS = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'


@pytest.mark.parametrize(
    ("offers", "scheme"),
    [(("Basic realm=r",), "Basic"), (("Basic realm=r", ASKS), "Digest"), ((ASKS,), "Digest")],
)
def test_what_the_server_offers(
    client: Client, seen: Seen, offers: tuple[str, ...], scheme: str
) -> None:
    fields = tuple(("WWW-Authenticate", offer) for offer in offers)
    seen.answers["/a"] = Answer(401, fields, b"no")
    assert client("--anyauth", "-u", "me:secret", f"{seen.url}/a").out == b"no"
    first, second = seen.requests
    assert first["authorization"] is None
    assert (second["authorization"] or "").partition(" ")[0] == scheme


def test_schemes(client: Client, seen: Seen) -> None:
    client("--basic", "-u", "me:secret", f"{seen.url}/a")
    assert seen.requests[-1]["authorization"] == BASIC
    client("--digest", "--basic", "-u", "me:secret", f"{seen.url}/a")
    assert seen.requests[-1]["authorization"] is None


def test_a_token(client: Client, seen: Seen) -> None:
    client("--oauth2-bearer", "abc", f"{seen.url}/a")
    assert seen.requests[-1]["authorization"] == "Bearer abc"


def test_credentials_go_elsewhere_only_if_that_is_wanted(client: Client, seen: Seen) -> None:
    with serving() as other:
        seen.answers["/a"] = Answer(302, (("Location", f"{other.url}/b"),))
        for option, told in (("-L", None), ("--location-trusted", BASIC)):
            assert client(option, "-u", "me:secret", f"{seen.url}/a").out == BODY
            assert other.requests[-1]["authorization"] == told


@pytest.mark.parametrize("option", ["--netrc-optional", "-n"])
def test_logins_of_a_file(client: Client, seen: Seen, tmp_path: Path, option: str) -> None:
    (tmp_path / "logins").write_text("machine 127.0.0.1 login me password secret\n")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password other\n")
    client("--netrc-file", str(tmp_path / "logins"), f"{seen.url}/a")
    assert seen.requests[-1]["authorization"] == BASIC
    client(option, f"{seen.url}/a")
    other = base64.b64encode(b"me:other").decode()
    assert seen.requests[-1]["authorization"] == f"Basic {other}"


def test_cookies_that_last(client: Client, seen: Seen, tmp_path: Path) -> None:
    lines = ("127.0.0.1\tFALSE\t/\tFALSE\t0\ta\t1", "127.0.0.1\tFALSE\t/\tFALSE\t4000000000\tb\t2")
    (tmp_path / "jar").write_text("\n".join(lines))
    client("-b", "jar", f"{seen.url}/a")
    assert sorted((seen.requests[-1]["cookie"] or "").split("; ")) == ["a=1", "b=2"]
    client("-j", "-b", "jar", f"{seen.url}/a")
    assert seen.requests[-1]["cookie"] == "b=2"


@pytest.mark.slow
@pytest.mark.parametrize("status", ["301", "302", "303"])
def test_a_post_stays_one(client: Client, seen: Seen, status: str) -> None:
    client("-L", f"--post{status}", "-d", "x=1", f"{seen.url}/{status}/a")
    last = seen.requests[-1]
    assert (last.method, last.target, last.body) == ("POST", "/a", b"x=1")
    client("-L", "-d", "x=1", f"{seen.url}/{status}/a")
    assert (seen.requests[-1].method, seen.requests[-1].body) == ("GET", b"")


def test_what_is_put_into_the_query(client: Client, seen: Seen) -> None:
    words = ("--url-query", "a=b c", "--url-query", "+d=e")
    client(*words, f"{seen.url}/a?x=1")
    assert seen.requests[-1].target in ("/a?x=1&a=b+c&d=e", "/a?x=1&a=b%20c&d=e")


def test_a_body_that_is_too_large(client: Client, seen: Seen, tmp_path: Path) -> None:
    assert client("--max-filesize", "6", f"{seen.url}/a").out == BODY
    done = client("--max-filesize", "5", "-o", "file", f"{seen.url}/a")
    assert done.code == ExitCode.LARGE == 63
    assert not (tmp_path / "file").exists()


def test_no_file_is_written_over(client: Client, seen: Seen, tmp_path: Path) -> None:
    for _ in range(3):
        assert client("--no-clobber", "-o", "file", f"{seen.url}/a").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "file.1", "file.2"]


def test_what_only_concerns_a_terminal(client: Client, seen: Seen) -> None:
    for option in ("-#", "--no-progress-meter"):
        assert client(option, f"{seen.url}/a").out == BODY


def test_nothing_stays_of_a_file_that_fails(run, server, tmp_path: Path) -> None:
    thing = server.objects["thing"] = Object(b"x" * 1000, {"ETag": '"x"'})
    words = ("-C", "-", "-o", str(tmp_path / "file"), f"{server.url}/object/thing")
    thing.breaks = [100, 100]
    assert run("get", *words).code == ExitCode.TRUNCATED
    assert (tmp_path / "file").stat().st_size == 100
    assert run("get", "--remove-on-error", *words).code == ExitCode.TRUNCATED
    assert list(tmp_path.iterdir()) == []
