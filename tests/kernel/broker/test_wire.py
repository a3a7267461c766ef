"""The broker's messages on the wire."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given

from mphttp.kernel.broker.messages import (
    ERRORS,
    Answer,
    Close,
    GetOption,
    Hello,
    Open,
    Refused,
    Request,
    SetOption,
    Watch,
)
from mphttp.kernel.broker.wire import (
    MAX_ANSWER,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
)
from mphttp.kernel.errors import ProtocolError
from mphttp.kernel.values import SocketAddress

from ..broker_strategies import answer_bytes, answers, request_bytes, requests

HERE = SocketAddress("192.0.2.1", 443)


@given(requests)
def test_a_request_is_read_as_it_was_written(request: Request) -> None:
    assert decode_request(encode_request(request)) == request


@pytest.mark.slow
@given(answers)
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    assert decode_answer(encode_answer(answer)) == answer


@given(request_bytes)
def test_bytes_are_a_request_in_one_way_or_none(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert encode_request(decode_request(message)) == message


@given(answer_bytes)
def test_bytes_are_an_answer_in_one_way_or_none(message: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert encode_answer(decode_answer(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"\x02\x01",  # another version
        b"\x01\x00",  # no such kind
        b"\x01\x42",  # an answer
        b"\x01\x01\x00",  # a hello and a byte
        encode_request(Close(1))[:-1],
        encode_request(Close(1)) + b"\0",
        encode_request(Open(1, "192.0.2.2", HERE, 1, False))[:-1] + b"\x02",
        encode_request(SetOption(1, 0, 1, b"xy"))[:-1],
        encode_request(SetOption(1, 0, 1, b"xy")) + b"z",
    ],
)
def test_anything_else_is_refused(message: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_request(message)


def test_an_open_names_an_interface_and_an_identifier() -> None:
    for index, local_id in ((0, 1), (1, 0)):
        with pytest.raises(ProtocolError):
            decode_request(encode_request(Open(index, "192.0.2.2", HERE, local_id, False)))


@pytest.mark.parametrize(
    "request_",
    [
        Open(1, "nowhere", HERE, 1, False),
        Open(1, "192.0.2.2", SocketAddress("192.0.2.1", 65536), 1, False),
        Open(1, "192.0.2.2", HERE, 256, False),
        SetOption(1, 0, 1, b""),
        SetOption(1, 0, 1, bytes(257)),
        GetOption(1, 0, 1, 0),
        Close(-1),
    ],
)
def test_what_does_not_fit_is_not_written(request_: Request) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode_request(request_)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_arrives_as_it_was_raised(kind: type) -> None:
    error = kind("it did not work", errno=22, extack="invalid token", hint="try again")
    told = decode_answer(encode_answer(Refused.of(error)))
    assert isinstance(told, Refused)
    again = told.error()
    assert (type(again), str(again), again.hint) == (kind, str(error), error.hint)


def test_a_refusal_with_much_to_say_still_fits() -> None:
    error = ERRORS[0]("é" * 10_000, extack="è" * 10_000, hint="ê" * 10_000)
    message = encode_answer(Refused.of(error))
    assert len(message) <= MAX_ANSWER
    assert decode_answer(message) == Refused.of(error)


def test_no_request_names_a_connection() -> None:
    """Whoever asks passes the socket; there is no field for a token."""
    fields = {name for kind in (Hello, Watch, Open, Close, SetOption) for name in kind.__slots__}
    assert "token" not in fields
