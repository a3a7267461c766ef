"""Users, passwords and cookies: the same by both backends and by curl itself."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path

import httpx
import pytest

from mphttp.cli.exits import ExitCode
from mphttp.cli.get.logins import Entry
from mphttp.cli.get.session import Session

from .seen import Answer, Client, Seen, serving
from .tunnel import Tunnel

USERS = "machine 127.0.0.1 login me password one\nmachine 127.0.0.1 login you password two"
NETRC = "machine 127.0.0.1 login me password secret\ndefault login any password thing\n"
BASIC = "Basic bWU6c2VjcmV0"


def test_cookies_of_the_command_line(client: Client, seen: Seen) -> None:
    assert client("-L", "-b", "a=b; c=d", "-b", "e=f", f"{seen.url}/302/x").code == 0
    assert [re.sub("; ?", ";", r["cookie"] or "") for r in seen.requests] == ["a=b;c=d;e=f"] * 2


def test_cookies_that_servers_set(client: Client, seen: Seen) -> None:
    seen.answers["/a"] = Answer(
        302,
        (
            ("Location", "/d/x"),
            ("Set-Cookie", "k=1; Path=/d"),
            ("Set-Cookie", "s=1; Secure; Domain=other.example"),
            ("Set-Cookie", "h=1; Path=/; HttpOnly"),
        ),
    )
    done = client("-L", "-b", "none", "-c", "jar", f"{seen.url}/a", f"{seen.url}/y")
    assert done.code == 0
    assert [r["cookie"] for r in seen.requests] == [None, "k=1; h=1", "h=1"]
    lines = sorted(line for line in Path("jar").read_text().splitlines() if "\t" in line)
    assert lines == [
        "#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\th\t1",
        "127.0.0.1\tFALSE\t/d\tFALSE\t0\tk\t1",
    ]
    assert client("-b", "jar", f"{seen.url}/d/e").code == 0
    assert seen.requests[-1]["cookie"] == "k=1; h=1"


def test_a_cookie_that_is_deleted(client: Client, seen: Seen) -> None:
    Path("jar").write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\tk\t1\n")
    seen.answers["/a"] = Answer(fields=(("Set-Cookie", "k=; Path=/; Max-Age=0"),))
    assert client("-b", "jar", "-c", "jar", f"{seen.url}/a").code == 0
    assert seen.requests[0]["cookie"] == "k=1"
    assert "\tk\t" not in Path("jar").read_text()


def test_the_jar_on_stdout(client: Client, seen: Seen) -> None:
    seen.answers["/a"] = Answer(fields=(("Set-Cookie", "k=1; Max-Age=1000"),))
    out = client("-c", "-", "-o", "x", f"{seen.url}/a").out.decode()
    assert re.search(r"^127\.0\.0\.1\tFALSE\t/\tFALSE\t\d{10}\tk\t1$", out, re.MULTILINE)


def test_a_file_of_cookies_that_came_from_elsewhere(client: Client, seen: Seen) -> None:
    """Each only for whom it is: other domains, paths, TLS, and times that are over."""
    Path("jar").write_text(
        "# Netscape HTTP Cookie File\n\n"
        "127.0.0.1\tFALSE\t/\tFALSE\t9999999999\ta\t1\n"
        "127.0.0.1\tFALSE\t/other\tFALSE\t0\tb\t2\n"
        "example.org\tFALSE\t/\tFALSE\t0\tc\t3\n"
        "127.0.0.1\tFALSE\t/\tFALSE\t1000000000\td\t4\n"
        "127.0.0.1\tFALSE\t/\tFALSE\t0\te\n"
        "no cookie\n"
    )
    assert client("-b", "jar", f"{seen.url}/x").code == 0
    assert sorted(re.split("; ", seen.requests[0]["cookie"] or "")) == ["a=1", "e="]


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize("option", [("-b", "k=v"), ("-u", "a:b"), ("-H", "Cookie: k=v")])
def test_nothing_goes_to_another_origin(run, seen: Seen, backend: str, option) -> None:
    """Another port is one."""
    pytest.importorskip("pycurl")
    with serving() as other:
        seen.answers["/a"] = Answer(302, (("Location", f"{other.url}/x"),))
        assert run("get", "-L", "--backend", backend, *option, f"{seen.url}/a").code == 0
        assert (other.requests[0]["cookie"], other.requests[0]["authorization"]) == (None, None)


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_what_is_secure_goes_by_tls_only(run, tmp_path, monkeypatch, backend) -> None:
    monkeypatch.chdir(tmp_path)
    Path("jar").write_text("a.example\tFALSE\t/\tTRUE\t0\ta\t1\n")
    with serving() as seen:
        seen.answers["/a"] = Answer(
            fields=(("Set-Cookie", "s=1; Secure"), ("Set-Cookie", "__Host-h=1"))
        )
        place = f"a.example:{seen.port}"
        words = ("-b", "jar", "-c", "kept", "--resolve", f"{place}:127.0.0.1")
        words += (f"http://{place}/a", f"http://{place}/b")
        assert run("get", "--backend", backend, *words).code == 0
        assert [request["cookie"] for request in seen.requests] == [None, None]
        kept = [line for line in Path("kept").read_text().splitlines() if "\t" in line]
        assert kept == ["a.example\tFALSE\t/\tTRUE\t0\ta\t1"]


def test_within_this_machine_what_is_secure_needs_no_tls(client: Client, seen: Seen) -> None:
    seen.answers["/a"] = Answer(fields=(("Set-Cookie", "s=1; Secure"),))
    assert client("-b", "", f"{seen.url}/a", f"{seen.url}/b").code == 0
    assert [request["cookie"] for request in seen.requests] == [None, "s=1"]


@pytest.mark.parametrize("option", [("-n",), ("--netrc",)])
def test_a_login_of_netrc(client: Client, seen: Seen, option) -> None:
    Path(".netrc").write_text(NETRC)
    assert client(*option, f"{seen.url}/x").code == 0
    assert seen.requests[0]["authorization"] == BASIC


def test_a_login_of_the_command_line_comes_first(client: Client, seen: Seen) -> None:
    Path(".netrc").write_text(NETRC)
    assert client("-n", "-u", "a:b", f"{seen.url}/x").code == 0
    assert seen.requests[0]["authorization"] == "Basic YTpi"


def test_a_netrc_for_others(client: Client, seen: Seen) -> None:
    Path(".netrc").write_text("machine example.org login me password secret\n")
    assert client("-n", f"{seen.url}/x").code == 0
    assert seen.requests[0]["authorization"] is None


@pytest.mark.parametrize(
    ("netrc", "user", "told"),
    [
        ('machine 127.0.0.1 login me password "a \\"\\n\\r\\t\\b" # it', "", 'me:a "\n\r\tb'),
        (USERS, "", "me:one"),
        (USERS, "me@", "me:one"),
        (USERS, "you@", "you:two"),
        ("machine 127.0.0.1 password three", "me@", "me:three"),
        ("macdef m\nmachine 127.0.0.1\n\ndefault password four login me", "", "me:four"),
    ],
)
def test_what_netrc_says_of_a_user(client: Client, seen: Seen, netrc, user, told) -> None:
    Path(".netrc").write_text(netrc + "\n")
    assert client("--netrc-optional", f"http://{user}127.0.0.1:{seen.port}/x").code == 0
    assert seen.requests[0]["authorization"] == f"Basic {b64encode(told.encode()).decode()}"


def test_the_password_of_another_user_stays_in_netrc(run, tmp_path, seen: Seen) -> None:
    (tmp_path / ".netrc").write_text(USERS + "\n")
    url = f"http://somebody@127.0.0.1:{seen.port}/"
    assert run("get", "-n", url, environ={"HOME": str(tmp_path)}).code == 0
    assert seen.requests[0]["authorization"] == f"Basic {b64encode(b'somebody:').decode()}"


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        ("https://a/", "https://b/", True),
        ("http://a/", "http://b/", True),
        ("https://a/", "http://b/", False),
        ("https://b/", "http://b/", False),
        ("https://a/", "https://c/", False),
    ],
)
def test_a_login_of_netrc_after_a_redirect(first: str, then: str, told: bool) -> None:
    """For each host its own, and never in clear after TLS."""
    request = httpx.Request("GET", then)
    session = Session(logins=(Entry("b", "me", "secret"),))
    session.prepare(request, httpx.Request("GET", first))
    assert request.headers.get("authorization") == (BASIC if told else None)


def test_a_netrc_that_cannot_be_read_tells_no_password(run, tmp_path, seen: Seen) -> None:
    (tmp_path / ".netrc").write_text('machine a login b password "secret\n')
    result = run("get", "-n", seen.url, environ={"HOME": str(tmp_path)})
    assert (result.code, seen.requests) == (ExitCode.READ, [])
    assert "secret" not in result.err


def test_digest(client: Client, seen: Seen) -> None:
    challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'
    seen.answers["/x"] = Answer(401, (("WWW-Authenticate", challenge),))
    assert client("--digest", "-u", "me:secret", "-d", "abc", f"{seen.url}/x").code == 0
    first, second = seen.requests
    assert first["authorization"] is None
    assert second.body == b"abc"
    told = second["authorization"] or ""
    assert told.startswith("Digest ")
    assert {'username="me"', 'realm="r"', 'uri="/x"', "nc=00000001"} <= set(
        re.split(", ?", told[7:])
    )


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_digest_stays_with_its_origin(run, seen: Seen, backend: str) -> None:
    with serving() as other:
        challenge = (("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"'),)
        seen.answers["/a"] = Answer(302, (("Location", f"{other.url}/x"),))
        other.answers["/x"] = Answer(401, challenge)
        assert (
            run("get", "-L", "--backend", backend, "--digest", "-u", "a:b", f"{seen.url}/a").code
            == 0
        )
        assert [request["authorization"] for request in other.requests] == [None]


def test_a_login_for_the_proxy(client: Client, seen: Seen) -> None:
    done = client("-x", seen.url, "-U", "me:sec/ret@", "http://example.invalid/x")
    assert done.code == 0
    assert seen.requests[0]["proxy-authorization"] == "Basic bWU6c2VjL3JldEA="
    assert seen.requests[0]["authorization"] is None


@pytest.mark.parametrize(
    "asks",
    [
        ("--proxy-digest", 'Digest realm="r", nonce="n", qop="auth"', "Digest ", b""),
        ("--proxy-anyauth", 'Digest realm="r", nonce="n"', "Digest ", b"abc"),
        ("--proxy-anyauth", 'Basic realm="r"', "Basic bWU6c2VjL3JldEA=", b"abc"),
    ],
)
@pytest.mark.parametrize("in_url", [False, True])
def test_a_proxy_that_asks(client: Client, seen: Seen, asks, in_url: bool) -> None:
    option, challenge, told, first = asks
    seen.answers["http://example.invalid/x"] = Answer(407, (("Proxy-Authenticate", challenge),))
    user = ("-x", seen.url, "-U", "me:sec/ret@")
    if in_url:
        user = ("-x", seen.url.replace("//", "//me:sec%2Fret%40@"))
    done = client("-i", *user, option, "-d", "abc", "http://example.invalid/x")
    assert (done.code, done.out.count(b"HTTP/1.1 407")) == (0, 2)
    assert [request.body for request in seen.requests] == [first, b"abc"]
    assert seen.requests[0]["proxy-authorization"] is None
    assert (seen.requests[1]["proxy-authorization"] or "").startswith(told)
    assert [request["authorization"] for request in seen.requests] == [None, None]


def test_what_a_proxy_is_told_stays_with_it(client: Client, seen: Seen) -> None:
    """Not with the server that a redirect leads to, past the proxy."""
    with serving() as other:
        asks = 'Digest realm="r", nonce="n"'
        first, then = "http://example.invalid/x", f"{other.url}/y"
        seen.answers[first] = Answer(407, (("Proxy-Authenticate", asks), ("Location", then)))
        words = ("-x", seen.url, "-U", "me:secret", "--noproxy", "127.0.0.1", "--proxy-anyauth")
        answer = seen.answers[first]

        def once() -> None:
            seen.answers[first] = Answer(302, answer.fields)

        seen.after = once
        assert client("-L", *words, first).code == 0
    assert len(seen.requests) == 2
    assert [request["proxy-authorization"] for request in other.requests] == [None]


@pytest.mark.parametrize(
    "asks",
    [
        ("--proxy-digest", 'Digest realm="r", nonce="n", qop="auth"', 'username="me"'),
        ("--proxy-anyauth", 'Basic realm="r"', "Basic bWU6c2VjcmV0"),
    ],
)
def test_a_tunnel_whose_proxy_asks(client: Client, seen: Seen, tunnel: Tunnel, asks) -> None:
    option, tunnel.challenge, tunnel.taken = asks
    words = ("-p", "-x", tunnel.url, "-U", "me:secret", option, "-d", "abc")
    done = client("-i", *words, f"{seen.url}/x", f"{seen.url}/y")
    assert (done.code, done.out.count(b"HTTP/1.1 407")) == (0, 1)
    first, second = tunnel.asked
    assert not any("Authorization" in line for line in first)
    (told,) = [line for line in second if "Authorization" in line]
    assert "Digest" not in told or f'uri="127.0.0.1:{seen.port}"' in told
    assert [request.body for request in seen.requests] == [b"abc", b"abc"]
    assert [request["proxy-authorization"] for request in seen.requests] == [None, None]


def test_a_tunnel_whose_proxy_takes_no_answer(client, seen: Seen, tunnel: Tunnel) -> None:
    tunnel.challenge, tunnel.taken = 'Digest realm="r", nonce="n"', "something else"
    words = ("-p", "-x", tunnel.url, "-U", "me:secret", "--proxy-digest")
    assert client(*words, f"{seen.url}/x").code == 56
    assert (len(tunnel.asked), seen.requests) == (2, [])


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_what_is_behind_a_tunnel_is_no_proxy(run, seen: Seen, tunnel: Tunnel, backend) -> None:
    """It isn't told what the proxy is told, though it asks like one."""
    tunnel.challenge, tunnel.taken = 'Digest realm="r", nonce="n"', "Digest"
    seen.answers["/x"] = Answer(407, (("Proxy-Authenticate", 'Digest realm="r", nonce="m"'),))
    words = ("-p", "-x", tunnel.url, "-U", "me:secret", "--proxy-digest")
    done = run("get", "--backend", backend, "-w", "%{http_code}", *words, f"{seen.url}/x")
    assert done.out.endswith(b"407")
    assert [request["proxy-authorization"] for request in seen.requests] == [None]


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize("login", ["x" * 256 + ":y", "x:" + "y" * 256])
def test_what_socks_has_no_room_for(run, backend: str, login: str) -> None:
    words = ("--socks5", "127.0.0.1:9", "-U", login, "http://nobody.invalid/")
    assert run("get", "--backend", backend, *words).code == ExitCode.SOCKS


