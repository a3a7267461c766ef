"""The server's side of SOCKS5, held against a client's codec that others wrote (socksio)."""

from __future__ import annotations

import pytest
from socksio import socks5 as client

from mphttp.proxy import socks5
from mphttp.proxy.socks5 import Asked, Garbage, Reply, WrongPassword
from mphttp.proxy.target import Target

CONNECT = client.SOCKS5Command.CONNECT
PLAIN, PASSWORD = (
    client.SOCKS5AuthMethod.NO_AUTH_REQUIRED,
    client.SOCKS5AuthMethod.USERNAME_PASSWORD,
)


def know(user: bytes, password: bytes) -> bool:
    return (user, password) == (b"somebody", b"secret")


def talk(data: bytes, known: socks5.Known | None = None, *, piece: int = 65536) -> tuple:
    """Let a client say something, so many bytes at a time; return outcome, answers and rest."""
    dialogue = socks5.asked(known)
    answers, to_send = b"", next(dialogue)
    try:
        while True:
            if to_send is None:
                came, data = data[:piece], data[piece:]
                to_send = dialogue.send(came)
            else:
                answers += to_send
                to_send = next(dialogue)
    except StopIteration as end:
        return end.value, answers, data


def hello(*methods: client.SOCKS5AuthMethod) -> bytes:
    return client.SOCKS5AuthMethodsRequest(list(methods)).dumps()


def request(host: str, port: int) -> bytes:
    return client.SOCKS5CommandRequest.from_address(CONNECT, (host, port)).dumps()


@pytest.mark.parametrize("piece", [1, 2, 7, 65536])
@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "example.org", "localhost"])
def test_what_a_client_asks_for(host: str, piece: int) -> None:
    asked, answers, rest = talk(hello(PLAIN) + request(host, 443) + b"and more", piece=piece)
    assert (asked.target, asked.user) == (Target(host, 443), b"")
    assert asked.ahead + rest == b"and more"
    assert client.SOCKS5AuthReply.loads(answers).method == PLAIN


def test_a_password() -> None:
    said = hello(PLAIN, PASSWORD)
    said += client.SOCKS5UsernamePasswordRequest(b"somebody", b"secret").dumps()
    asked, answers, _ = talk(said + request("example.org", 80), know)
    assert asked == Asked(Target("example.org", 80), b"somebody", b"")
    assert client.SOCKS5AuthReply.loads(answers[:2]).method == PASSWORD
    assert client.SOCKS5UsernamePasswordReply.loads(answers[2:]).success


def test_a_wrong_password() -> None:
    said = client.SOCKS5UsernamePasswordRequest(b"somebody", b"else").dumps()
    with pytest.raises(WrongPassword) as refused:
        talk(hello(PASSWORD) + said, know)
    assert not client.SOCKS5UsernamePasswordReply.loads(refused.value.answer).success


@pytest.mark.parametrize(("known", "offered"), [(know, PLAIN), (None, PASSWORD)])
def test_no_method_that_is_taken(
    known: socks5.Known | None, offered: client.SOCKS5AuthMethod
) -> None:
    with pytest.raises(Garbage) as refused:
        talk(hello(offered), known)
    assert refused.value.answer == b"\x05\xff"


GREETING = b"\x05\x01\x00"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", Reply.COMMAND_NOT_SUPPORTED),  # BIND
        (b"\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x50", Reply.COMMAND_NOT_SUPPORTED),  # UDP
        (b"\x05\x01\x00\x02\x00\x50", Reply.ADDRESS_NOT_SUPPORTED),
        (b"\x05\x01\x00\x03\x00\x00\x50", Reply.ADDRESS_NOT_SUPPORTED),
        (b"\x05\x01\x00\x03\x04a\r\nb\x00\x50", Reply.ADDRESS_NOT_SUPPORTED),
        (b"\x05\x01\x00\x03\x03a\x00b\x00\x50", Reply.ADDRESS_NOT_SUPPORTED),
        (b"\x05\x01\x00\x03\x02\xc3\xa9\x00\x50", Reply.ADDRESS_NOT_SUPPORTED),
        (b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", Reply.FAILURE),  # port 0
        (b"\x05\x01\x01\x01\x7f\x00\x00\x01\x00\x50", Reply.FAILURE),  # reserved
        (b"\x04\x01\x00\x01\x7f\x00\x00\x01\x00\x50", Reply.FAILURE),
    ],
)
def test_what_isn_t_served(said: bytes, code: Reply) -> None:
    with pytest.raises(Garbage) as refused:
        talk(GREETING + said)
    assert refused.value.answer[1] == code


def test_another_version_gets_no_answer() -> None:
    with pytest.raises(Garbage) as refused:
        talk(b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00")
    assert refused.value.answer == b""


def test_a_client_that_goes() -> None:
    whole = GREETING + request("example.org", 80)
    for length in range(len(whole)):
        with pytest.raises(EOFError):
            talk(whole[:length])


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "fe80::1%eth0"])
def test_answers_are_as_a_client_reads_them(host: str) -> None:
    told = client.SOCKS5Reply.loads(socks5.reply(Reply.SUCCEEDED, host, 4711))
    assert (told.reply_code.value[0], told.port) == (0, 4711)
    assert told.addr == host.partition("%")[0]
