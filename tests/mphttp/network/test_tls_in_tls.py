"""TLS as dialogues, against OpenSSL's own server side in memory."""

from __future__ import annotations

import ssl

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from mphttp.network.dialogue import hold
from mphttp.network.tls import Hello
from mphttp.network.tls_in_tls import InnerTLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class Server:
    """The other end: it echoes, and its bytes come in pieces of one size."""

    def __init__(self, authority: trustme.CA, piece: int) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("www.example").configure_cert(context)
        self._come, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._to_send, server_side=True)
        self._piece = piece
        self._shaken = False
        self.gone = False

    def hear(self, data: bytes) -> None:
        self._come.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while came := self._tls.read(65536):
                self._tls.write(came)
        except ssl.SSLWantReadError:
            """It has echoed all that has come."""

    def read(self) -> bytes:
        return b"" if self.gone else self._to_send.read(self._piece)


def client(authority: trustme.CA, name: str) -> InnerTLS:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return InnerTLS(Hello(context, name))


@settings(max_examples=25)
@given(data=st.binary(min_size=1, max_size=70_000), piece=st.integers(1, 5000))
def test_what_is_said_comes_back(authority: trustme.CA, data: bytes, piece: int) -> None:
    """However the records are cut on their way."""
    server, tls = Server(authority, piece), client(authority, "www.example")
    hold(tls.handshake(), server.read, server.hear)
    hold(tls.write(data), server.read, server.hear)
    came = b""
    while len(came) < len(data):
        came += hold(tls.read(16384), server.read, server.hear)
    assert came == data


def test_the_end_is_no_bytes(authority: trustme.CA) -> None:
    """Also where the peer leaves without a word, as an SSLSocket lets it."""
    server, tls = Server(authority, 4096), client(authority, "www.example")
    hold(tls.handshake(), server.read, server.hear)
    hold(tls.write(b"x"), server.read, server.hear)
    assert hold(tls.read(10), server.read, server.hear) == b"x"
    server.gone = True
    assert hold(tls.read(10), server.read, server.hear) == b""


def test_somebody_else_is_an_error(authority: trustme.CA) -> None:
    server, tls = Server(authority, 4096), client(authority, "another.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        hold(tls.handshake(), server.read, server.hear)
