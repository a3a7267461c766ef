"""What a client says first in TLS, and that nothing comes before it."""

from __future__ import annotations

import select
import socket
import ssl
import sys
import threading
from dataclasses import dataclass

from .forked import keep_back
from .names import in_certificate

_one_at_a_time = threading.Lock()
_SESSIONS_LEAK = sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)


class EarlyData(ssl.SSLError):
    """Something came before TLS began: taken for what comes inside it, it would be a forgery.

    A proxy can send an answer of its own after "200 Connection established", as in CVE-2011-0411
    and CVE-2021-22947. A server says nothing before the client does (RFC 8446, section 2).
    """

    def __init__(self) -> None:
        self.reason = "the peer sent something before TLS began"
        super().__init__(ssl.SSL_ERROR_SSL, self.reason)


def nothing_unread(sock: socket.socket, *, ahead: bool) -> None:
    """Make sure that all is read which came before TLS begins.

    What comes after this look, and before the hello is sent, is for the handshake: nobody can make
    an answer to it without having read it.

    Args:
        sock: connected, with TLS to a proxy or without.
        ahead: whether something that was read from it is still to be looked at.

    Raises:
        EarlyData: something isn't.
    """
    if ahead or (sock.pending() if isinstance(sock, ssl.SSLSocket) else _has_come(sock)):
        raise EarlyData


def _has_come(sock: socket.socket) -> bool:
    poll = select.poll()  # Python waits for a socket's own time-out even with MSG_DONTWAIT
    poll.register(sock, select.POLLIN)
    try:
        return bool(poll.poll(0) and sock.recv(1, socket.MSG_PEEK))
    except OSError:  # the connection is broken, as the handshake will tell
        return False


def tell_cuts(context: ssl.SSLContext) -> None:
    """Let what comes with this context end by a closure alert or by an error.

    Python 3.10, and 3.11 as Debian 12 has it, asks OpenSSL 3 to pass over the difference.
    """
    if context.options & ssl.OP_IGNORE_UNEXPECTED_EOF:
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF


def is_cut(error: ssl.SSLError) -> bool:
    """Tell whether no closure alert came before the end; those Pythons have no class for it."""
    return isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING"


def session_of(tls: ssl.SSLSocket | ssl.SSLObject | None) -> ssl.SSLSession | None:
    """Return what a further connection can resume, or None.

    Older Pythons lose 2 kB or more whenever they are asked for it (python/cpython#116810), which
    would be for each response that may come in parts: there each connection has a whole handshake.
    """
    return None if tls is None or _SESSIONS_LEAK else tls.session


@dataclass(frozen=True)
class Hello:
    """The beginning of a handshake.

    Args:
        context: verifies the peer.
        server_hostname: whom its certificate shall name.
        protocols: what is offered by ALPN (RFC 7301); none for what the context offers.
        session: of an earlier connection with the same context, to be resumed, or None.
    """

    context: ssl.SSLContext
    server_hostname: str | None
    protocols: tuple[str, ...] = ()
    session: ssl.SSLSession | None = None

    def on_socket(self, sock: socket.socket) -> ssl.SSLSocket:
        """Put a connected socket under TLS; the handshake is still to be done."""
        with _one_at_a_time:  # the context is shared, and what it offers is the connection's
            self._prepare()
            tls = self.context.wrap_socket(
                sock,
                server_hostname=self._name,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,  # a body may be whole only if TLS says so, too
                session=self.session,
            )
        keep_back(tls)
        return tls

    def in_memory(self, come: ssl.MemoryBIO, to_send: ssl.MemoryBIO) -> ssl.SSLObject:
        """Do the same with what comes and what is to be sent."""
        with _one_at_a_time:
            self._prepare()
            return self.context.wrap_bio(
                come, to_send, server_hostname=self._name, session=self.session
            )

    @property
    def _name(self) -> str | None:
        return None if self.server_hostname is None else in_certificate(self.server_hostname)

    def _prepare(self) -> None:
        tell_cuts(self.context)
        if self.protocols:
            self.context.set_alpn_protocols(list(self.protocols))
