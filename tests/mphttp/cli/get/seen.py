"""One server that remembers what it was asked, and three clients that should ask the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CLIENTS = ("httpx", "curl", "the curl program")
BODY = b"hello\n"


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    fields: dict[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        return self.fields.get(name.lower())


@dataclass(frozen=True)
class Answer:
    status: int = 200
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = BODY


@dataclass
class Seen:
    """What was asked, and what is answered for a path without its query.

    A path such as `/302/a` leads to `/a`. `after` is called once an answer has been chosen.
    """

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    unexpected: int = 0
    """The status that answers "Expect: 100-continue", 0 for "100 Continue"."""
    after: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Answer:
        path = request.target.partition("?")[0]
        if path in self.answers:
            return self.answers[path]
        status, _, rest = path[1:].partition("/")
        if status in {"301", "302", "303", "307", "308"}:
            return Answer(int(status), (("Location", f"/{rest}"),))
        return Answer()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._any
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        seen: Seen = self.server.seen  # type: ignore[attr-defined]
        if not seen.unexpected:
            return super().handle_expect_100()
        fields = {name.lower(): value for name, value in self.headers.items()}
        seen.requests.append(Request(self.command, self.path, fields, b""))
        self.send_response(seen.unexpected)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def _any(self) -> None:
        fields = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, fields, self._body())
        seen: Seen = self.server.seen  # type: ignore[attr-defined]
        seen.requests.append(request)
        answer = seen.answer(request)
        seen.after()
        self.send_response(answer.status)
        for name, value in answer.fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 304:
            self.wfile.write(answer.body)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        whole = b""
        while size := int(self.rfile.readline(), 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    seen: Seen

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Seen]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.seen = Seen(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Done:
    code: int
    out: bytes
    err: str


@dataclass(frozen=True)
class Client:
    """One of CLIENTS, in a folder of its own."""

    name: str
    run: Callable[..., object]
    folder: Path

    def __call__(self, *words: str, stdin: bytes = b"", home: str = "") -> Done:
        home = home or str(self.folder)
        if self.name != "the curl program":
            environ = {"HOME": home}
            done = self.run("get", "--backend", self.name, *words, stdin=stdin, environ=environ)
            return Done(done.code, done.out, done.err)  # type: ignore[attr-defined]
        program = shutil.which("curl")
        if program is None:
            pytest.skip("there is no curl program")
        environ = {"HOME": home, "PATH": os.environ["PATH"]}
        done = subprocess.run(
            [program, "-sS", *words],
            input=stdin,
            capture_output=True,
            env=environ,
            cwd=self.folder,
            timeout=20,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr.decode())