def test_cookies_in_heads_of_answers(client: Client, seen: Seen) -> None:
    lines = ("HTTP/1.1 200 OK", "Set-Cookie: a=b; path=/", "set-cookie: c=d; path=/y", "")
    Path("heads").write_text("\r\n".join((*lines, "Set-Cookie: e=f; domain=other.example")))
    assert client("-b", "heads", f"{seen.url}/x").code == 0
    assert [request["cookie"] for request in seen.requests] == ["a=b"]


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_cookies_in_heads_are_the_first_server_s(run, seen: Seen, tmp_path: Path, backend) -> None:
    (tmp_path / "heads").write_text("Set-Cookie: a=b\n")
    elsewhere = f"http://localhost:{seen.port}/y"
    seen.answers["/x"] = Answer(302, (("Location", elsewhere),))
    words = ("-L", "-b", str(tmp_path / "heads"), f"{seen.url}/x")
    assert run("get", "--backend", backend, *words).code == 0
    assert [request["cookie"] for request in seen.requests] == ["a=b", None]


FORM = re.compile(rb"--(?P<boundary>[^\r\n]+)\r\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["-F", "a=b"], [b'name="a"\r\n\r\nb']),
        (
            ["-F", "a=b", "-F", "c=d;type=text/html"],
            [b'name="a"\r\n\r\nb', b'name="c"\r\nContent-Type: text/html\r\n\r\nd'],
        ),
        (
            ["-F", "a=@f.txt"],
            [b'name="a"; filename="f.txt"\r\nContent-Type: text/plain\r\n\r\none\r\n'],
        ),
        (
            ["-F", "a=@f.css"],
            [b'name="a"; filename="f.css"\r\nContent-Type: application/octet-stream\r\n\r\n{}'],
        ),
        (
            ["-F", 'a=@f.css;filename="x\\"y.html";type=text/x'],
            [b'name="a"; filename="x%22y.html"\r\nContent-Type: text/x\r\n\r\n{}'],
        ),
        (["-F", "a=<f.css"], [b'name="a"\r\n\r\n{}']),
        (["-F", 'a="b;c"'], [b'name="a"\r\n\r\nb;c']),
        (["--form-string", "a=@b;type=c"], [b'name="a"\r\n\r\n@b;type=c']),
        (
            ["-F", "a=@-;filename=x;type=text/x"],
            [b'name="a"; filename="x"\r\nContent-Type: text/x\r\n\r\nstdin'],
        ),
        (["-F", "a="], [b'name="a"\r\n\r\n']),
    ],
)
def test_forms(client: Client, seen: Seen, words: list[str], parts: list[bytes]) -> None:
    Path("f.txt").write_bytes(b"one\r\n")
    Path("f.css").write_bytes(b"{}")
    assert client(*words, f"{seen.url}/x", stdin=b"stdin").code == 0
    (request,) = seen.requests
    boundary = (request["content-type"] or "").partition("boundary=")[2].encode()
    disposition = b"\r\nContent-Disposition: form-data; "
    expected = b"".join(b"--" + boundary + disposition + part + b"\r\n" for part in parts)
    assert (request.method, request.body) == ("POST", expected + b"--" + boundary + b"--\r\n")


