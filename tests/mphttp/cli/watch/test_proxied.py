"""`mphttp watch` names the program behind a proxy's connection."""

from __future__ import annotations

import os
import socket

from mphttp.network.dial import IPPROTO_MPTCP
from tests.mphttp.proxy.running import exactly, running

from ..conftest import Run


def test_a_proxy_s_connection_is_shown_with_its_program(run: Run) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as listener,
        running() as proxy,
    ):
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with proxy.socks("127.0.0.1", port) as sock, listener.accept()[0] as peer:
            peer.sendall(b"x")
            exactly(sock, 1)
            shown = run("watch", "--once").out.decode()
    me = f"[{os.getpid()}]"
    assert f"{me} to 127.0.0.1:{port} by " in shown
