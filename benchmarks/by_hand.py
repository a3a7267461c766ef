"""Links made by hand, of veth and the kernel's own tbf, with nginx behind them; needs root.

The laboratory's links are ours: what holds on them alone may be their doing. Here the queues are
the kernel's, there is no delay but theirs, and the server is nginx by mptcpize.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SERVER, PORT = "203.0.113.1", 8080
_START_WITHIN = 5.0

_NGINX = """
daemon off; master_process off; user root root; pid {folder}/pid; error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fast; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen {port}; root {folder}/root; }}
}}
"""


@dataclass(frozen=True)
class Wire:
    """One link.

    Args:
        name: of the client's interface.
        rate: bits a second, both ways.
        queue: seconds of it that may wait before each direction.
    """

    name: str
    rate: float
    queue: float = 0.06


def run(*words: str) -> str:
    """Run a command that must work; return what it printed."""
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout


def _in(namespace: str, *words: str) -> None:
    run("ip", "netns", "exec", namespace, *words)


@contextmanager
def _namespaces(names: Sequence[str]) -> Iterator[None]:
    with ExitStack() as stack:
        for name in names:
            run("ip", "netns", "add", name)
            stack.callback(run, "ip", "netns", "del", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            for kind in ("all", "default"):
                _in(name, "sysctl", "-qw", f"net.ipv4.conf.{kind}.rp_filter=0")
        yield


def _wire(  # noqa: PLR0917  one call
    client: str, server: str, router: str, number: int, wire: Wire, congestion: str
) -> None:
    """Connect client and server by a router whose two sides are as slow as the wire."""
    ends = (
        (client, wire.name, f"10.{number}.0", "c"),
        (server, f"s{number}", f"10.1{number}.0", "s"),
    )
    for namespace, interface, net, side in ends:
        add = ("type", "veth", "peer", "name", side, "netns", router)
        run("ip", "link", "add", interface, "netns", namespace, *add)
        for where, device, address in (
            (namespace, interface, f"{net}.2"),
            (router, side, f"{net}.1"),
        ):
            run("ip", "-n", where, "addr", "add", f"{address}/24", "dev", device)
            run("ip", "-n", where, "link", "set", device, "up")
            _in(where, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off")
        shape = (
            "rate",
            f"{wire.rate:.0f}bit",
            "burst",
            "16kb",
            "latency",
            f"{wire.queue * 1e3:g}ms",
        )
        _in(router, "tc", "qdisc", "add", "dev", side, "root", "tbf", *shape)
    _in(router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    run("ip", "-n", router, "route", "add", SERVER, "via", f"10.1{number}.0.2")
    # A namespace's default may only be one that the machine allows; a route's may be any.
    back = ("via", f"10.1{number}.0.1", "congctl", congestion)
    run("ip", "-n", server, "route", "add", f"10.{number}.0.0/24", *back)
    way = ("via", f"10.{number}.0.1", "dev", wire.name, "metric", f"{100 * number}")
    run("ip", "-n", client, "route", "add", "default", *way)


@contextmanager
def network(wires: Sequence[Wire], *, congestion: str = "cubic", size: int) -> Iterator[list[str]]:
    """Make links and a server of one file, `f`, until the end of the block.

    Args:
        wires: preferred first.
        congestion: the server's congestion control, which the kernel must have.
        size: of the file, in bytes.

    Returns:
        what a command begins with that is to run at the client.
    """
    mark = f"hand-{os.getpid()}"
    client, server = f"{mark}-c", f"{mark}-s"
    routers = [f"{mark}-r{number}" for number in range(1, len(wires) + 1)]
    with _namespaces([client, server, *routers]), TemporaryDirectory() as name:
        run("ip", "-n", server, "addr", "add", f"{SERVER}/32", "dev", "lo")
        _in(client, "sysctl", "-qw", "net.mptcp.pm_type=1")
        for number, wire in enumerate(wires, 1):
            _wire(client, server, routers[number - 1], number, wire, congestion)
        with _nginx(server, Path(name), size):
            yield ["ip", "netns", "exec", client]


@contextmanager
def _nginx(server: str, folder: Path, size: int) -> Iterator[None]:
    folder.chmod(0o755)
    (folder / "root").mkdir()
    (folder / "root" / "f").write_bytes(os.urandom(size))
    (folder / "conf").write_text(_NGINX.format(folder=folder, port=PORT))
    command = [
        "ip",
        "netns",
        "exec",
        server,
        "mptcpize",
        "run",
        "nginx",
        "-c",
        str(folder / "conf"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        give_up = time.monotonic() + _START_WITHIN
        while f":{PORT}" not in run("ip", "netns", "exec", server, "ss", "-ltn"):
            if time.monotonic() > give_up:
                raise TimeoutError("nginx doesn't listen")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()
