"""What hypothesis makes up for the broker's protocol: every value, and bytes near to one."""

from __future__ import annotations

import socket

from hypothesis import strategies as st

from mphttp.kernel.broker.messages import (
    ERRORS,
    VALUE_ROOM,
    Answer,
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
from mphttp.kernel.broker.wire import encode_answer, encode_request
from mphttp.kernel.values import SocketAddress, TCPState


def _integers(bits: int, least: int = 0) -> st.SearchStrategy[int]:
    return st.integers(least, 2**bits - 1)


_signed = st.integers(-(2**31), 2**31 - 1)
_hosts = st.one_of(
    st.binary(min_size=4, max_size=4).map(lambda b: socket.inet_ntop(socket.AF_INET, b)),
    st.binary(min_size=16, max_size=16)
    .filter(lambda b: not b.startswith(bytes(10) + b"\xff\xff"))  # those are written as IPv4
    .map(lambda b: socket.inet_ntop(socket.AF_INET6, b)),
)
_addresses = st.builds(SocketAddress, _hosts, _integers(16))
_values = st.binary(min_size=1, max_size=VALUE_ROOM)
_texts = st.text(st.characters(codec="utf-8"), max_size=80)

requests: st.SearchStrategy[Request] = st.one_of(
    st.just(Hello()),
    st.just(Watch()),
    st.builds(Open, _integers(32, 1), _hosts, _addresses, _integers(8, 1), st.booleans()),
    st.builds(Close, _integers(32)),
    st.builds(SetBackup, _integers(32), st.booleans()),
    st.builds(SetOption, _integers(32), _signed, _signed, _values),
    st.builds(GetOption, _integers(32), _signed, _signed, st.integers(1, VALUE_ROOM)),
)
answers: st.SearchStrategy[Answer] = st.one_of(
    st.builds(Welcome, st.booleans()),
    st.builds(Done, st.binary(max_size=VALUE_ROOM)),
    st.builds(
        Opened,
        _integers(32),
        st.sampled_from(TCPState),
        _integers(8),
        _integers(16),
        _integers(16),
    ),
    st.builds(Refused, st.sampled_from(ERRORS), _integers(16), _texts, _texts, _texts),
    st.builds(
        Watching,
        _integers(32),
        st.lists(st.tuples(_integers(8), _addresses), max_size=8).map(tuple),
    ),
    st.builds(EventTold, st.binary(max_size=300)),
    st.just(Lost()),
)


@st.composite
def _damaged(draw: st.DrawFn, messages: st.SearchStrategy[bytes]) -> bytes:
    """Make a message, and change, cut or lengthen it."""
    message = bytearray(draw(messages))
    for _ in range(draw(st.integers(1, 3))):
        if message:
            message[draw(st.integers(0, len(message) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(message)))
    return bytes(message[:end]) + draw(st.binary(max_size=4))


request_bytes = st.one_of(st.binary(max_size=600), _damaged(requests.map(encode_request)))
answer_bytes = st.one_of(st.binary(max_size=600), _damaged(answers.map(encode_answer)))
