"""How requests' connections are made: one limit for all of it, and TLS from the first byte."""

from __future__ import annotations

import ssl

import pytest
import requests

from mphttp.requests import MultipathAdapter
from tests.mphttp.network.peers import (
    STAGES,
    Forger,
    Trickle,
    half_dead,
    named,
    silent_names,
)

from .conftest import Open, Serve
from .servers import Keep, Server, answer
from .test_proxies import through

Secured = tuple[ssl.SSLContext, str]
"""What a server needs for TLS, and the file of who vouches for it."""


@pytest.fixture
def secured(context: ssl.SSLContext, authority: str) -> Secured:
    return context, authority


@pytest.mark.parametrize("after_hello", [False, True])
@pytest.mark.parametrize("scheme", ["http", "socks5", "https"])
def test_what_comes_before_tls_is_no_answer(
    session: requests.Session, keep: Keep, secured: Secured, scheme: str, after_hello: bool
) -> None:
    """A proxy could speak for the server else (CVE-2011-0411, CVE-2021-22947)."""
    context, authority = secured
    server = keep(Server(answer(b"genuine"), context=context))
    forger = keep(Forger(after_hello=after_hello, context=context if scheme == "https" else None))
    with pytest.raises(requests.ConnectionError):
        session.get(server.url, verify=authority, proxies=through(f"{scheme}://{forger.address}"))
    assert server.heads == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_one_limit_holds_for_all_of_connecting(
    open_session: Open,
    keep: Keep,
    secured: Secured,
    stage: tuple[str, bytes, bytes, bool],
) -> None:
    context, authority = secured
    way, begins, more, tls = stage
    peer = keep(Trickle(begins, more, context=context if tls else None))
    proxies = {} if way == "direct" else through(f"{way}://127.0.0.1:{peer.port}")
    with pytest.raises(requests.ConnectTimeout):
        open_session().get(
            f"https://127.0.0.1:{peer.port}/", verify=authority, proxies=proxies, timeout=(0.3, 30)
        )


@pytest.mark.parametrize("proxied", [False, True])
def test_a_silent_name_server_is_a_time_out(
    open_session: Open, keep: Keep, monkeypatch: pytest.MonkeyPatch, proxied: bool
) -> None:
    """Also where a name is looked up for a proxy that could do that itself."""
    proxy = keep(Forger(after_hello=False))
    proxies = through(f"socks5://{proxy.address}") if proxied else {}
    with silent_names(monkeypatch) as name, pytest.raises(requests.ConnectTimeout):
        open_session().get(f"http://{name}/", proxies=proxies, timeout=(0.2, 30))


def test_dead_addresses_cost_a_moment_each(
    open_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with half_dead(monkeypatch) as url:
        session = open_session()
        assert session.get(url).content == b"abc"
        session.close()


def test_a_read_has_its_own_time_afterwards(
    open_session: Open, serve: Serve, context: ssl.SSLContext, authority: str
) -> None:
    """What is left of the time for connecting is no limit for what comes then."""
    server = serve(answer(b"abc" * 100_000), context=context)
    with open_session().get(server.url, verify=authority, timeout=(5, 17), stream=True) as response:
        assert response.raw.connection.sock.gettimeout() == 17
        assert len(response.content) == 300_000


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_can_t_be_is_refused(open_session: Open, serve: Serve, port: int) -> None:
    """65536 more than a port that there is would reach it; requests itself drops 0 from a URL."""
    server = serve(answer(b"reached"))
    port = port and port + server.port
    session = open_session()
    if port:
        with pytest.raises(requests.exceptions.InvalidURL):
            session.get(f"http://127.0.0.1:{port}/")
    for scheme in ("http", "socks5"):
        with pytest.raises(requests.exceptions.InvalidURL):
            session.get(server.url, proxies=through(f"{scheme}://127.0.0.1:{port}"))
    assert server.heads == []


class Curious(MultipathAdapter):
    """Tells a proxy more than one line."""

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        return {"X-One": "1\r\nX-Two: 2"}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_line_break_for_a_proxy_is_refused(open_session: Open, serve: Serve, scheme: str) -> None:
    server = serve(answer(b"abc"))
    with pytest.raises(ValueError, match="line break"):
        open_session(adapter=Curious).get(f"{scheme}://127.0.0.1/", proxies=through(server.url))
    assert server.heads == []


@pytest.mark.parametrize("user", ["a%0Ab", "a%0D%0Ab", "a%00b"])
def test_a_line_break_in_credentials_is_refused(open_session: Open, user: str) -> None:
    with pytest.raises(requests.exceptions.InvalidProxyURL, match="line break"):
        open_session().get("http://127.0.0.1/", proxies=through(f"socks5://{user}:c@127.0.0.1:1"))


def test_a_name_that_socks5_has_no_room_for(open_session: Open, keep: Keep) -> None:
    proxy = keep(Forger(after_hello=False))
    name = ".".join(["a" * 60] * 5)
    with pytest.raises(requests.ConnectionError, match="no room for a name of 304 bytes"):
        open_session().get(f"http://{name}/", proxies=through(f"socks5h://{proxy.address}"))


def test_a_last_dot_is_no_part_of_the_certificate_s_name(
    open_session: Open,
    serve: Serve,
    secured: Secured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context, authority = secured
    server = serve(answer(b"abc"), context=context)
    asked: list[str | None] = []
    monkeypatch.setattr(context, "sni_callback", lambda _, name, __: asked.append(name))
    named(monkeypatch, {"localhost": ["127.0.0.1"]})
    session = open_session()
    url = f"https://localhost.:{server.port}/"
    assert session.get(url, verify=authority).content == b"abc"
    assert asked == ["localhost"]
    session.close()
