"""Whatever a server, a proxy, a command line or an environment has: a number, a sentence, a hint.

Never a bug's number, never a byte that a terminal would obey, never a password.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode

from .raw import raw_server, whole

BOTH = pytest.mark.parametrize("backend", ["httpx", "curl"])
ESCAPES = b"\x1b]0;x\x07\x9b31m\x7f\xff\xe9"
HIDING = "\u202e\u200b\u2066\x85"


def is_safe(told: str) -> bool:
    return all(sign.isprintable() or sign in "\n\t" for sign in told)


def clean(told: str) -> None:
    """Check words: a warning, an error, each with a hint, and nothing that isn't for people."""
    assert is_safe(told), told
    assert "hunter2" not in told
    assert "Traceback" not in told
    lines = [line for line in told.splitlines() if not line.startswith(("note: ", "* ", "<", ">"))]
    kinds = [line.partition(": ")[0] for line in lines]
    if kinds[:2] == ["warning", "hint"]:
        del kinds[:2]
    assert kinds in (["error"], ["error", "hint"], []), told


OK = b"HTTP/1.1 200 OK\r\n"
TO = b"HTTP/1.1 302 F\r\nContent-Length: 0\r\nLocation: "


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize(
    ("answer", "options", "code", "told"),
    [
        (b"SSH-2.0-x\r\n\r\n", (), ExitCode.PROTOCOL, "no HTTP that is known"),
        (b"220 " + ESCAPES + b"\r\n\r\n", (), ExitCode.PROTOCOL, "no HTTP that is known"),
        (b"HTTP/1.1 abc OK\r\n\r\n", (), ExitCode.PROTOCOL, "no HTTP that is known"),
        (OK + b"no colon\r\n\r\n", (), ExitCode.WEIRD, "can't be understood"),
        (b"HTTP/1.1 200 O\0K\r\n\r\n", (), ExitCode.WEIRD, "can't be understood"),
        (OK + b"X: " + ESCAPES + b"\0\r\n\r\n", (), ExitCode.WEIRD, "can't be understood"),
        (OK + b"Content-Length: x\r\n\r\n", (), ExitCode.WEIRD, "can't be understood"),
        (OK + b"Content-Length: -1\r\n\r\n", (), ExitCode.WEIRD, "can't be understood"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (), ExitCode.RECEIVE, "be received"),
        (OK + b"X: " + b"x" * 400_000 + b"\r\n\r\n", (), ExitCode.RECEIVE, "be received"),
        (b"HTTP/1.1 103 " + b"x" * 400_000 + b"\r\n\r\n", (), ExitCode.RECEIVE, "be received"),
        (b"HTTP/1.1 103 E\r\n\r\n" * 20_000, (), ExitCode.RECEIVE, "be received"),
        (b"", (), ExitCode.EMPTY, "without an answer"),
        (b"HTTP/1.1 103 E\r\n\r\n", (), ExitCode.EMPTY, "without an answer"),
        (OK + b"Content-Length: 9\r\n\r\nx", (), ExitCode.TRUNCATED, "isn't whole"),
        (whole(b"x", b"200 OK", b"Content-Encoding: gzip"), ("--compressed",), 61, "coding"),
        (TO + b"ftp://127.0.0.1/\r\n\r\n", ("-L",), ExitCode.PROTOCOL, "isn't spoken here"),
        (TO + b"file:///etc/passwd\r\n\r\n", ("-L",), ExitCode.PROTOCOL, "isn't spoken here"),
        (TO + b"http://127.0.0.1:99999/\r\n\r\n", ("-L",), ExitCode.URL, "127.0.0.1 redirects to"),
        (TO + b"http://u:hunter2/@127.0.0.1/\r\n\r\n", ("-L",), ExitCode.URL, "redirects to"),
        (TO + b"http://[::1/\r\n\r\n", ("-L",), ExitCode.URL, "which is no URL"),
        (TO + b"http:///\r\n\r\n", ("-L",), ExitCode.URL, "has no host"),
        (
            TO + b"//\r\n\r\n",
            ("-L",),
            ExitCode.URL,
            "127.0.0.1 redirects to '//', which is no URL: it",
        ),
        (TO + b"///\r\n\r\n", ("-L",), ExitCode.URL, "has no host"),
        (TO + b"////path\r\n\r\n", ("-L",), ExitCode.URL, "has no host"),
        (TO + b"//?query\r\n\r\n", ("-L",), ExitCode.URL, "has no host"),
        (TO + b"//u:hunter2@/\r\n\r\n", ("-L",), ExitCode.URL, "has no host"),
        (TO + b"http://u:hunter2@:80\r\n\r\n", ("-L",), ExitCode.URL, "has no host"),
        (TO + b"http://xn--a/\r\n\r\n", ("-L",), ExitCode.URL, "the host is no name"),
        (TO + b"http://name.invalid/\r\n\r\n", ("-L",), ExitCode.RESOLVE, "the name name.invalid"),
        (TO + b"http://u:hunter2@127.0.0.1:1/" + b"\xff\xe9 \r\n\r\n", ("-L",), 7, "port 1"),
        (TO + b"http:/127.0.0.1:1/x\r\n\r\n", ("-L",), ExitCode.CONNECT, "127.0.0.1 port 1"),
        (TO + b"/again\r\n\r\n", ("-L",), ExitCode.REDIRECTS, "redirects too often"),
        (TO + b"\r\n\r\n", ("-L",), ExitCode.OK, ""),
        (b"HTTP/1.1 404 " + ESCAPES[6:] + b"\r\nContent-Length: 0\r\n\r\n", ("-f",), 22, "404"),
        (whole(b"x", b"200 " + ESCAPES, b"X: " + ESCAPES, b"ETag: \xff"), ("-v",), ExitCode.OK, ""),
    ],
)
def test_what_a_server_sends(run, *, backend, answer, options, code, told) -> None:
    def serve(_: bytes, connection: socket.socket) -> None:
        connection.sendall(answer)
        if b"/again" not in answer:
            connection.shutdown(socket.SHUT_WR)

    with raw_server(serve) as server:
        result = run("get", "-o", os.devnull, "--backend", backend, *options, server.url)
    assert (result.code, told in result.err) == (code, True), result.err
    clean(result.err)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("-H", "X\udcff: a"), ExitCode.USAGE),
        (("-H", f"X: {HIDING}\udcff"), ExitCode.OK),
        (("-X", "G\u00c9T"), ExitCode.USAGE),
        (("-X", "GET /\r\nX: y"), ExitCode.USAGE),
        (("-d", f"a={HIDING}\udcff"), ExitCode.OK),
        (("-d", "@/\udcff\x1b[31m"), ExitCode.READ),
        (("-u", f"\udcff:{HIDING}hunter2"), ExitCode.OK),
        (("-w", "%{\x1b[31m\udcff}"), ExitCode.OK),
        (("-w", f"@/{HIDING}"), ExitCode.READ),
        (("-x", "http://user:hunter2@[::1"), ExitCode.PROXY),
        (("-x", "\x1b[31m://x"), ExitCode.PROXY),
        (("-x", "http://\udcff.invalid"), ExitCode.PROXY),
        (("-o", f"/no/such/{HIDING}\udcff\x1b[31m"), ExitCode.WRITE),
        (("--path", f"{HIDING}\x1b[31m"), ExitCode.CONNECT),
        (("--strategy", f"{HIDING}\x1b[31m"), ExitCode.USAGE),
        (("--cacert", f"/{HIDING}\x1b[31m"), ExitCode.CA_FILE),
        ((f"--{HIDING}\x1b[31m",), ExitCode.USAGE),
        (("--max-time", "9" * 400), ExitCode.USAGE),
        (("--size", "9" * 5000), ExitCode.USAGE),
        (("--subflows", "9" * 5000), ExitCode.USAGE),
        (("--dscp", "9" * 5000), ExitCode.USAGE),
        (("http://user:hunter2/@127.0.0.1/",), ExitCode.URL),
        (("user:hunter2@127.0.0.1:1/",), ExitCode.CONNECT),
        (("gopher://user:hunter2@127.0.0.1:1/",), ExitCode.PROTOCOL),
        (("http://127.0.0.1:0/",), ExitCode.URL),
        ((f"http://127.0.0.1/{'x' * 70_000}",), ExitCode.URL),
        (("http://user:hunter2@127.0.0.1:1/\udcff",), ExitCode.CONNECT),
        (("http://" + "a" * 64 + ".invalid/",), ExitCode.RESOLVE),
    ],
    ids=lambda value: ascii(value)[:40],
)
@BOTH
def test_what_a_command_line_has(run, server, tmp_path: Path, *, backend, arguments, code) -> None:
    to = () if "-o" in arguments else ("-o", str(tmp_path / "file"))
    result = run("get", "--backend", backend, *to, f"{server.url}/bytes/3", *arguments)
    assert result.code == code, result.err
    clean(result.err)


