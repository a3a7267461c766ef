"""Netlink's framing: what is packed is unpacked, and nothing malformed passes."""

from __future__ import annotations

import errno
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel.errors import ProtocolError
from mphttp.kernel.netlink.codec import (
    Acknowledgement,
    ErrorAttribute,
    Message,
    MessageFlag,
    MessageType,
    integer,
    nest,
    optional_integer,
    pack_attributes,
    pack_integer,
    pack_message,
    unpack_acknowledgement,
    unpack_attributes,
    unpack_messages,
)
from mphttp.kernel.netlink.genetlink import Family, pack_generic, unpack_family

numbers = st.integers(0, 2**32 - 1)
messages = st.builds(
    Message,
    type=st.integers(0, 2**16 - 1),
    flags=st.integers(0, 2**16 - 1),
    sequence=numbers,
    # The kernel pads what follows a message to four bytes.
    payload=st.binary(max_size=64).map(lambda data: data.ljust(-(-len(data) // 4) * 4, b"\0")),
)
attributes = st.dictionaries(st.integers(0, 2**14 - 1), st.binary(max_size=40), max_size=8)
REQUEST = pack_message(Message(30, 5, 7, b"the request repeated"))


def error(number: int, flags: int, rest: bytes) -> Message:
    payload = struct.pack("=i", -number) + rest
    return Message(MessageType.ERROR, flags, 7, payload)


TLVS = pack_attributes(
    {
        ErrorAttribute.MSG: b"invalid token\0",
        ErrorAttribute.OFFS: pack_integer(24, 4),
        ErrorAttribute.MISS_TYPE: pack_integer(4, 4),
        ErrorAttribute.MISS_NEST: pack_integer(20, 4),
        ErrorAttribute.POLICY: b"skipped",
    }
)
TOLD = Acknowledgement(errno.EINVAL, "invalid token", 24, 4, 20)


@given(st.lists(messages, max_size=5))
def test_messages_round_trip(sent: list[Message]) -> None:
    assert unpack_messages(b"".join(map(pack_message, sent))) == sent


@given(attributes)
def test_attributes_round_trip(sent: dict[int, bytes]) -> None:
    assert unpack_attributes(pack_attributes(sent)) == sent


@given(attributes)
def test_nests_round_trip(sent: dict[int, bytes]) -> None:
    """The flag that marks a nest is no part of its type."""
    packed = pack_attributes({nest(9): pack_attributes(sent)})
    assert unpack_attributes(unpack_attributes(packed)[9]) == sent


@given(st.sampled_from([1, 2, 4, 8]), st.data())
def test_integers_round_trip(size: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(0, 2 ** (8 * size) - 1))
    assert integer({5: pack_integer(value, size)}, 5, size) == value


def test_an_integer_that_does_not_fit_is_not_cut() -> None:
    with pytest.raises(OverflowError):
        pack_integer(256, 1)


def test_an_integer_must_be_there_and_have_its_size() -> None:
    assert optional_integer({}, 5, 4) is None
    with pytest.raises(ProtocolError, match="attribute 5 is missing"):
        integer({}, 5, 4)
    with pytest.raises(ProtocolError, match="attribute 5 has 2 bytes, not 4"):
        optional_integer({5: b"ab"}, 5, 4)


@given(st.lists(messages, min_size=1, max_size=3), st.data())
def test_truncated_messages_are_errors(sent: list[Message], data: st.DataObject) -> None:
    """Cut anywhere but between two messages, a datagram is an error."""
    wire = b"".join(map(pack_message, sent))
    ends, at = set(), 0
    for message in sent:
        at += len(pack_message(message))
        ends.add(at)
    cut = data.draw(st.integers(1, len(wire) - 1).filter(lambda n: n not in ends))
    with pytest.raises(ProtocolError):
        unpack_messages(wire[:cut])


@pytest.mark.parametrize("wire", [b"\0" * 16, b"\x0f\0\0\0" + b"\0" * 12, b"\xff" * 16])
def test_lengths_that_lead_nowhere_are_errors(wire: bytes) -> None:
    """A length of zero would never end, one too small or too large never fit."""
    with pytest.raises(ProtocolError):
        unpack_messages(wire)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_values_or_a_protocol_error(data: bytes) -> None:
    for read in (unpack_messages, unpack_attributes, unpack_family):
        with suppress(ProtocolError):
            read(data)
    for kind in (MessageType.ERROR, MessageType.DONE):
        for flags in (0, MessageFlag.ACK_TLVS, MessageFlag.ACK_TLVS | MessageFlag.CAPPED):
            with suppress(ProtocolError):
                unpack_acknowledgement(Message(kind, flags, 0, data))


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (error(0, MessageFlag.CAPPED, REQUEST[:16]), Acknowledgement(0)),
        (error(errno.EPERM, 0, REQUEST), Acknowledgement(errno.EPERM)),
        (
            error(errno.EINVAL, MessageFlag.CAPPED | MessageFlag.ACK_TLVS, REQUEST[:16] + TLVS),
            TOLD,
        ),
        (error(errno.EINVAL, MessageFlag.ACK_TLVS, REQUEST + TLVS), TOLD),
        (
            Message(
                MessageType.DONE,
                MessageFlag.MULTI | MessageFlag.ACK_TLVS,
                7,
                struct.pack("=i", -errno.EINVAL) + TLVS,
            ),
            TOLD,
        ),
    ],
    ids=["worked", "bare", "capped", "with the request", "end of a dump"],
)
def test_acknowledgements(message: Message, told: Acknowledgement) -> None:
    """Each form that the kernel uses is read."""
    assert unpack_acknowledgement(message) == told


def test_an_acknowledgement_says_what_is_missing() -> None:
    assert str(TOLD) == "invalid token, attribute 4 is missing"
    assert str(Acknowledgement(errno.EPERM)) == ""


@pytest.mark.parametrize("number", [-1, 4096, 2**31])
def test_numbers_that_are_no_errno_are_errors(number: int) -> None:
    with pytest.raises(ProtocolError):
        unpack_acknowledgement(error(number, 0, REQUEST))


def test_an_acknowledgement_shorter_than_what_it_repeats() -> None:
    with pytest.raises(ProtocolError):
        unpack_acknowledgement(error(errno.EINVAL, MessageFlag.ACK_TLVS, REQUEST[:15]))


def test_the_controllers_answer() -> None:
    """A family's id and groups are read; what else is told is skipped."""
    group = pack_attributes({1: b"mptcp_pm_events\0", 2: pack_integer(8, 4)})
    told = {1: pack_integer(33, 2), 2: b"mptcp_pm\0", 7: pack_attributes({1: group}), 99: b"new"}
    assert unpack_family(pack_generic(1, 2, told)) == Family(33, {"mptcp_pm_events": 8})
    with pytest.raises(ProtocolError):
        unpack_family(pack_generic(2, 2, told))
