"""The server's side of SOCKS5, as a dialogue without input and output (RFC 1928, RFC 1929)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from mphttp.network.dialogue import Dialogue

from .target import Target, checked_host

VERSION = 5
_PASSWORDS = 1
"""Version of the negotiation of passwords (RFC 1929, section 2)."""
_NO_METHOD = 0xFF
_CONNECT = 1

Known = Callable[[bytes, bytes], bool]
"""Tells whether a user has a password."""


class Reply(IntEnum):
    """What a client is told (RFC 1928, section 6)."""

    SUCCEEDED = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    TTL_EXPIRED = 6
    COMMAND_NOT_SUPPORTED = 7
    ADDRESS_NOT_SUPPORTED = 8


class Garbage(Exception):
    """What came is no SOCKS5, or can't be served.

    Args:
        what: one sentence.
        answer: what the client is told before the connection ends.
    """

    def __init__(self, what: str, answer: bytes = b"") -> None:
        super().__init__(what)
        self.answer = answer


class WrongPassword(Garbage):
    """The user or the password isn't known."""


@dataclass(frozen=True)
class Asked:
    """What a client asks for.

    Args:
        target: where to connect to.
        user: who asks, or b"".
        ahead: what came after it, for the other end.
    """

    target: Target
    user: bytes
    ahead: bytes


def reply(code: Reply, host: str = "0.0.0.0", port: int = 0) -> bytes:
    """Write an answer to a request.

    Args:
        code: what came of it.
        host: the address from which the proxy has connected.
        port: its port.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    kind = b"\x01" if address.version == 4 else b"\x04"
    return bytes((VERSION, code, 0)) + kind + address.packed + struct.pack("!H", port)


def asked(known: Known | None, first: bytes = b"") -> Dialogue[Asked]:
    """Hear what a client wants.

    Args:
        known: tells whether it may; None asks for no password.
        first: what it has sent already.

    Raises:
        Garbage: it speaks no SOCKS5, or wants what isn't served; EOFError where it went.
    """
    (version, count), rest = yield from _exactly(2, first)
    if version != VERSION:
        raise Garbage(f"version {version} of SOCKS isn't spoken here")
    methods, rest = yield from _exactly(count, rest)
    method = 0 if known is None else 2
    if method not in methods:
        raise Garbage("it offers no method that is taken", bytes((VERSION, _NO_METHOD)))
    yield bytes((VERSION, method))
    user = b""
    if known is not None:
        user, rest = yield from _let_in(known, rest)
    target, rest = yield from _request(rest)
    return Asked(target, user, rest)


def _let_in(known: Known, rest: bytes) -> Dialogue[tuple[bytes, bytes]]:
    (version, length), rest = yield from _exactly(2, rest)
    if version != _PASSWORDS:
        raise Garbage(f"version {version} of passwords isn't known", bytes((_PASSWORDS, 1)))
    user, rest = yield from _exactly(length, rest)
    (length,), rest = yield from _exactly(1, rest)
    password, rest = yield from _exactly(length, rest)
    if not known(user, password):
        raise WrongPassword("a user or a password is wrong", bytes((_PASSWORDS, 1)))
    yield bytes((_PASSWORDS, 0))
    return user, rest


def _request(rest: bytes) -> Dialogue[tuple[Target, bytes]]:
    (version, command, reserved, kind), rest = yield from _exactly(4, rest)
    if version != VERSION or reserved:
        raise Garbage("the request can't be understood", reply(Reply.FAILURE))
    if kind == 1:
        packed, rest = yield from _exactly(4, rest)
        host = str(ipaddress.IPv4Address(packed))
    elif kind == 4:
        packed, rest = yield from _exactly(16, rest)
        host = str(ipaddress.IPv6Address(packed))
    elif kind == 3:
        (length,), rest = yield from _exactly(1, rest)
        name, rest = yield from _exactly(length, rest)
        host = _name(name)
    else:
        raise Garbage("an address of that kind isn't known", reply(Reply.ADDRESS_NOT_SUPPORTED))
    packed, rest = yield from _exactly(2, rest)
    (port,) = struct.unpack("!H", packed)
    if command != _CONNECT:
        raise Garbage("only CONNECT is served", reply(Reply.COMMAND_NOT_SUPPORTED))
    if not port:
        raise Garbage("nobody listens at port 0", reply(Reply.FAILURE))
    return Target(host, port), rest


def _name(name: bytes) -> str:
    try:
        return checked_host(name)
    except ValueError as error:
        raise Garbage(str(error), reply(Reply.ADDRESS_NOT_SUPPORTED)) from None


def _exactly(length: int, ahead: bytes) -> Dialogue[tuple[bytes, bytes]]:
    """Read so many bytes; return them, and what came with them."""
    while len(ahead) < length:
        came = yield None
        if not came:
            raise EOFError("the client went in the middle of a message")
        ahead += came
    return ahead[:length], ahead[length:]
