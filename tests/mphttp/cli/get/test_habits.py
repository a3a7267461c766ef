"""What people who type curl are used to, from each backend and from curl itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .seen import Answer, Client, Request, Seen
from .tunnel import Tunnel

REST = Answer(206, (("Content-Range", "bytes 3-5/6"),), b"lo\n")
ERROR = Answer(404, body=b"nothing\n")


def split(out: bytes) -> tuple[list[bytes], bytes]:
    """Split what -i writes into status lines, and what follows the last head."""
    *heads, rest = out.split(b"\r\n\r\n")
    return [head.split(b"\r\n")[0].removeprefix(b"HTTP/1.1 ") for head in heads], rest


def test_a_rest_comes_after_its_head(client: Client, seen: Seen) -> None:
    (client.folder / "file").write_bytes(b"hel")
    seen.answers["/x"] = REST
    for at in ("-", "6"):
        assert client("-i", "-C", at, "-o", "file", f"{seen.url}/x").code in (0, 33)
    written = (client.folder / "file").read_bytes()
    assert written.startswith(b"helHTTP/1.1 206 ")
    assert b"\r\n\r\nlo\nHTTP/1.1 206 " in written
    assert [request["range"] for request in seen.requests] == ["bytes=3-", "bytes=6-"]


def test_a_rest_on_stdout_comes_after_its_head(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = REST
    done = client("-i", "-C", "3", f"{seen.url}/x")
    assert (done.code, split(done.out)) == (0, ([b"206 Partial Content"], b"lo\n"))


@pytest.mark.parametrize(
    ("options", "path", "code", "heads"),
    [
        (("-f",), "/no", 22, [b"404 Not Found"]),
        (("-L", "--max-redirs", "1"), "/302/302/302/x", 47, [b"302 Found", b"302 Found"]),
        (("-C", "3"), "/no", 33, [b"404 Not Found"]),
        (("-f", "-C", "3"), "/no", 22, [b"404 Not Found"]),
    ],
)
def test_heads_are_there_though_it_fails(
    client: Client, seen: Seen, *, options, path, code, heads
) -> None:
    seen.answers["/no"] = ERROR
    done = client("-i", *options, seen.url + path)
    assert (done.code, split(done.out)) == (code, (heads, b""))


@pytest.mark.parametrize(
    ("at", "told", "body"), [("2", "bytes 2-5/6", b"llo\n"), ("-", "bytes 0-5/6", b"hello\n")]
)
def test_the_rest_of_a_file_is_sent(client: Client, seen: Seen, at, told, body) -> None:
    (client.folder / "file").write_bytes(b"hello\n")
    assert client("-T", "file", "-C", at, f"{seen.url}/x").code == 0
    (request,) = seen.requests
    assert (request.method, request["content-range"], request.body) == ("PUT", told, body)
    assert request["content-length"] == str(len(body))


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize("words", [("-T", "file", "-C", "9"), ("-T", "-", "-C", "2")])
def test_what_has_no_rest_is_not_sent(run, tmp_path: Path, seen: Seen, backend, words) -> None:
    (tmp_path / "file").write_bytes(b"hello\n")
    given = [str(tmp_path / "file") if word == "file" else word for word in words]
    assert run("get", "--backend", backend, *given, f"{seen.url}/x").code == 2
    assert seen.requests == []


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (
            ("-H", "X-Test5;ignored", "-H", "X4; ", "-H", "X3;", "-H", "X: y"),
            {"x-test5;ignored": None, "x4": None, "x3": "", "x": "y"},
        ),
        (("-H", "Host: one", "-H", "Host: two"), {"host": "one"}),
        (("-d", "abc", "-H", "Transfer-Encoding: chunked"), {"transfer-encoding": "chunked"}),
        (("-d", "", "-H", "Transfer-Encoding: chunked"), {"transfer-encoding": "chunked"}),
        (("-X", "POST", "-H", "Content-Length: 0"), {"content-length": "0"}),
        (
            ("-T", "-", "-H", "Transfer-Encoding:", "-H", "Content-Length: 5"),
            {"content-length": "5", "transfer-encoding": None},
        ),
    ],
)
def test_headers_of_ones_own(client: Client, seen: Seen, words, fields) -> None:
    assert client(*words, f"{seen.url}/x", stdin=b"stdin").code == 0
    (request,) = seen.requests
    assert {name: request[name] for name in fields} == fields
    assert request.body in (b"abc", b"", b"stdin")


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_a_line_that_is_no_header_is_told(run, seen: Seen, backend) -> None:
    done = run("get", "--backend", backend, "-H", "nonsense", seen.url)
    assert (done.code, len(seen.requests)) == (0, 1)
    assert done.err.startswith("warning: 'nonsense' is no header, and isn't sent\nhint: ")
    assert run("get", "--backend", backend, "-s", "-H", "nonsense", seen.url).err == ""


def test_the_type_of_a_form_has_its_boundary(client: Client, seen: Seen) -> None:
    done = client("-F", "a=b", "-H", "Content-Type: multipart/form-data", f"{seen.url}/x")
    assert done.code == 0
    (request,) = seen.requests
    told = re.fullmatch("multipart/form-data; *boundary=(.+)", request["content-type"] or "")
    assert told is not None
    assert told[1].encode() in request.body


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a= b", b'name="a"\r\n\r\nb\r\n'),
        ("a=@f.txt;filename=x", b'filename="x"\r\nContent-Type: text/plain\r\n'),
        ('a=@f.txt;filename="x\\"y"', b'filename="x%22y"\r\n'),
    ],
)
def test_parts_of_a_form(client: Client, seen: Seen, given, sent) -> None:
    (client.folder / "f.txt").write_text("f")
    assert client("-F", given, f"{seen.url}/x").code == 0
    assert sent in seen.requests[0].body


def test_a_type_has_parameters(client: Client, seen: Seen) -> None:
    assert client("-F", "a=<b>;type=text/html;charset=x", f"{seen.url}/x", stdin=b"").code == 26
    assert client("-F", "a=b;type=text/html;charset=x", f"{seen.url}/x").code == 0
    assert b"Content-Type: text/html;charset=x\r\n\r\nb" in seen.requests[-1].body


def test_patterns_of_files(client: Client, seen: Seen) -> None:
    for name in ("one", "two"):
        (client.folder / name).write_text(name)
    assert client("-T", "{one,two}", f"{seen.url}/[a-b]/").code == 0
    sent = [(request.target, request.body) for request in seen.requests]
    assert sent == [
        ("/a/one", b"one"),
        ("/b/one", b"one"),
        ("/a/two", b"two"),
        ("/b/two", b"two"),
    ]


def test_the_last_of_a_pattern_stays(client: Client, seen: Seen) -> None:
    seen.answers |= {"/a": Answer(body=b"a"), "/b": Answer(body=b"b")}
    done = client("-o", "file", "-o", "not", f"{seen.url}/{{a,b}}")
    assert (done.code, (client.folder / "file").read_bytes()) == (0, b"b")
    assert not (client.folder / "not").exists()


def test_next_begins_nothing_without_a_url(client: Client, seen: Seen) -> None:
    (client.folder / "k").write_text(f'--next\nurl = "{seen.url}/a"\ndata = a\n')
    assert client("-K", "k", "-K", "k", "--next", f"{seen.url}/b").code == 0
    asked = [(request.method, request.target) for request in seen.requests]
    assert asked == [("POST", "/a"), ("POST", "/a"), ("GET", "/b")]


def test_the_status_of_what_has_not_changed(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = Answer(200, (("Last-Modified", "Tue, 13 Jun 2000 12:10:00 GMT"),))
    done = client("-z", "-dec 12 12:00:00 1999 GMT", "-w", "%{http_code}", f"{seen.url}/x")
    assert (done.code, done.out) == (0, b"304")


def test_where_one_redirect_too_many_leads(client: Client, seen: Seen) -> None:
    words = ("-L", "--max-redirs", "0", "-w", "%{http_code} %{redirect_url}")
    done = client(*words, f"{seen.url}/302/x")
    assert (done.code, done.out) == (47, f"302 {seen.url}/x".encode())


@pytest.mark.parametrize("words", [("--resolve", "a:b"), ("--connect-to", "::a:b")])
def test_places_that_are_none(client: Client, seen: Seen, words) -> None:
    assert client(*words, f"{seen.url}/x").code == 49


def test_a_rest_of_nothing(client: Client, seen: Seen) -> None:
    (client.folder / "file").write_text("whole")
    seen.answers["/x"] = Answer(416)
    assert client("-C", "5", "-o", "file", f"{seen.url}/x").code == 0
    assert (client.folder / "file").read_text() == "whole"


def test_where_a_redirect_leads_has_a_path(client: Client, seen: Seen) -> None:
    seen.answers["/x"] = Answer(302, (("Location", "https://a.example"),), b"")
    assert client("-w", "%{redirect_url}", f"{seen.url}/x").out == b"https://a.example/"


def test_a_tag_that_can_never_be_saved_asks_for_nothing(client: Client, seen: Seen) -> None:
    assert client("--etag-save", "no/such", f"{seen.url}/x").code == 26
    assert seen.requests == []


def test_a_tag_that_there_is_no_more(client: Client, seen: Seen) -> None:
    (client.folder / "tag").write_text("old\n")
    assert client("--etag-save", "tag", f"{seen.url}/x").code == 0
    assert (client.folder / "tag").read_bytes() == b""


@pytest.mark.parametrize("name", ["127.0.0.1", "lo"])
def test_one_interface(client: Client, seen: Seen, name) -> None:
    assert client("--interface", name, f"{seen.url}/x").out == b"hello\n"


def test_names_below_localhost(client: Client, seen: Seen) -> None:
    assert client(f"http://some.name.localhost:{seen.port}/x").out == b"hello\n"


@pytest.mark.parametrize("url", ["http://127.0.0.1 a.example/", "http://a%20b.invalid/"])
def test_hosts_that_are_no_names(client: Client, url) -> None:
    assert client(url).code == 3


def test_nobody_in_netrc(client: Client, seen: Seen) -> None:
    (client.folder / ".netrc").write_text("machine 127.0.0.1\n")
    assert client("-n", f"{seen.url}/x").code == 0
    assert seen.requests[0]["authorization"] is None


def test_a_proxy_that_does_not_answer(client: Client, seen: Seen, nobody: str) -> None:
    assert client("-x", nobody, "http://a.invalid/").code == 7
    seen.answers["a.invalid:443"] = ERROR
    assert client("-x", seen.url, "https://a.invalid/").code == 56


def test_who_asks_a_proxy_for_a_tunnel(client: Client, seen: Seen) -> None:
    client("-x", seen.url, "--proxy-header", "User-Agent: me", "https://a.invalid/")
    assert seen.requests[0]["user-agent"] == "me"


def test_what_a_proxy_says_to_connect(client: Client, tunnel: Tunnel, seen: Seen) -> None:
    words = ("-p", "-x", tunnel.url, "-w", " %{http_connect}", "-D", "heads", f"{seen.url}/x")
    done = client("-i", *words)
    assert (done.code, split(done.out)) == (0, ([b"200 OK", b"200 OK"], b"hello\n 200"))
    assert (client.folder / "heads").read_bytes().startswith(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 ")
    done = client("-i", "--suppress-connect-headers", *words)
    assert split(done.out) == ([b"200 OK"], b"hello\n 200")
    assert (client.folder / "heads").read_bytes().count(b"HTTP/1.1 ") == 1


def test_a_proxy_that_refuses_says_why(client: Client, seen: Seen) -> None:
    seen.answers["a.invalid:443"] = Answer(407, (("X", "y"),))
    done = client("-i", "-x", seen.url, "-w", "%{http_code} %{http_connect}", "https://a.invalid/")
    heads, rest = split(done.out)
    assert (heads, rest) == ([b"407 Proxy Authentication Required"], b"000 407")
    assert b"\r\nX: y\r\n" in done.out


# Digest (RFC 7616).


def challenged(seen: Seen, *parameters: str) -> None:
    told = (("WWW-Authenticate", f"Digest {', '.join(parameters)}"),)
    seen.answers["/x"] = Answer(401, told)


def answered(request: Request) -> dict[str, str]:
    told = (request["authorization"] or "").removeprefix("Digest ")
    found = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,\s]+))', told)
    return {name: quoted or bare for name, quoted, bare in found}


@pytest.mark.parametrize("words", [("-d", "abc"), ("-T", "-"), ("-F", "a=abc")])
def test_digest_asks_without_content_first(client: Client, seen: Seen, words) -> None:
    challenged(seen, 'realm="r"', 'nonce="n"')
    assert client("--digest", "-u", "me:secret", *words, f"{seen.url}/x", stdin=b"abc").code == 0
    first, second = seen.requests
    assert (first.body, first["content-length"], first["authorization"]) == (b"", "0", None)
    assert b"abc" in second.body
    assert answered(second)["username"] == "me"


def test_any_scheme_asks_with_content_first(client: Client, seen: Seen) -> None:
    told = (("WWW-Authenticate", 'Other realm="r", Basic realm="r"'),)
    seen.answers["/x"] = Answer(401, told)
    assert client("--anyauth", "-u", "me:secret", "-d", "abc", f"{seen.url}/x").code == 0
    assert [request.body for request in seen.requests] == [b"abc", b"abc"]
    assert seen.requests[1]["authorization"] == "Basic bWU6c2VjcmV0"
    del seen.answers["/x"]
    assert client("--anyauth", "-u", "me:secret", "-d", "abc", f"{seen.url}/x").code == 0
    assert len(seen.requests) == 3


def test_who_asks_for_no_digest_gets_the_content_at_last(client: Client, seen: Seen) -> None:
    assert client("--digest", "-u", "me:secret", "-d", "abc", f"{seen.url}/x").code == 0
    assert [request.body for request in seen.requests] == [b"", b"abc"]
    assert client("--digest", "-u", "me:secret", "-d", "abc", f"{seen.url}/302/x").code == 0
    assert [request.body for request in seen.requests[2:]] == [b""]


def test_a_nonce_that_is_stale_is_replaced(client: Client, seen: Seen) -> None:
    challenged(seen, 'realm="r"', 'nonce="n"', "stale=true")
    assert client("--digest", "-u", "me:secret", f"{seen.url}/x").code in (0, 47)
    assert 2 < len(seen.requests) < 60


@pytest.mark.parametrize(
    ("user", "parameters", "expected"),
    [
        (
            "testuser:testpass",
            ('realm="testrealm"', 'nonce="1053604145"', "algorithm=SHA-256"),
            {"response": "5e5ff5804b48287989f263bd34f4089db7814431904915ee05e256fa0553254e"},
        ),
        (
            'a\\b":c',
            ('realm="the \\"realm\\""', 'nonce="n"'),
            {"username": 'a\\\\b\\"', "realm": 'the \\"realm\\"'},
        ),
        (
            "me:secret",
            (
                'realm="r"',
                'nonce="n"',
                "algorithm=SHA-256",
                "userhash=true",
                'qop="auth-int, auth"',
            ),
            {
                "username": "171188f9fe5ff7f33fca2169f629f20f5e7305450f538f19bab68e262f1166a7",
                "userhash": "true",
                "qop": "auth",
                "nc": "00000001",
            },
        ),
    ],
)
def test_digests(client: Client, seen: Seen, user, parameters, expected) -> None:
    challenged(seen, *parameters)
    assert client("--digest", "-u", user, f"{seen.url}/x").code == 0
    told = answered(seen.requests[1])
    assert {name: told.get(name) for name in expected} == expected
