"""Names that libcurl looks up, by itself and in a thread that can't be interrupted."""

from __future__ import annotations

import ctypes
import os
import socket
import tempfile

import httpx
import pycurl
import pytest

from mphttp.curl import CurlTransport, fetch
from mphttp.curl.request import Limits
from tests.kernel.namespaces import Net, in_child

_NEWNS, _BIND = 0x20000, 4096


def without_an_answer() -> socket.socket:
    """Have a name server that says nothing, and is waited for for minutes."""
    net = Net()
    net.start()
    libc = ctypes.CDLL(None, use_errno=True)
    with tempfile.NamedTemporaryFile("w") as settings:
        settings.write("nameserver 127.0.0.9\noptions timeout:30 attempts:5\n")
        settings.flush()
        if libc.unshare(_NEWNS) or libc.mount(
            settings.name.encode(), b"/etc/resolv.conf", None, _BIND, None
        ):
            pytest.skip(f"no other resolv.conf: {os.strerror(ctypes.get_errno())}")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.9", 53))
    return server


def test_a_silent_name_server_is_a_time_out() -> None:
    """Also for closing: libcurl would wait for the name then, past what this test may take."""

    def ask() -> None:
        with without_an_answer():
            with pytest.raises(pycurl.error, match="timed out"):
                fetch("http://www.example/", limits=Limits(connect=0.3))
            timeout = httpx.Timeout(30, connect=0.3)
            with (
                httpx.Client(transport=CurlTransport(), timeout=timeout) as client,
                pytest.raises(httpx.ConnectTimeout),
            ):
                client.get("http://www.example/")

    in_child(ask)
