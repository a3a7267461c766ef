"""What a client says first in TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass

_one_at_a_time = threading.Lock()


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
            self._offer()
            return self.context.wrap_socket(
                sock,
                server_hostname=self.server_hostname,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,  # a body may be whole only if TLS says so, too
                session=self.session,
            )

    def in_memory(self, come: ssl.MemoryBIO, to_send: ssl.MemoryBIO) -> ssl.SSLObject:
        """Do the same with what comes and what is to be sent."""
        with _one_at_a_time:
            self._offer()
            return self.context.wrap_bio(
                come, to_send, server_hostname=self.server_hostname, session=self.session
            )

    def _offer(self) -> None:
        if self.protocols:
            self.context.set_alpn_protocols(list(self.protocols))
