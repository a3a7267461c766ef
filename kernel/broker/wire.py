"""The broker's messages on the wire: values to bytes, and back.

Pure. There is one way to write each value, so the bytes that are accepted are just those that
`encode_request` and `encode_answer` make.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TypeVar

from ..addresses import MAPPED, packed
from ..errors import ProtocolError
from ..values import SocketAddress, TCPState
from .messages import (
    ERRORS,
    VALUE_ROOM,
    Answer,
    Claim,
    Close,
    Done,
    EventTold,
    GetOption,
    Hello,
    Lost,
    Open,
    Opened,
    Refused,
    Request,
    SetBackup,
    SetOption,
    Watch,
    Watching,
    Welcome,
)

VERSION = 1
"""Stands in each message; another one is refused."""

MAX_ANSWER = 8192
"""Bytes that an answer may have."""


class Kind(IntEnum):
    """The second byte of a message; requests and answers have numbers of their own."""

    HELLO = 1
    OPEN = 2
    CLOSE = 3
    SET_BACKUP = 4
    SET_OPTION = 5
    GET_OPTION = 6
    WATCH = 7
    CLAIM = 8

    WELCOME = 65
    DONE = 66
    OPENED = 67
    REFUSED = 68
    WATCHING = 69
    EVENT = 70
    LOST = 71


_HEADER = struct.Struct("!BB")
_OPEN = struct.Struct("!I16s16sHBB")
_NUMBER = struct.Struct("!I")
_BACKUP = struct.Struct("!IB")
_OPTION = struct.Struct("!IiiH")
_ANNOUNCED = struct.Struct("!B16sH")
_OPENED = struct.Struct("!IBBHH")
_REFUSED = struct.Struct("!BH3H")
_Value = TypeVar("_Value")


def encode_request(request: Request) -> bytes:
    """Write a request.

    Raises:
        ValueError: an address is none, or a value doesn't fit.
    """
    kind, body = _request(request)
    return _HEADER.pack(VERSION, kind) + body


def decode_request(message: bytes) -> Request:
    """Read a request.

    Raises:
        ProtocolError: it is none.
    """
    return _decoded(message, _REQUESTS)


def encode_answer(answer: Answer) -> bytes:
    """Write an answer.

    Raises:
        ValueError: an address is none, or a value doesn't fit.
    """
    kind, body = _answer(answer)
    return _HEADER.pack(VERSION, kind) + body


def decode_answer(message: bytes) -> Answer:
    """Read an answer.

    Raises:
        ProtocolError: it is none.
    """
    return _decoded(message, _ANSWERS)


def _request(request: Request) -> tuple[Kind, bytes]:
    body = b""
    match request:
        case Hello():
            kind = Kind.HELLO
        case Open(index, address, remote, local_id, backup):
            addresses = _packed_host(address), *_packed_address(remote)
            kind, body = Kind.OPEN, _pack(_OPEN, index, *addresses, local_id, backup)
        case Close(subflow):
            kind, body = Kind.CLOSE, _pack(_NUMBER, subflow)
        case SetBackup(subflow, backup):
            kind, body = Kind.SET_BACKUP, _pack(_BACKUP, subflow, backup)
        case SetOption(subflow, level, name, value):
            kind, body = Kind.SET_OPTION, _packed_option(subflow, level, name, len(value)) + value
        case GetOption(subflow, level, name, size):
            kind, body = Kind.GET_OPTION, _packed_option(subflow, level, name, size)
        case Watch():
            kind = Kind.WATCH
        case Claim():
            kind = Kind.CLAIM
    return kind, body


def _answer(answer: Answer) -> tuple[Kind, bytes]:
    body = b""
    match answer:
        case Welcome(options):
            kind, body = Kind.WELCOME, bytes([options])
        case Done(value):
            kind, body = Kind.DONE, value
        case Opened(subflow, state, local_id, local_port, remote_port):
            ports = local_port, remote_port
            kind, body = Kind.OPENED, _pack(_OPENED, subflow, state, local_id, *ports)
        case Refused():
            kind, body = Kind.REFUSED, _refused_body(answer)
        case Watching(token, announced):
            entries = (_pack(_ANNOUNCED, n, *_packed_address(at)) for n, at in announced)
            kind, body = Kind.WATCHING, _pack(_NUMBER, token) + b"".join(entries)
        case EventTold(payload):
            kind, body = Kind.EVENT, payload
        case Lost():
            kind = Kind.LOST
    return kind, body


def _packed_option(subflow: int, level: int, name: int, size: int) -> bytes:
    _check_room(size)
    return _pack(_OPTION, subflow, level, name, size)


def _pack(layout: struct.Struct, *values: int | bytes) -> bytes:
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise ValueError(f"a value doesn't fit: {error}") from None


def _packed_host(host: str) -> bytes:
    kind, octets = packed(host)
    return octets if kind == socket.AF_INET6 else MAPPED + octets


def _packed_address(address: SocketAddress) -> tuple[bytes, int]:
    return _packed_host(address.host), address.port


def _refused_body(refused: Refused) -> bytes:
    texts = [text.encode() for text in (refused.what, refused.extack, refused.hint)]
    kind = ERRORS.index(refused.kind)
    return _pack(_REFUSED, kind, refused.errno, *map(len, texts)) + b"".join(texts)


def _check_room(size: int) -> None:
    if not 1 <= size <= VALUE_ROOM:
        raise ValueError(f"a value has 1 to {VALUE_ROOM} bytes, not {size}")


def _decoded(message: bytes, decoders: Mapping[int, Callable[[bytes], _Value]]) -> _Value:
    if len(message) < _HEADER.size:
        raise ProtocolError("a message of the broker's protocol is shorter than its header")
    version, kind = _HEADER.unpack_from(message)
    if version != VERSION:
        raise ProtocolError(f"version {version} of the broker's protocol is not known here")
    if kind not in decoders:
        raise ProtocolError(f"a message of kind {kind} is not known here")
    try:
        return decoders[kind](message[_HEADER.size :])
    except (ValueError, struct.error) as error:
        raise ProtocolError(f"a message of kind {kind} can't be read: {error}") from None


def _nothing(value: _Value) -> Callable[[bytes], _Value]:
    """Read a message that is its header alone."""

    def decode(body: bytes) -> _Value:
        if body:
            raise ValueError(f"{len(body)} bytes too many")
        return value

    return decode


def _open(body: bytes) -> Open:
    index, address, host, port, local_id, backup = _OPEN.unpack(body)
    if not index or not local_id:
        raise ValueError("an interface and an address's identifier are at least 1")
    remote = SocketAddress(_host(host), port)
    return Open(index, _host(address), remote, local_id, _boolean(backup))


def _close(body: bytes) -> Close:
    return Close(*_NUMBER.unpack(body))


def _set_backup(body: bytes) -> SetBackup:
    subflow, backup = _BACKUP.unpack(body)
    return SetBackup(subflow, _boolean(backup))


def _set_option(body: bytes) -> SetOption:
    subflow, level, name, size = _OPTION.unpack_from(body)
    value = body[_OPTION.size :]
    _check_room(size)
    if len(value) != size:
        raise ValueError(f"a value has {len(value)} bytes, not {size}")
    return SetOption(subflow, level, name, value)


def _get_option(body: bytes) -> GetOption:
    subflow, level, name, size = _OPTION.unpack(body)
    _check_room(size)
    return GetOption(subflow, level, name, size)


def _welcome(body: bytes) -> Welcome:
    (options,) = body
    return Welcome(_boolean(options))


def _opened(body: bytes) -> Opened:
    subflow, state, *rest = _OPENED.unpack(body)
    return Opened(subflow, TCPState(state), *rest)


def _refused(body: bytes) -> Refused:
    kind, number, *sizes = _REFUSED.unpack_from(body)
    rest = body[_REFUSED.size :]
    if kind >= len(ERRORS) or sum(sizes) != len(rest):
        raise ValueError("a refusal of an unknown kind, or of another size")
    texts = []
    for size in sizes:
        text, rest = rest[:size], rest[size:]
        texts.append(text.decode())
    return Refused(ERRORS[kind], number, *texts)


def _watching(body: bytes) -> Watching:
    (token,) = _NUMBER.unpack_from(body)
    entries = _ANNOUNCED.iter_unpack(body[_NUMBER.size :])
    announced = ((number, SocketAddress(_host(host), port)) for number, host, port in entries)
    return Watching(token, tuple(announced))


def _host(packed: bytes) -> str:
    if packed.startswith(MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[len(MAPPED) :])
    return socket.inet_ntop(socket.AF_INET6, packed)


def _boolean(number: int) -> bool:
    if number > 1:
        raise ValueError(f"{number} is neither 0 nor 1")
    return bool(number)


_REQUESTS: Mapping[int, Callable[[bytes], Request]] = {
    Kind.HELLO: _nothing(Hello()),
    Kind.OPEN: _open,
    Kind.CLOSE: _close,
    Kind.SET_BACKUP: _set_backup,
    Kind.SET_OPTION: _set_option,
    Kind.GET_OPTION: _get_option,
    Kind.WATCH: _nothing(Watch()),
    Kind.CLAIM: _nothing(Claim()),
}
_ANSWERS: Mapping[int, Callable[[bytes], Answer]] = {
    Kind.WELCOME: _welcome,
    Kind.DONE: Done,
    Kind.OPENED: _opened,
    Kind.REFUSED: _refused,
    Kind.WATCHING: _watching,
    Kind.EVENT: EventTold,
    Kind.LOST: _nothing(Lost()),
}
