"""Netlink on the wire: messages, attributes and extended acknowledgements.

Pure: bytes in, values out, and back. Whatever does not fit its own lengths is a `ProtocolError`
(include/uapi/linux/netlink.h; Documentation/userspace-api/netlink/intro.rst).
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from ..errors import ProtocolError


class MessageType(IntEnum):
    """Types of messages that netlink itself defines."""

    NOOP = 1
    ERROR = 2
    DONE = 3
    OVERRUN = 4


class MessageFlag(IntFlag):
    """Flags of a message; CAPPED and ACK_TLVS are those of an acknowledgement."""

    REQUEST = 0x1
    MULTI = 0x2
    ACK = 0x4
    DUMP = 0x300
    CAPPED = 0x100
    ACK_TLVS = 0x200


class ErrorAttribute(IntEnum):
    """What an extended acknowledgement tells (enum nlmsgerr_attrs)."""

    MSG = 1
    OFFS = 2
    COOKIE = 3
    POLICY = 4
    MISS_TYPE = 5
    MISS_NEST = 6


_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERROR = struct.Struct("=i")
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_MAX_ERRNO = 4095


@dataclass(frozen=True, slots=True)
class Message:
    """One netlink message: type, flags, sequence number, and what follows the header."""

    type: int
    flags: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The kernel's answer to a request.

    Args:
        errno: 0 where the request worked.
        message: the kernel's own words, or "".
        offset: the byte of the request that it found wrong, counted from the start of its header.
        missing: the type of the attribute that it missed.
        missing_in: the byte of the request where the nest that should have held it starts.
    """

    errno: int
    message: str = ""
    offset: int | None = None
    missing: int | None = None
    missing_in: int | None = None

    def __str__(self) -> str:
        told = [self.message] if self.message else []
        told += [f"attribute {self.missing} is missing"] if self.missing is not None else []
        return ", ".join(told)


def pack_message(message: Message) -> bytes:
    """Put a message on the wire."""
    size = _MESSAGE.size + len(message.payload)
    header = _MESSAGE.pack(size, message.type, message.flags, message.sequence, 0)
    return header + message.payload


def unpack_messages(datagram: bytes) -> list[Message]:
    """Cut what one read returned into its messages.

    Raises:
        ProtocolError: a length leads outside.
    """
    return [
        Message(kind, flags, sequence, body)
        for (_, kind, flags, sequence, _), body in _cut(datagram, _MESSAGE)
    ]


def pack_attributes(attributes: Mapping[int, bytes]) -> bytes:
    """Put attributes on the wire, each padded to four bytes."""
    return b"".join(_pack_attribute(kind, value) for kind, value in attributes.items())


def nest(kind: int) -> int:
    """Mark an attribute's type: its value is attributes again (NLA_F_NESTED)."""
    return kind | _NESTED


def unpack_attributes(data: bytes) -> dict[int, bytes]:
    """Cut a payload into its attributes, by type; of two with one type the later holds.

    Raises:
        ProtocolError: a length leads outside.
    """
    return {kind & _TYPE_MASK: value for (_, kind), value in _cut(data, _ATTRIBUTE)}


def pack_integer(value: int, size: int) -> bytes:
    """Write an integer in the machine's byte order; a negative one as two's complement.

    Raises:
        OverflowError: it doesn't fit.
    """
    return value.to_bytes(size, sys.byteorder, signed=value < 0)


def optional_integer(attributes: Mapping[int, bytes], kind: int, size: int) -> int | None:
    """Read an unsigned integer of `size` bytes in the machine's byte order, if it is there.

    Raises:
        ProtocolError: it is of another size.
    """
    value = attributes.get(kind)
    if value is None:
        return None
    if len(value) != size:
        raise ProtocolError(f"attribute {kind} has {len(value)} bytes, not {size}")
    return int.from_bytes(value, sys.byteorder)


def integer(attributes: Mapping[int, bytes], kind: int, size: int) -> int:
    """Read an unsigned integer of `size` bytes in the machine's byte order.

    Raises:
        ProtocolError: it is missing, or of another size.
    """
    value = optional_integer(attributes, kind, size)
    if value is None:
        raise ProtocolError(f"attribute {kind} is missing")
    return value


def unpack_acknowledgement(message: Message) -> Acknowledgement:
    """Read an NLMSG_ERROR, or the NLMSG_DONE that ends a dump, and what the kernel says with it.

    Raises:
        ProtocolError: it is too short, or its number is no error number.
    """
    if len(message.payload) < _ERROR.size:
        raise ProtocolError("an acknowledgement is shorter than its error number")
    (number,) = _ERROR.unpack_from(message.payload)
    if not -_MAX_ERRNO <= number <= 0:
        raise ProtocolError(f"an acknowledgement has the error number {number}")
    if not message.flags & MessageFlag.ACK_TLVS:
        return Acknowledgement(-number)
    return _extended(-number, unpack_attributes(message.payload[_echo_ends(message) :]))


def _extended(number: int, attributes: Mapping[int, bytes]) -> Acknowledgement:
    words = attributes.get(ErrorAttribute.MSG, b"").rstrip(b"\0")
    return Acknowledgement(
        number,
        words.decode("utf-8", "replace"),
        optional_integer(attributes, ErrorAttribute.OFFS, 4),
        optional_integer(attributes, ErrorAttribute.MISS_TYPE, 4),
        optional_integer(attributes, ErrorAttribute.MISS_NEST, 4),
    )


def _echo_ends(message: Message) -> int:
    """Where the attributes begin: an error repeats the request, or its header alone if capped."""
    if message.type == MessageType.DONE:
        return _ERROR.size
    if message.flags & MessageFlag.CAPPED:
        return _ERROR.size + _MESSAGE.size
    if len(message.payload) < _ERROR.size + _MESSAGE.size:
        raise ProtocolError("an acknowledgement is shorter than the request it repeats")
    (size, *_) = _MESSAGE.unpack_from(message.payload, _ERROR.size)
    return _ERROR.size + _aligned(max(size, _MESSAGE.size))


def _pack_attribute(kind: int, value: bytes) -> bytes:
    size = _ATTRIBUTE.size + len(value)
    return (_ATTRIBUTE.pack(size, kind) + value).ljust(_aligned(size), b"\0")


def _cut(data: bytes, header: struct.Struct) -> Iterator[tuple[tuple[int, ...], bytes]]:
    """Walk over what starts with its own length and is padded to four bytes."""
    offset = 0
    while offset < len(data):
        left = len(data) - offset
        size = header.unpack_from(data, offset)[0] if left >= header.size else 0
        if not header.size <= size <= left:
            raise ProtocolError(f"a length of {size} where {left} bytes are left")
        body = data[offset + header.size : offset + size]
        yield header.unpack_from(data, offset), body
        offset += _aligned(size)


def _aligned(size: int) -> int:
    return size + 3 & ~3
