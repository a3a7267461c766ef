"""Where no descriptor or thread is left for the engine, a download goes on without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_NO_THREAD = """
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx

from mphttp import Handover, MultipathTransport

BODY = bytes(300_000)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


def no_thread(_):
    raise RuntimeError("can't start new thread")


def get(server):
    address = f"http://127.0.0.1:{server.server_port}/"
    transport = MultipathTransport(Handover(), multipath="mptcp", verify=False)
    with httpx.Client(transport=transport) as client:
        response = client.get(address)
    assert response.content == BODY
    return response.extensions["multipath"].problems


with HTTPServer(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    get(server)  # whatever is imported late
    whole, threading.Thread.start = threading.Thread.start, no_thread
    if child := os.fork():  # which has no thread of the engine's any more, and gets none
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    problems = get(server)
    print(next(p.hint for p in problems if "strategies can't run" in p.what))
    threading.Thread.start = whole
    assert not any("strategies can't run" in problem.what for problem in get(server))
"""


_NO_DESCRIPTOR = """
import contextlib, os, resource

from mphttp.engine import Engine

highest = max(int(number) for number in os.listdir("/proc/self/fd"))
before = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 4, before[1]))
engine, taken = Engine(), []
with contextlib.suppress(OSError):
    while True:
        taken.append(os.dup(0))
for _ in range(3):  # with none, one and two descriptors
    if not engine.start():
        print(engine.failure.hint)
        assert (engine.mechanism.name, engine.mechanism.reason) == ("readonly", engine.failure)
    os.close(taken.pop())
resource.setrlimit(resource.RLIMIT_NOFILE, before)
assert engine.start()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "mends"),
    [(_NO_THREAD, "ulimit -u"), (_NO_DESCRIPTOR, "ulimit -n")],
    ids=["thread", "descriptor"],
)
def test_the_engine_does_without(script: str, mends: str) -> None:
    """And once there are some again, strategies work in the same process."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert mends in done.stdout
