"""Whatever netlink brings ends in values or a `ProtocolError`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hypothesis import strategies as st

from mphttp.kernel import ProtocolError
from mphttp.kernel.interfaces.changes import Interfaces, decode_interface
from mphttp.kernel.interfaces.routes import unpack_address
from mphttp.kernel.netlink.codec import Message, unpack_acknowledgement, unpack_messages
from mphttp.kernel.netlink.genetlink import unpack_family
from mphttp.kernel.path_manager.commands import decode, encode
from mphttp.kernel.path_manager.event_reader import EventReader
from mphttp.kernel.path_manager.events import decode_event, token_of
from mphttp.kernel.reading.sock_diag import decode_connection, decode_subflow

from .conftest import Fuzz
from .messages import after_header, datagrams, datagrams_of, generic

DECODERS: list[Callable[[bytes], object]] = [
    decode_event,
    decode,
    unpack_family,
    unpack_address,
    decode_connection,
    decode_subflow,
]


def test_datagrams(fuzz: Fuzz[bytes]) -> None:
    """One read of a socket, and each of its messages by every decoder."""

    def read(datagram: bytes) -> None:
        for message in _messages(datagram):
            _decode(message)

    fuzz(datagrams | st.binary(max_size=200), read)


def _decode(message: Message) -> None:
    for decoder in DECODERS:
        with suppress(ProtocolError):
            decoder(message.payload)
    for acknowledgement in (unpack_acknowledgement, decode_interface):
        with suppress(ProtocolError):
            acknowledgement(message)


def test_path_manager_messages(fuzz: Fuzz[bytes]) -> None:
    """What is read can be written and read again, and is the same."""

    def read(payload: bytes) -> None:
        with suppress(ProtocolError):
            decode_event(payload)
        with suppress(ProtocolError):
            message = decode(payload)
            assert decode(encode(message)) == message

    fuzz(generic, read)


def test_listed_sockets(fuzz: Fuzz[bytes]) -> None:
    def read(payload: bytes) -> None:
        for decoder in (decode_connection, decode_subflow):
            with suppress(ProtocolError):
                decoder(payload)

    fuzz(after_header(72), read)


def test_interfaces(fuzz: Fuzz[bytes]) -> None:
    """A row of messages, each taken in; what the last of each say is what is known then."""

    def read(datagram: bytes) -> None:
        interfaces, known = Interfaces(), {}
        for message in _messages(datagram):
            with suppress(ProtocolError):
                news = decode_interface(message)
                if news is not None:
                    known[news.index, getattr(news, "host", None)] = news
                    list(interfaces.step(news))
        assert list(interfaces.all(known.values())) == []

    fuzz(datagrams_of(st.integers(15, 22)), read)


def test_events_of_connections_that_nobody_claimed(fuzz: Fuzz[bytes]) -> None:
    """Read at once, or later when somebody claims the connection: never an exception."""

    def read(datagram: bytes) -> None:
        payloads = [message.payload for message in _messages(datagram)]
        reader = EventReader(every=False)
        reader.read(payloads)
        for token in filter(None, map(token_of, payloads)):
            reader.claim(token)
            reader.announced(token)
            reader.denied(token)
        assert len(reader.read(payloads)) <= len(payloads)

    fuzz(datagrams, read)


def _messages(datagram: bytes) -> list[Message]:
    with suppress(ProtocolError):
        return unpack_messages(datagram)
    return []
