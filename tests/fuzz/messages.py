"""Netlink messages that are nearly right."""

from __future__ import annotations

import struct

from hypothesis import strategies as st

from mphttp.kernel.netlink.codec import Message, pack_attributes, pack_integer, pack_message

_values = (
    st.binary(max_size=24)
    | st.integers(0, 2**8 - 1).map(lambda n: pack_integer(n, 1))
    | st.integers(0, 2**16 - 1).map(lambda n: pack_integer(n, 2))
    | st.integers(0, 2**32 - 1).map(lambda n: pack_integer(n, 4))
    | st.sampled_from([bytes(4), bytes(16), b"\x7f\0\0\1", b"lo\0", pack_integer(2, 2)])
)
_kinds = st.integers(0, 24) | st.integers(0, 2**16 - 1)


def _pack(attributes: dict[int, bytes]) -> bytes:
    return pack_attributes(attributes)


attributes: st.SearchStrategy[bytes] = st.recursive(
    st.dictionaries(_kinds, _values, max_size=10).map(_pack),
    lambda inner: st.dictionaries(_kinds, inner | _values, max_size=6).map(_pack),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with some changed, cut out or put in; or as they were."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        until = draw(st.integers(at, min(at + 4, len(data))))
        data[at:until] = draw(st.binary(max_size=4))
    return bytes(data)


generic = damaged(
    st.builds(lambda head, rest: head + rest, st.binary(min_size=4, max_size=4), attributes)
)
"""Payloads of generic netlink: a command, a version, attributes."""


def after_header(size: int) -> st.SearchStrategy[bytes]:
    """Payloads of another family: a header of so many bytes, and attributes."""
    header = st.binary(min_size=size, max_size=size) | st.just(bytes(size))
    return damaged(st.builds(lambda head, rest: head + rest, header, attributes))


def _acknowledgement(number: int, size: int, rest: bytes) -> bytes:
    return struct.pack("=iIHHII", number, size, 0, 0, 0, 0) + rest


payloads = st.one_of(
    generic,
    after_header(8),
    after_header(16),
    st.builds(_acknowledgement, st.integers(-5000, 5), st.integers(0, 64), attributes),
)


def datagrams_of(kinds: st.SearchStrategy[int]) -> st.SearchStrategy[bytes]:
    """What one read of a netlink socket could give: messages of these types, or what is left."""
    message = st.builds(Message, kinds, st.integers(0, 2**16 - 1), st.integers(0, 9), payloads)
    return damaged(st.lists(message.map(pack_message), max_size=4).map(b"".join))


datagrams = datagrams_of(st.integers(0, 40))
