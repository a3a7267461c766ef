"""The programs in examples/, each with a server on the loopback interface."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
CHUNK = bytes(range(256)) * 400

pytestmark = pytest.mark.slow


class _Store(BaseHTTPRequestHandler):
    """Has a chunk under each name, and keeps what is put."""

    protocol_version = "HTTP/1.1"
    put: dict[str, bytes]
    digests: dict[str, str]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(CHUNK)))
        self.end_headers()
        self.wfile.write(CHUNK)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.put[self.path], self.digests[self.path] = body, self.headers["Repr-Digest"]
        self.send_response(507 if b"too much" in body else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Any]:
    handler = type("Store", (_Store,), {"put": {}, "digests": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, check=False, timeout=50, cwd=EXAMPLES
    )


def test_the_player(store: Any) -> None:
    done = run("player.py", f"{store.url}/{{}}.m4s", "3", "--period", "0.2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == CHUNK * 3
    *chunks, last = done.stderr.decode().splitlines()
    assert [re.sub(r"\d\.\d\d", "T", line) for line in chunks] == [
        f"{store.url}/{number}.m4s: T s over lo" for number in range(3)
    ]
    assert last.endswith("of 3 chunks were late")


def test_the_backup(store: Any, tmp_path: Path) -> None:
    """What can't be sent is told, and keeps nothing back."""
    files = {"a b.jpg": b"1" * 200_000, "c.jpg": b"too much", "d.jpg": b""}
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    done = run("backup.py", str(tmp_path), f"{store.url}/bucket", "--within", "30")
    handler = store.RequestHandlerClass
    assert handler.put == {
        "/bucket/a%20b.jpg": files["a b.jpg"],
        "/bucket/c.jpg": files["c.jpg"],
        "/bucket/d.jpg": b"",
    }
    digest = base64.b64encode(hashlib.sha256(files["a b.jpg"]).digest()).decode()
    assert handler.digests["/bucket/a%20b.jpg"] == f"sha-256=:{digest}:"
    assert (done.returncode, done.stderr.startswith(b"c.jpg: ")) == (1, True)
    assert done.stdout.startswith(b"a b.jpg, 200")


def test_the_service(store: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "hypercorn", "service.py:app"]
        service = subprocess.Popen(
            [*command, "--bind", f"fd://{listener.fileno()}"],
            cwd=EXAMPLES,
            env={**os.environ, "UPSTREAM": store.url},
            pass_fds=[listener.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=40) as client:
            response = client.get("/chunks/1.m4s", params={"within": 5})
            assert (response.status_code, response.content) == (200, CHUNK)
            assert response.headers["content-type"] == "video/mp4"
            (report,) = client.get("/reports").json()
        assert (report["bytes"], report["deadline"]["met"]) == (len(CHUNK), True)
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(20)


def test_the_notebook(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell; what a cell ends with is what it shows."""
    monkeypatch.setenv("MPHTTP_URL", f"{store.url}/1")
    cells = json.loads((EXAMPLES / "download.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}
    shown = []
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            program = ast.parse("".join(cell["source"]))
            last = program.body.pop() if isinstance(program.body[-1], ast.Expr) else None
            exec(compile(program, "cell", "exec"), names)
            if isinstance(last, ast.Expr):
                shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
    report, carried = shown
    assert f"{len(CHUNK):,} bytes" in report._repr_html_()
    assert carried["lo"] > len(CHUNK)


def test_each_is_told_of() -> None:
    told = set(re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text()))
    assert told == {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"}}