def _dead() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


dead_port = pytest.fixture(_dead)


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("url", ["http://192.0.2.1/", "https://192.0.2.1/"])
def test_a_dead_proxy_is_blamed_itself(run, dead_port, backend, scheme, url) -> None:
    proxy = f"{scheme}://user:hunter2@127.0.0.1:{dead_port}"
    result = run("get", "--backend", backend, "-x", proxy, url)
    assert result.code == ExitCode.CONNECT
    assert f"the proxy 127.0.0.1 port {dead_port} can't be used" in result.err
    clean(result.err)


@BOTH
@pytest.mark.parametrize("url", ["http://192.0.2.1/", "https://192.0.2.1/"])
def test_a_proxy_without_a_name_is_blamed_itself(run, backend, url) -> None:
    result = run("get", "--backend", backend, "-x", "http://name.invalid:1", url)
    assert (result.code, "the proxy name.invalid" in result.err) == (ExitCode.PROXY, True)


@BOTH
@pytest.mark.parametrize(
    ("scheme", "answer", "code"),
    [
        (
            "http",
            b"HTTP/1.1 403 " + ESCAPES[6:] + b"\r\nContent-Length: 0\r\n\r\n",
            ExitCode.RECEIVE,
        ),
        ("socks5", b"\x05\xff", ExitCode.SOCKS),
        ("socks5", ESCAPES, ExitCode.SOCKS),
    ],
)
def test_a_proxy_that_refuses(run, backend, scheme, answer, code) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)

        thread = threading.Thread(target=serve)
        thread.start()
        proxy = f"{scheme}://user:hunter2@127.0.0.1:{listener.getsockname()[1]}"
        result = run("get", "--backend", backend, "-x", proxy, "https://192.0.2.1/")
        thread.join()
    assert result.code == code, result.err
    clean(result.err)


