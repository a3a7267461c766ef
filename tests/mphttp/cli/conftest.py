"""A command line in this process, and a real server for it to talk to."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from mphttp.cli import main
from mphttp.cli.environment import Environment
from mphttp.network.dial import IPPROTO_MPTCP


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class BinaryTerminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Result:
    code: int
    out: bytes
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    def run(
        *arguments: str,
        stdin: bytes = b"",
        environ: dict[str, str] | None = None,
        terminal: bool = False,
        out_terminal: bool = False,
        secret: str = "",
        sleep: Callable[[float], None] = time.sleep,
    ) -> Result:
        out = BinaryTerminal() if out_terminal else io.BytesIO()
        err = Terminal() if terminal else io.StringIO()
        environment = Environment(
            stdin=io.BytesIO(stdin),
            stdout=out,
            stderr=err,
            environ=environ or {},
            ask_secret=lambda _: secret,
            sleep=sleep,
        )
        code = main(arguments, environment)
        return Result(code, out.getvalue(), err.getvalue())

    return run


def content(length: int) -> bytes:
    return hashlib.shake_256(str(length).encode()).digest(length)


@pytest.fixture
def body_of() -> Callable[[int], bytes]:
    """What the server answers for `/bytes/N`."""
    return content


def packed(coding: str, data: bytes) -> bytes:
    match coding:
        case "gzip":
            return gzip.compress(data, mtime=0)
        case "deflate":
            return zlib.compress(data)
        case "gzip, deflate":
            return zlib.compress(gzip.compress(data, mtime=0))
    return data


@dataclass
class Object:
    """Something that changes and breaks as a test wants.

    Args:
        data: its bytes now.
        fields: header fields that it is sent with.
        ranges: whether parts of it are sent.
        breaks: bytes of a body after which the connection ends, one for each of the next answers.
        refusals: statuses of the next answers; the object comes after them.
        closing: whether only the end of the connection ends a body, so that no length is sent.
        surplus: what follows a part and is no part of it.
        after_each: called when an answer has been sent.
        ranged: the Range field of each request, or None, as they came.
    """

    data: bytes
    fields: dict[str, str] = field(default_factory=dict)
    ranges: bool = True
    breaks: list[int] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    closing: bool = False
    surplus: bytes = b""
    after_each: Callable[[], None] = lambda: None
    ranged: list[str | None] = field(default_factory=list)

    def answer(self, handler: Handler) -> None:
        wanted = handler.headers.get("Range")
        self.ranged.append(wanted)
        condition = handler.headers.get("If-Range")
        if self.refusals:
            handler._answer(self.refusals.pop(0), b"not now", **self.fields)
        elif not wanted or not self.ranges or condition not in (None, self.fields.get("ETag")):
            self._send(handler, 200, self.data, {})
        elif (start := int(wanted.removeprefix("bytes=").removesuffix("-"))) >= len(self.data):
            self._send(handler, 416, b"", {"Content-Range": f"bytes */{len(self.data)}"})
        else:
            span = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
            self._send(handler, 206, self.data[start:] + self.surplus, {"Content-Range": span})
        self.after_each()

    def _send(self, handler: Handler, status: int, body: bytes, more: dict[str, str]) -> None:
        # Before the head goes out, with which a client may begin its next request.
        arrives = self.breaks.pop(0) if self.breaks else None
        handler.send_response(status)
        length = {"Connection": "close"} if self.closing else {"Content-Length": str(len(body))}
        for name, value in {**self.fields, **more, **length}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body[:arrives])
        handler.close_connection = self.closing or arrives is not None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.targets.append(self.path)
        kind, _, argument = urlsplit(self.path).path.strip("/").partition("/")
        getattr(self, f"_{kind.replace('-', '_')}")(argument)

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _bytes(self, argument: str) -> None:
        self._answer(200, content(int(argument.split("/", maxsplit=1)[0])), X_Kind="bytes")

    def _object(self, argument: str) -> None:
        self.server.objects[argument].answer(self)

    def _endless(self, _: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while not self.server.closing.is_set():
                self.wfile.write(bytes(65536))
        except OSError:
            pass

    def _status(self, argument: str) -> None:
        self._answer(int(argument), b"what is wrong")

    def _redirect(self, argument: str) -> None:
        self._answer(302, b"elsewhere", Location=f"/{argument}")

    def _loop(self, _: str) -> None:
        self._answer(302, b"", Location="/loop")

    def _redirect_to_ftp(self, _: str) -> None:
        self._answer(302, b"", Location="ftp://127.0.0.1/")

    def _echo(self, _: str) -> None:
        length = int(self.headers.get("Content-Length", 0))
        told = {
            "method": self.command,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.rfile.read(length).decode(),
        }
        self._answer(200, json.dumps(told).encode())

    def _silence(self, _: str) -> None:
        self.close_connection = True

    def _garbage(self, _: str) -> None:
        self.wfile.write(b"this is not HTTP\r\n\r\n")
        self.close_connection = True

    def _half(self, argument: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", argument)
        self.end_headers()
        self.wfile.write(content(int(argument))[: int(argument) // 2])
        self.close_connection = True

    def _stuck(self, argument: str) -> None:
        self._half(argument)
        self.server.stuck.set()
        self.server.closing.wait()


class Server(ThreadingHTTPServer):
    """A threaded server that remembers what was asked for.

    Attributes:
        targets: of all requests, as their first lines had them.
        objects: what it answers for `/object/NAME`.
        stuck: set when a response waits for the server's end.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.targets: list[str] = []
        self.stuck = threading.Event()
        self.closing = threading.Event()
        self.scheme = "http"
        self.objects: dict[str, Object] = {}

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Keep quiet when a client goes away: that is what some tests are about."""


def _served(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from _served(Server())


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """The certificate to trust for `tls_server`."""
    return tmp_path / "authority.pem"


@pytest.fixture
def tls_server(authority: Path) -> Iterator[Server]:
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert("127.0.0.1").configure_cert(context)
    server = Server()
    server.scheme = "https"
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    yield from _served(server)


@pytest.fixture
def nobody() -> Iterator[str]:
    """A URL on a port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        yield f"http://127.0.0.1:{port}/file"


@pytest.fixture
def mptcp_server() -> Iterator[str]:
    """A URL where the kernel takes MPTCP connections; nobody answers on them."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