def test_several_files_are_parts_of_one(client: Client, seen: Seen) -> None:
    Path("f.txt").write_bytes(b"one")
    Path('g",;.css').write_bytes(b"two")
    given = r'a=@f.txt ; type=m/f; x=y,"g\",;.css" ;filename="\\h", f.txt'
    assert client("-F", given, "-F", "b=c,d", f"{seen.url}/x").code == 0
    (request,) = seen.requests
    outer = (request["content-type"] or "").partition("boundary=")[2].encode()
    first, second = request.body.split(b"--" + outer + b"\r\n")[1:]
    head, _, within = first.partition(b"\r\n\r\n")
    told, _, inner = head.partition(b"; boundary=")
    assert told == (b'Content-Disposition: form-data; name="a"\r\nContent-Type: multipart/mixed')
    assert within.split(b"--" + inner) == [
        b"",
        (
            b'\r\nContent-Disposition: attachment; filename="f.txt"\r\n'
            b"Content-Type: m/f; x=y\r\n\r\none\r\n"
        ),
        (
            b'\r\nContent-Disposition: attachment; filename="\\h"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\ntwo\r\n"
        ),
        (
            b'\r\nContent-Disposition: attachment; filename="f.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\none\r\n"
        ),
        b"--\r\n\r\n",
    ]
    assert second.startswith(b'Content-Disposition: form-data; name="b"\r\n\r\nc,d\r\n')


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ([], b'form-data; name="a%22\\"; filename="\\%22"\r\n'),
        (["--form-escape"], b'form-data; name="a\\"\\\\"; filename="\\\\\\""\r\n'),
        (["-H", "Content-Type: multipart/related"], b'attachment; name="a%22\\"; '),
    ],
)
def test_how_names_of_parts_are_written(client: Client, seen: Seen, words, sent) -> None:
    assert client(*words, "-F", r'a"\=b;filename="\\\""', f"{seen.url}/x").code == 0
    assert b"\r\nContent-Disposition: " + sent in seen.requests[0].body


def test_a_form_is_sent_once_more(client: Client, seen: Seen) -> None:
    Path("f").write_bytes(bytes(200_000))
    assert client("-L", "-F", "a=@f", f"{seen.url}/307/x").code == 0
    assert seen.requests[0].body == seen.requests[1].body
    assert len(seen.requests[0].body) > 200_000


@pytest.mark.parametrize(
    "part", ["a", "a=(;type=x", "a=b;c", "a=b;type=x\ny", "a=@-", "a=@missing"]
)
def test_a_part_that_is_not_understood(run, seen: Seen, part: str) -> None:
    result = run("get", "-F", part, seen.url)
    assert result.code == (ExitCode.READ if part == "a=@missing" else ExitCode.USAGE)
    assert seen.requests == []
