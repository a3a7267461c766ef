"""What is said to a proxy before it lets bytes through, as dialogues without input and output."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import cast

import h11

from .dialogue import Dialogue

Headers = Iterable[tuple[bytes, bytes]]


class Refused(Exception):
    """The proxy doesn't let us through.

    Args:
        what: one sentence.
    """


def basic_authorization(user: bytes, password: bytes) -> tuple[bytes, bytes]:
    """Return the header that tells a proxy who we are (RFC 7617)."""
    return b"Proxy-Authorization", b"Basic " + base64.b64encode(user + b":" + password)


def connect(host: bytes, port: int, headers: Headers) -> Dialogue[bytes]:
    """Ask an HTTP proxy for a tunnel (RFC 9110, section 9.3.6).

    Args:
        host: a name or an IP address.
        port: TCP port.
        headers: for the proxy.

    Returns:
        What came after its answer, already from the other end of the tunnel.

    Raises:
        Refused: it answered with anything but success.
    """
    target = b"%b:%d" % (b"[%b]" % host if b":" in host else host, port)
    asked = [(b"Host", target), (b"Accept", b"*/*"), *headers]
    talk = h11.Connection(h11.CLIENT)
    yield talk.send(h11.Request(method=b"CONNECT", target=target, headers=asked)) or b""
    yield talk.send(h11.EndOfMessage()) or b""
    while True:
        event = talk.next_event()
        if event is h11.NEED_DATA:
            came = yield None
            if not came:
                raise Refused("the proxy closed the connection without an answer")
            talk.receive_data(came)
        elif isinstance(event, h11.Response):
            if not 200 <= event.status_code < 300:
                raise Refused(f"{event.status_code} {event.reason.decode('ascii', 'ignore')}")
            return talk.trailing_data[0]


def socks5(host: bytes, port: int, auth: tuple[bytes, bytes] | None) -> Dialogue[bytes]:
    """Ask a SOCKS5 proxy for a connection (RFC 1928, RFC 1929); it looks the name up.

    Args:
        host: a name or an IP address.
        port: TCP port.
        auth: user and password, or None.

    Returns:
        What came after its answer, already from the other end.

    Raises:
        Refused: it wants other credentials, or can't connect.
        ImportError: the package socksio is missing.
    """
    try:
        from socksio import ProtocolError, SOCKSError
    except ImportError as error:
        raise ImportError(
            "a SOCKS proxy needs the package socksio (hint: pip install 'mphttp[socks]')"
        ) from error
    try:
        return (yield from _socks5(host, port, auth))
    except (ProtocolError, SOCKSError) as error:
        raise Refused(f"the proxy speaks no SOCKS5: {error}") from error


def _socks5(host: bytes, port: int, auth: tuple[bytes, bytes] | None) -> Dialogue[bytes]:
    from socksio import socks5 as wire

    talk = wire.SOCKS5Connection()
    wanted = wire.SOCKS5AuthMethod.NO_AUTH_REQUIRED
    if auth is not None:
        wanted = wire.SOCKS5AuthMethod.USERNAME_PASSWORD
    talk.send(wire.SOCKS5AuthMethodsRequest([wanted]))
    yield talk.data_to_send()
    answer, rest = yield from _exactly(2, b"")
    if cast("wire.SOCKS5AuthReply", talk.receive_data(answer)).method != wanted:
        raise Refused("the proxy wants credentials" if auth is None else "it takes no password")
    if auth is not None:
        talk.send(wire.SOCKS5UsernamePasswordRequest(*auth))
        yield talk.data_to_send()
        answer, rest = yield from _exactly(2, rest)
        if not cast("wire.SOCKS5UsernamePasswordReply", talk.receive_data(answer)).success:
            raise Refused("the proxy doesn't take this user and password")
    command = wire.SOCKS5Command.CONNECT
    talk.send(wire.SOCKS5CommandRequest.from_address(command, (host, port)))
    yield talk.data_to_send()
    answer, rest = yield from _exactly(5, rest)  # up to the length of a name
    answer, rest = yield from _exactly(_reply_length(answer), answer + rest)
    reply = cast("wire.SOCKS5Reply", talk.receive_data(answer)).reply_code
    if reply != wire.SOCKS5ReplyCode.SUCCEEDED:
        words = reply.name.lower().replace("_", " ")
        raise Refused(f"the proxy can't connect to {host.decode('ascii', 'replace')}: {words}")
    return rest


def _exactly(length: int, ahead: bytes) -> Dialogue[tuple[bytes, bytes]]:
    """Read so many bytes; return them, and what came with them."""
    while len(ahead) < length:
        came = yield None
        if not came:
            raise Refused("the proxy closed the connection in the middle of its answer")
        ahead += came
    return ahead[:length], ahead[length:]


def _reply_length(start: bytes) -> int:
    """Return the length of a reply whose first 5 bytes are there (RFC 1928, section 6)."""
    address = {1: 4, 4: 16}.get(start[3], 1 + start[4])
    return 4 + address + 2
