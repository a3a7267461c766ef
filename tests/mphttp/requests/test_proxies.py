"""Proxies: the connection that has several paths is the one to the proxy."""

from __future__ import annotations

import ssl
import sys
from contextlib import closing

import pytest
import requests

from .conftest import Open, Serve, Start
from .servers import Service, answer
from .test_body import told

BODY = bytes(range(256)) * 10_000


def through(proxy: str) -> dict[str, str]:
    return {"http": proxy, "https": proxy}


def test_a_proxy_forwards(open_session: Open, serve: Serve) -> None:
    """It is a server that is asked for whole URLs."""
    server = serve(answer(BODY))
    session = open_session()
    for _ in range(2):
        response = session.get("http://example.org/file", proxies=through(server.url))
        assert response.content == BODY
        assert told(response).bytes == len(BODY)
        assert told(response).protocol == "mptcp"
    assert server.heads[0].startswith(b"GET http://example.org/file HTTP/1.1")
    assert server.connections == 1


def test_a_proxy_makes_a_tunnel(
    open_session: Open, serve: Serve, proxy: Start, context: ssl.SSLContext, authority: str
) -> None:
    """What it answers to CONNECT isn't part of the body."""
    server, between = serve(answer(BODY), context=context), proxy()
    session = open_session()
    for _ in range(2):
        response = session.get(
            server.url, verify=authority, proxies=through(f"http://{between.address}")
        )
        assert response.content == BODY
        assert (told(response).bytes, told(response).protocol) == (len(BODY), "mptcp")
        assert told(response).subflows[0].remote[1] == between.port
    assert between.asked == [("127.0.0.1", server.port)]
    session.close()


def test_a_tunnel_that_is_refused(open_session: Open, serve: Serve) -> None:
    refuses = serve(answer(b"no", status="403 Forbidden"))
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        open_session().get("https://example.org/", proxies=through(refuses.url))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # requests verifies no such proxy
def test_tls_to_the_proxy(
    open_session: Open, serve: Serve, context: ssl.SSLContext, authority: str
) -> None:
    server = serve(answer(BODY), context=context)
    response = open_session().get(
        "http://example.org/", verify=authority, proxies=through(server.url)
    )
    assert response.content == BODY
    assert told(response).bytes == len(BODY)


def test_tls_to_the_server_within_tls_to_the_proxy(
    open_session: Open, serve: Serve, proxy: Start, context: ssl.SSLContext, authority: str
) -> None:
    server, between = serve(answer(BODY), context=context), proxy(context=context)
    session = open_session()
    proxies = through(f"https://{between.address}")
    response = session.get(server.url, verify=authority, proxies=proxies)
    assert response.content == BODY
    assert (told(response).bytes, told(response).protocol) == (len(BODY), "mptcp")
    with session.get(server.url, verify=authority, proxies=proxies, stream=True) as response:
        assert response.raw.read(10) == BODY[:10]
    session.close()


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("user", ["", "somebody"])
def test_socks5(open_session: Open, serve: Serve, proxy: Start, user: str, slow: bool) -> None:
    """Also one that wants a password, and one whose answers come in pieces."""
    server, between = serve(answer(BODY)), proxy(user=user.encode(), slow=slow)
    address = f"socks5://{user}:secret@{between.address}" if user else f"socks5://{between.address}"
    session = open_session()
    for _ in range(2):
        response = session.get(server.url, proxies=through(address))
        assert response.content == BODY
        assert (told(response).bytes, told(response).protocol) == (len(BODY), "mptcp")
        assert told(response).subflows[0].remote[1] == between.port
    assert between.asked == [("127.0.0.1", server.port)]
    session.close()


def test_tls_through_socks5(
    open_session: Open, serve: Serve, proxy: Start, context: ssl.SSLContext, authority: str
) -> None:
    server, between = serve(answer(BODY), context=context), proxy()
    session = open_session()
    proxies = through(f"socks5://{between.address}")
    assert session.get(server.url, verify=authority, proxies=proxies).content == BODY
    assert between.asked == [("127.0.0.1", server.port)]
    session.close()


@pytest.mark.parametrize(("scheme", "asked"), [("socks5", "127.0.0.1"), ("socks5h", "localhost")])
def test_who_looks_a_name_up(
    open_session: Open, serve: Serve, proxy: Start, scheme: str, asked: str
) -> None:
    server, between = serve(answer(BODY)), proxy()
    session = open_session()
    url = server.url.replace("127.0.0.1", "localhost")
    # Which of its addresses a name has first is the machine's affair.
    session.get(url, proxies=through(f"{scheme}://{between.address}"))
    assert between.asked[0][0] in {asked, "::1"} - ({"::1"} if scheme == "socks5h" else set())
    session.close()


def test_what_socks5_refuses(open_session: Open, proxy: Start) -> None:
    """It is an error of the connection, as with requests' own adapter."""
    session = open_session()
    with pytest.raises(requests.ConnectionError, match="refused"):
        session.get("http://127.0.0.1:1/", proxies=through(f"socks5://{proxy().address}"))
    guarded = proxy(user=b"somebody").address
    for credentials in ("", "nobody:secret@"):
        with pytest.raises(requests.ConnectionError, match="SOCKS5"):
            session.get("http://127.0.0.1/", proxies=through(f"socks5://{credentials}{guarded}"))


def test_no_socks5(open_session: Open) -> None:
    service = Service(lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    with closing(service), pytest.raises(requests.ConnectionError, match="SOCKS5"):
        open_session().get(
            "http://127.0.0.1/", proxies=through(f"socks5://127.0.0.1:{service.port}")
        )


def test_socks4_is_not_known(open_session: Open) -> None:
    with pytest.raises(requests.exceptions.InvalidSchema, match="socks5"):
        open_session().get("http://127.0.0.1/", proxies=through("socks4://127.0.0.1:1"))


def test_socks_without_its_package(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(requests.exceptions.InvalidSchema, match=r"mphttp\[socks\]"):
        open_session().get("http://127.0.0.1/", proxies=through("socks5://127.0.0.1:1"))
