"""A server behind two paths, and what may stand on one of them: nftables, a portal, nothing.

c1 10.0.1.1 fd00:1::1 ─── s1 ┐
                             ├ 203.0.113.1, 2001:db8:ff::1 (port 80)
c2 10.0.2.1 fd00:2::1 ─── s2 ┘
"""

from __future__ import annotations

import io
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mphttp.cli import main
from mphttp.cli.environment import Environment
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from tests.kernel.namespaces import Net, ip

HOST, HOST6 = "203.0.113.1", "2001:db8:ff::1"
PORT = 80
FILE = bytes(range(256)) * 1000

STRIP = "reset tcp option mptcp"
DROP_MPTCP = "tcp option mptcp exists drop"
RESET_JOIN = "tcp flags syn tcp option mptcp subtype 1 reject with tcp reset"
DROP_JOIN = "tcp flags syn tcp option mptcp subtype 1 drop"
DROP = "drop"


class Handler(BaseHTTPRequestHandler):
    """Serves a file in parts, as nginx does; or whatever else its server is told to."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        status, body = 200, FILE
        fields = {"Accept-Ranges": "bytes", "ETag": '"one"'} | self.server.fields
        if wanted := self.headers.get("Range"):
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            status, body = 206, FILE[first : last + 1]
            fields["Content-Range"] = f"bytes {first}-{last}/{len(FILE)}"
        if self.server.status:
            fields = self.server.fields
            status, body = self.server.status, b"log in"
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves on a socket of the server's namespace, until the test's process ends."""

    daemon_threads = True

    def __init__(
        self,
        listener: socket.socket,
        *,
        status: int = 0,
        fields: Mapping[str, str] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.status = status
        self.fields = dict(fields or {})
        self.socket = listener
        if context is not None:
            self.socket = context.wrap_socket(
                listener, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        pass


def listener(net: Net, port: int, *, protocol: int = IPPROTO_MPTCP) -> socket.socket:
    """Listen on a port of all addresses of the server."""
    with net.server():
        sock = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, protocol)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", port))
    sock.listen(64)
    return sock


def serve(
    net: Net, *, protocol: int = IPPROTO_MPTCP, privileged: bool = True, **settings: Any
) -> Server:
    """Lead both paths to one server, and have it serve a file; then give up the privilege."""
    for n in (1, 2):
        ip(
            f"route add default via 10.0.{n}.2 dev c{n} metric {n}000",
            f"route add default via fd00:{n}::2 dev c{n} metric {n}000",
        )
    with net.server():
        ip(f"address add {HOST}/32 dev lo", f"address add {HOST6}/128 dev lo nodad")
    listening = listener(net, PORT, protocol=protocol)
    if not privileged:  # before there are threads
        net.leave_privilege()
    return Server(listening, **settings)


def stand(net: Net, rule: str, *, on: str = "s2") -> None:
    """Put a middlebox on a path: a rule for what comes from the client."""
    with net.server():
        chain = "type filter hook prerouting priority -150; policy accept;"
        _nft("box", chain, f"iifname {on} meta l4proto tcp {rule}")


def portal(net: Net, port: int = 8080, *, on: str = "s2") -> None:
    """Have what comes by a path answered on another port."""
    with net.server():
        chain = "type nat hook prerouting priority -100; policy accept;"
        to = f"iifname {on} tcp dport {PORT} redirect to :{port}"
        _nft("portal", chain, to)


def unstand(net: Net) -> None:
    """Take the middlebox away."""
    with net.server():
        subprocess.run(["nft", "delete", "table", "inet", "box"], check=True)


def _nft(table: str, chain: str, rule: str) -> None:
    text = f"table inet {table} {{\nchain in {{\n{chain}\n{rule}\n}}\n}}\n"
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


@dataclass(frozen=True)
class Said:
    """What doctor said: its lines, by what stands before the first colon, and its exit code."""

    code: int
    text: str
    err: str

    @property
    def json(self) -> dict:
        return json.loads(self.text)

    @property
    def lines(self) -> dict[str, tuple[str, str, str]]:
        """State, meaning and mend by name."""
        found: dict[str, tuple[str, str, str]] = {}
        name = ""
        for line in self.text.splitlines():
            state, rest = line[:8].strip(), line[9:]
            if state:
                name, _, meaning = rest.partition(": ")
                found[name] = (state, meaning, "")
            else:
                found[name] = (*found[name][:2], rest.strip().removeprefix("fix: "))
        return found


def _with_names(names: Mapping[str, list[str]], ask: Any) -> Any:
    def getaddrinfo(host: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        found = (ask(address, *rest, **more) for address in names.get(name, [name]))
        return [entry for entries in found for entry in entries]

    return getaddrinfo


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def doctor(
    *arguments: str, terminal: bool = False, names: Mapping[str, list[str]] | None = None
) -> Said:
    """Run the command in this process.

    Args:
        arguments: after `mphttp doctor`.
        terminal: whether stderr is one.
        names: addresses of names, as /etc/hosts would have them.
    """
    if names:
        socket.getaddrinfo = _with_names(
            names, socket.getaddrinfo
        )  # the process ends with the test
    out, err = io.BytesIO(), _Terminal() if terminal else io.StringIO()
    environment = Environment(io.BytesIO(), out, err, {}, lambda _: "")
    code = main(["doctor", *arguments], environment)
    return Said(code, out.getvalue().decode(), err.getvalue())