HOSTILE = b"HTTP/1.1 103 Early\r\nX: y\r\n\r\n" + whole(
    b"body", b"200 " + ESCAPES[6:], b"X-Odd:" + ESCAPES[6:], b"Set-Cookie: a=b"
)


@BOTH
@pytest.mark.parametrize("option", ["-i", "-I"])
def test_a_head_is_written_as_it_came_but_to_no_terminal(run, backend, option) -> None:
    asked = ("get", option, "--backend", backend)
    with raw_server(lambda _, connection: connection.sendall(HOSTILE)) as server:
        head = HOSTILE.removesuffix(b"body")
        assert run(*asked, server.url).out.startswith(head)
        shown = run(*asked, server.url, out_terminal=True).out
    assert b"X-Odd:\\x9b31m\\x7f\\xff\\xe9\n" in shown
    assert is_safe(shown.decode())


@BOTH
def test_w_gives_the_bytes_that_came_but_to_no_terminal(run, backend, tmp_path: Path) -> None:
    options = ("-o", str(tmp_path / "\udcff"), "-w", "\x1b[1m%header{x-odd}%{filename_effective}")
    with raw_server(lambda _, connection: connection.sendall(HOSTILE)) as server:
        url = server.url
        raw = run("get", "--backend", backend, *options, url).out
        shown = run("get", "--backend", backend, *options, url, out_terminal=True).out
    assert raw == b"\x1b[1m" + ESCAPES[6:] + os.fsencode(tmp_path) + b"/\xff"
    assert shown.startswith(b"\x1b[1m\\x9b31m\\x7f\\xff\\xe9")  # what is the user's own may do it


