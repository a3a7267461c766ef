"""What a client sends to the broker, and what a client takes for the broker's answer."""

from __future__ import annotations

import struct
from contextlib import suppress

from hypothesis import strategies as st

from mphttp.kernel import ProtocolError
from mphttp.kernel.broker.wire import (
    VERSION,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)

from .conftest import Fuzz
from .messages import damaged

_MAPPED = bytes(10) + b"\xff\xff\x0a\0\0\1"

bodies = st.lists(
    st.binary(max_size=20)
    | st.sampled_from([_MAPPED, bytes(16), b"\0", b"\1"])
    | st.integers(0, 2**32 - 1).map(lambda n: struct.pack("!I", n))
    | st.integers(0, 300).map(lambda n: struct.pack("!H", n)),
    max_size=6,
).map(b"".join)
kinds = st.integers(0, 8) | st.integers(64, 72) | st.integers(0, 255)
broker_messages = damaged(
    st.builds(lambda kind, body: bytes([VERSION, kind]) + body, kinds, bodies)
)


def test_broker_messages(fuzz: Fuzz[bytes]) -> None:
    """What is accepted is just what would be written for it: there is one way to say a thing."""

    def read(message: bytes) -> None:
        with suppress(ProtocolError):
            assert encode_request(decode_request(message)) == message
        with suppress(ProtocolError):
            assert encode_answer(decode_answer(message)) == message

    fuzz(broker_messages, read)
