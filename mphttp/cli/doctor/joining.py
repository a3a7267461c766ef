"""Whether an MPTCP connection stays one when data flows, and whether another path can join it."""

from __future__ import annotations

import hashlib
import socket
import ssl
from contextlib import closing
from dataclasses import dataclass

from mphttp.kernel import (
    KernelError,
    LeavesElsewhere,
    NotMultipath,
    NotReady,
    Path,
    Subflows,
    capture,
)
from mphttp.network.candidates import Candidate
from mphttp.network.dial import connect, unconnected
from mphttp.network.names import in_certificate
from mphttp.network.time_limit import TimeLimit

from .outcomes import Joined, Protocol, Route

_ANSWER_WITHIN = 5.0
_JOIN_WITHIN = 4.0
"""Seconds; three SYNs are sent in it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to speak to.

    Args:
        name: of the host, as it stands in a URL.
        authority: for the Host field.
        tls: whether it speaks TLS.
    """

    name: str
    authority: str
    tls: bool


def protocol_of(sock: socket.socket) -> Protocol:
    """Tell what a connection is now that asked for MPTCP."""
    try:
        capture(sock.fileno())
    except (NotMultipath, KernelError):
        return Protocol.TCP
    return Protocol.MPTCP


def exchange(sock: socket.socket, server: Server, limit: TimeLimit) -> str:
    """Have data flow both ways: a TLS handshake, or a HEAD and the beginning of its answer.

    Nothing is asked inside TLS, so that it doesn't matter here whether the peer can be trusted.

    Returns:
        the digest of the certificate that was shown, "" without TLS.

    Raises:
        OSError: nothing came.
    """
    left = limit.require()
    sock.settimeout(_ANSWER_WITHIN if left is None else min(_ANSWER_WITHIN, left))
    if server.tls:
        return _handshake(sock, server)
    sock.sendall(b"HEAD / HTTP/1.1\r\nHost: %s\r\n\r\n" % server.authority.encode())
    if not sock.recv(1):
        raise ConnectionResetError("the server closed the connection without an answer")
    return ""


def join(base: Route, target: Path, server: Server, limit: TimeLimit) -> Joined:
    """Connect on one path, and open a subflow on another.

    Args:
        base: where the connection begins.
        target: where the subflow is to leave.
        server: whom to speak to.
        limit: for all of it.
    """
    name = base.path.name
    try:
        sock = unconnected(Candidate(base.family, base.address, base.path), None, ())
        connect(sock, base.address, limit)
        with closing(sock):
            exchange(sock, server, limit)
            return _opened(sock, name, target, limit)
    except (NotReady, NotMultipath) as error:
        return Joined(name, error.what, tried=False)
    except LeavesElsewhere as error:
        return Joined(name, error.what, error.hint, tried=False, elsewhere=True)
    except KernelError as error:
        return Joined(name, str(error), error.hint)
    except OSError as error:
        return Joined(name, f"no connection on {name}: {error.strerror or error}", tried=False)


def _opened(sock: socket.socket, base: str, target: Path, limit: TimeLimit) -> Joined:
    with Subflows(sock) as subflows:
        left = limit.left()
        within = _JOIN_WITHIN if left is None else min(_JOIN_WITHIN, left)
        subflows.close(subflows.open(target, timeout=within))
        return Joined(base)


def _handshake(sock: socket.socket, server: Server) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    copy = socket.socket(fileno=socket.dup(sock.fileno()))
    copy.settimeout(sock.gettimeout())
    with context.wrap_socket(copy, server_hostname=in_certificate(server.name)) as tls:
        shown = tls.getpeercert(binary_form=True) or b""
    return hashlib.sha256(shown).hexdigest()
