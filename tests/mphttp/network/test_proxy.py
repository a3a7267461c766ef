"""What is said to proxies, however their answers are cut; real ones are in tests/lab."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.network.dialogue import Dialogue, hold
from mphttp.network.proxy import Refused, basic_authorization, connect, socks5

cuts = st.lists(st.integers(1, 9), max_size=30)


class Peer:
    """Sends what it was given, cut, and keeps what it hears."""

    def __init__(self, says: bytes, sizes: list[int]) -> None:
        self.says = says
        self.sizes = iter(sizes)
        self.heard = b""

    def read(self) -> bytes:
        size = next(self.sizes, len(self.says))
        came, self.says = self.says[:size], self.says[size:]
        return came

    def hear(self, data: bytes) -> None:
        self.heard += data


def held(dialogue: Dialogue[bytes], says: bytes, sizes: list[int]) -> tuple[bytes, Peer]:
    """Hold a dialogue; return its outcome and what is still to come, and the peer."""
    peer = Peer(says, sizes)
    rest = hold(dialogue, peer.read, peer.hear)
    return rest + peer.says, peer


class TestConnect:
    """RFC 9110, section 9.3.6."""

    @given(sizes=cuts, more=st.binary(max_size=20))
    def test_the_tunnel_begins_after_the_answer(self, sizes: list[int], more: bytes) -> None:
        """A 2xx has no body, and what follows it comes from the other end."""
        says = b"HTTP/1.1 200 Connection established\r\nContent-Length: 3\r\n\r\n" + more
        credentials = basic_authorization(b"user", b"pass")
        rest, peer = held(connect(b"www.example", 443, [credentials]), says, sizes)
        assert rest == more
        assert peer.heard.startswith(b"CONNECT www.example:443 HTTP/1.1\r\nHost: www.example:443")
        assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n" in peer.heard

    def test_an_ipv6_address_has_brackets(self) -> None:
        _, peer = held(connect(b"2001:db8::1", 443, []), b"HTTP/1.1 200 OK\r\n\r\n", [])
        assert peer.heard.startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")

    @given(sizes=cuts)
    def test_a_refusal_is_told_in_the_proxy_s_words(self, sizes: list[int]) -> None:
        says = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        with pytest.raises(Refused, match="407 Proxy Authentication Required"):
            held(connect(b"www.example", 443, []), says, sizes)

    def test_silence_is_a_refusal(self) -> None:
        with pytest.raises(Refused, match="without an answer"):
            held(connect(b"www.example", 443, []), b"", [])


METHOD, PASSWORD_METHOD, WELCOME = b"\x05\x00", b"\x05\x02", b"\x01\x00"
BOUND = {
    "IPv4": b"\x05\x00\x00\x01" + bytes(4) + b"\x00\x50",
    "IPv6": b"\x05\x00\x00\x04" + bytes(16) + b"\x00\x50",
    "name": b"\x05\x00\x00\x03\x04host\x00\x50",
}


class TestSocks5:
    """RFC 1928 and RFC 1929."""

    @given(sizes=cuts, more=st.binary(max_size=20), bound=st.sampled_from(sorted(BOUND)))
    def test_bytes_of_the_origin_begin_after_the_reply(
        self, sizes: list[int], more: bytes, bound: str
    ) -> None:
        """Whatever kind of address the proxy tells in it, and wherever its answers are cut."""
        rest, peer = held(socks5(b"www.example", 80, None), METHOD + BOUND[bound] + more, sizes)
        assert rest == more
        assert peer.heard == b"\x05\x01\x00" + b"\x05\x01\x00\x03\x0bwww.example\x00\x50"

    @given(sizes=cuts)
    def test_credentials(self, sizes: list[int]) -> None:
        says = PASSWORD_METHOD + WELCOME + BOUND["IPv4"]
        rest, peer = held(socks5(b"10.0.0.1", 80, (b"user", b"pass")), says, sizes)
        assert rest == b""
        assert peer.heard.startswith(b"\x05\x02\x00\x02" + b"\x01\x04user\x04pass")

    @pytest.mark.parametrize(
        ("auth", "says", "words"),
        [
            (None, b"\x05\xff", "wants credentials"),
            ((b"u", b"p"), b"\x05\xff", "takes no password"),
            ((b"u", b"p"), PASSWORD_METHOD + b"\x01\x01", "doesn't take this user"),
            (None, METHOD + b"\x05\x05\x00\x01" + bytes(6), "connection refused"),
            (None, METHOD + b"\x05\x00", "in the middle"),
            (None, b"HTTP/1.1 400 Bad Request\r\n\r\n", "no SOCKS5"),
        ],
    )
    def test_a_refusal_is_told(
        self, auth: tuple[bytes, bytes] | None, says: bytes, words: str
    ) -> None:
        with pytest.raises(Refused, match=words):
            held(socks5(b"www.example", 80, auth), says, [])
