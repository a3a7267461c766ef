"""What is said to a proxy before it lets bytes through, as dialogues without input and output."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import h11

from .dialogue import Dialogue

if TYPE_CHECKING:
    from socksio.socks5 import SOCKS5Connection

Headers = Iterable[tuple[bytes, bytes]]


_MOST_INTERIM = 16
"""Answers with a status of 1xx before the one that counts."""
_MOST_SOCKS = 255
"""Bytes of a name, a user or a password (RFC 1928, section 5; RFC 1929, section 2)."""


class Refused(Exception):
    """The proxy doesn't let us through.

    Args:
        what: one sentence.

    Attributes:
        answer: what it has said, where that is known.
    """

    answer: bytes = b""


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
        ValueError: a header can't be so.
    """
    try:
        return (yield from _connect(host, port, list(headers)))
    except h11.LocalProtocolError as error:
        raise ValueError(f"this can't be sent to the proxy: {error}") from error
    except h11.RemoteProtocolError as error:
        raise Refused(f"the proxy speaks no HTTP: {error}") from error


def _connect(host: bytes, port: int, headers: list[tuple[bytes, bytes]]) -> Dialogue[bytes]:
    target = b"%b:%d" % (b"[%b]" % host if b":" in host else host, port)
    named = {name.lower() for name, _ in headers}
    own = [(b"Host", target), (b"Accept", b"*/*")]
    asked = [*(field for field in own if field[0].lower() not in named), *headers]
    talk = h11.Connection(h11.CLIENT)
    yield talk.send(h11.Request(method=b"CONNECT", target=target, headers=asked)) or b""
    yield talk.send(h11.EndOfMessage()) or b""
    interim = 0
    while True:
        event = talk.next_event()
        if isinstance(event, h11.InformationalResponse):
            interim += 1
        if interim > _MOST_INTERIM:
            raise Refused(f"the proxy sent {interim} interim answers")
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
        Refused: it wants other credentials, can't connect, or can't be told so long a name.
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

    for words, what in ((host, "name"), *zip(auth or (), ("user", "password"), strict=False)):
        if len(words) > _MOST_SOCKS:
            raise Refused(f"SOCKS5 has no room for a {what} of {len(words)} bytes")
    talk = wire.SOCKS5Connection()
    rest = yield from _let_in(talk, auth)
    command = wire.SOCKS5Command.CONNECT
    talk.send(wire.SOCKS5CommandRequest.from_address(command, (host, port)))
    yield talk.data_to_send()
    answer, rest = yield from _exactly(2, rest)
    if answer[:1] == b"\x05" and answer[1]:  # whatever comes after that
        why = _REPLIES.get(answer[1], f"error {answer[1]}")
        raise Refused(f"the proxy can't connect to {host.decode('ascii', 'replace')}: {why}")
    answer, rest = yield from _exactly(5, answer + rest)  # up to the length of a name
    answer, rest = yield from _exactly(_reply_length(answer), answer + rest)
    talk.receive_data(answer)
    return rest


def _let_in(talk: SOCKS5Connection, auth: tuple[bytes, bytes] | None) -> Dialogue[bytes]:
    """Tell a proxy who we are, if it wants to know; return what came after its answer."""
    from socksio import socks5 as wire

    methods = wire.SOCKS5AuthMethod
    nothing, password = methods.NO_AUTH_REQUIRED, methods.USERNAME_PASSWORD
    offered = [nothing] if auth is None else [nothing, password]
    talk.send(wire.SOCKS5AuthMethodsRequest(offered))
    yield talk.data_to_send()
    answer, rest = yield from _exactly(2, b"")
    method = cast("wire.SOCKS5AuthReply", talk.receive_data(answer)).method
    if method not in offered:
        raise Refused("the proxy wants credentials" if auth is None else "it takes no password")
    if auth is None or method == nothing:
        return rest
    talk.send(wire.SOCKS5UsernamePasswordRequest(*auth))
    yield talk.data_to_send()
    answer, rest = yield from _exactly(2, rest)
    if not cast("wire.SOCKS5UsernamePasswordReply", talk.receive_data(answer)).success:
        raise Refused("the proxy doesn't take this user and password")
    return rest


_REPLIES = {
    1: "general server failure",
    2: "connection not allowed by ruleset",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
}
"""What a SOCKS5 proxy says of a failure (RFC 1928, section 6)."""


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
