"""TLS of the standard library, as it is used here, in memory."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path

import pytest
import trustme

from mphttp.network import tls as module
from mphttp.network.tls import Hello, session_of

TIMES = 2000
LEAST_LEAK = 2048
"""Bytes that are lost each time where something is: OpenSSL's session, without its ticket."""


@pytest.fixture
def shaken() -> ssl.SSLObject:
    """A client's side after the handshake."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("www.example").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = Hello(trusting, "www.example").in_memory(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    with contextlib.suppress(ssl.SSLWantReadError):
        client.read()  # the server's tickets
    return client


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_what_can_be_resumed_is_asked_for_without_losing_memory(shaken: ssl.SSLObject) -> None:
    before = resident()
    for _ in range(TIMES):
        session_of(shaken)
    assert resident() - before < TIMES * LEAST_LEAK / 4


def test_what_can_be_resumed_where_python_loses_nothing(
    shaken: ssl.SSLObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SESSIONS_LEAK", False)
    assert isinstance(session_of(shaken), ssl.SSLSession)
    assert session_of(None) is None
