"""What a client may say to the proxy before it is let through."""

from __future__ import annotations

from contextlib import suppress

import h11
from hypothesis import strategies as st

from mphttp.proxy import socks5
from mphttp.proxy.messages import Refusal, understood
from mphttp.proxy.target import authority, checked_host

from .conftest import Fuzz
from .messages import damaged

_hosts = (
    st.binary(min_size=4, max_size=4).map(lambda packed: b"\x01" + packed)
    | st.binary(min_size=16, max_size=16).map(lambda packed: b"\x04" + packed)
    | st.binary(max_size=255).map(lambda name: b"\x03" + bytes((len(name),)) + name)
    | st.just(b"\x03\x0bexample.org")
)
_requests = st.builds(
    lambda methods, password, host, port, more: (
        b"\x05" + bytes((len(methods),)) + methods + password + b"\x05\x01\x00" + host + port + more
    ),
    st.sampled_from([b"\x00", b"\x02", b"\x00\x02", b""]),
    st.sampled_from([b"", b"\x01\x04user\x06secret", b"\x01\x00\x00"]),
    _hosts,
    st.binary(min_size=2, max_size=2),
    st.binary(max_size=20),
)


def _heard(data: bytes, known: socks5.Known | None, piece: int) -> object:
    """Let a client say something, so many bytes at a time; return what was understood."""
    dialogue, answers = socks5.asked(known), 0
    to_send = next(dialogue)
    try:
        while True:
            if to_send is None:
                came, data = data[:piece], data[piece:]
                to_send = dialogue.send(came)
            else:
                answers += len(to_send)
                assert answers <= 4  # no client gets more than it sends
                to_send = next(dialogue)
    except StopIteration as end:
        asked: socks5.Asked = end.value
        assert asked.target.host == checked_host(asked.target.host.encode())
        assert 1 <= asked.target.port <= 65535
        return asked.target, asked.user, asked.ahead + data
    except socks5.Garbage as error:
        return type(error), len(error.answer) <= 10
    except EOFError:
        return EOFError


def test_socks5(fuzz: Fuzz[bytes]) -> None:
    """It is understood or refused, and in one way, however it is cut."""

    def check(data: bytes) -> None:
        for known in (None, lambda user, password: (user, password) == (b"user", b"secret")):
            outcomes = [_heard(data, known, piece) for piece in (1, 3, 65536)]
            assert outcomes[0] == outcomes[1] == outcomes[2]
            assert (socks5.Garbage, False) not in outcomes  # no answer is longer than a request

    fuzz(damaged(_requests) | st.binary(max_size=64), check)


_heads = st.builds(
    lambda method, target, version, fields: (
        b" ".join((method, target, version))
        + b"\r\n"
        + b"".join(field + b"\r\n" for field in fields)
        + b"\r\n"
    ),
    st.sampled_from([b"GET", b"POST", b"CONNECT", b"OPTIONS", b"TRACE"]),
    st.sampled_from(
        [b"http://a/", b"http://a:81?x", b"a:443", b"[::1]:1", b"*", b"/", b"http://u@a/"]
    )
    | st.binary(max_size=30),
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"]),
    st.lists(
        st.sampled_from(
            [
                b"Host: a",
                b"Content-Length: 3",
                b"Transfer-Encoding: chunked",
                b"Connection: close, x",
                b"Via: 1.1 mphttp-x",
                b"Proxy-Authorization: Basic eDp5",
                b"X: y",
            ]
        ),
        max_size=6,
    ),
)


def test_requests(fuzz: Fuzz[bytes]) -> None:
    """What is understood has one end and one place, and none of the proxy's own fields."""

    def check(data: bytes) -> None:
        talk = h11.Connection(h11.SERVER)
        talk.receive_data(data)
        with suppress(h11.RemoteProtocolError, Refusal):
            event = talk.next_event()
            if not isinstance(event, h11.Request):
                return
            asked = understood(event, b"mphttp-x")
            assert authority(str(asked.target).encode()) == asked.target
            if not asked.tunnel:
                names = [bytes(name) for name, _ in asked.request.headers]
                assert names.count(b"host") == 1
                assert b"proxy-authorization" not in names
                assert {b"content-length", b"transfer-encoding"} - set(names)
                sent = h11.Connection(h11.CLIENT).send(asked.request)
                assert sent is not None
                assert sent.count(b"\r\n\r\n") == 1

    fuzz(damaged(_heads) | st.binary(max_size=200), check)