@BOTH
def test_v_hides_secrets(run, server, tmp_path: Path, backend) -> None:
    secrets = ("-H", "Cookie: sid=hunter2", "-H", "Proxy-Authorization: Bearer hunter2")
    url = server.url.replace("//", "//user:hunter2@")
    report = tmp_path / "report"
    options = ("-v", "-L", "--report", str(report), "-w", "%{url} %{url_effective} %{json}")
    result = run("get", "--backend", backend, *secrets, *options, f"{url}/redirect/bytes/3")
    assert result.code == 0
    assert "Authorization: Basic ***" in result.err
    assert "Cookie: ***" in result.err
    for told in (result.err, result.out.decode("latin-1"), report.read_text()):
        assert "hunter2" not in told
        assert "dXNlcjpo" not in told  # user:h in base64


@pytest.mark.slow
def test_a_password_needs_a_terminal(server) -> None:
    command = [sys.executable, "-m", "mphttp", "get", "-u", "user", f"{server.url}/echo"]
    told = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
        check=False,
    )
    assert told.returncode == ExitCode.USAGE
    assert "hint: -u USER:PASSWORD" in told.stderr


ODD_WORDS = "-v -H 'X: \u00e9'"


@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ("$GET -v -o $FILE $URL <&- >&- 2>&-", 0),
        pytest.param("$GET -v -o $FILE $URL 2>/dev/full", 0, marks=pytest.mark.slow),
        ("$GET $URL >/dev/full", ExitCode.WRITE),
        (f"LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0 $GET -o $FILE {ODD_WORDS} $URL", 0),
        pytest.param(
            f"env -u HOME COLUMNS=\u00b2 PYTHONIOENCODING=ascii $GET -o $FILE {ODD_WORDS} $URL",
            0,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "SSL_CERT_FILE=/no/such http_proxy='http://[' no_proxy=127.1 $GET -o $FILE $URL",
            0,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_an_environment_has(server, tmp_path: Path, shell: str, code: int) -> None:
    get, file, url = f"{sys.executable} -m mphttp get", tmp_path / "file", f"{server.url}/bytes/9"
    made = shell.replace("$GET", get).replace("$FILE", str(file)).replace("$URL", url)
    told = subprocess.run(["bash", "-c", made], capture_output=True, text=True, check=False)
    assert told.returncode == code, told.stderr
    clean(told.stderr)
    if code == 0:
        assert file.stat().st_size == 9


def test_certificates_that_are_not_there(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such")
    environ = {"SSL_CERT_FILE": "/no/such"}
    result = run("get", "https://127.0.0.1:1/", environ=environ)
    assert result.code == ExitCode.CA_FILE
    assert "SSL_CERT_FILE=/no/such" in result.err


def test_whose_certificate_it_is(run, server, tls_server, authority: Path) -> None:
    """That of an https proxy, or that of the origin behind it."""
    proxy = f"https://user:hunter2@127.0.0.1:{tls_server.server_port}"
    result = run("get", "-x", proxy, "https://origin.invalid/")
    assert result.code == ExitCode.CERTIFICATE
    assert "the certificate of the proxy 127.0.0.1 can't be trusted" in result.err
    clean(result.err)
    plain = f"https://127.0.0.1:{server.server_port}"
    result = run("get", "-x", plain, "https://origin.invalid/")
    assert result.code == ExitCode.TLS
    assert f"the TLS handshake with the proxy 127.0.0.1 port {server.server_port}" in result.err
    result = run(
        "get", "--cacert", str(authority), tls_server.url.replace("127.0.0.1", "localhost")
    )
    assert result.code == ExitCode.CERTIFICATE
    assert "the certificate of localhost can't be trusted" in result.err


def test_no_descriptor_is_left(server) -> None:
    program = (
        "import resource\n"
        "from mphttp.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        f"raise SystemExit(main(['get', '{server.url}/bytes/9']))\n"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (ExitCode.CONNECT, "")
    assert "hint: ulimit -n 1024 allows more" in told.stderr
