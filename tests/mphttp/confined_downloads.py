"""Download with every client and many strategies, from a server in the same process.

Prints a JSON object with the report's problems, by the client and the strategy. For a process that
is confined (`tests.sandbox`).
"""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mphttp import Deadline, FullMesh, Handover, SinglePath, Strategy
from mphttp.strategies import Background, CheapestFirst
from tests.lab.any_door import CLIENTS

BODY = bytes(range(256)) * 1000
STRATEGIES: tuple[Strategy, ...] = (
    SinglePath(),
    FullMesh(),
    Handover(),
    Deadline(0.01),
    CheapestFirst(["lo"]),
    Background("eth77"),
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: Any) -> None:
        pass


def downloaded(client: str, strategy: Strategy, address: str) -> list[list[str]]:
    """Get the body with a client of its own; return what went wrong."""
    came = bytearray()
    options = {"trust": os.environ["SSL_CERT_FILE"], "multipath": "mptcp"}
    with CLIENTS[client](strategy, **options) as made:
        report = made.read(address, came.extend)
    assert bytes(came) == BODY
    return [[problem.what, problem.hint] for problem in report.problems]


def main() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        told = {
            f"{client} {strategy.name}": downloaded(client, strategy, address)
            for client in CLIENTS
            for strategy in STRATEGIES
        }
        server.shutdown()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
