from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.get.proxies import Proxies, chosen_proxies, excepted

HTTP = httpx.URL("http://example.org/")
HTTPS = httpx.URL("https://example.org/")


def of(environ: dict[str, str], proxy: str | None = None, noproxy: str | None = None) -> Proxies:
    return chosen_proxies(proxy, noproxy, environ)


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": "http://p:1"}, "http://p:1", None),
        ({"https_proxy": "p:1"}, None, "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, None, "http://p:1"),
        ({"HTTPS_PROXY": "p:1", "https_proxy": "p:2"}, None, "http://p:2"),
        ({"all_proxy": "p:1"}, "http://p:1", "http://p:1"),
        ({"ALL_PROXY": "p:1", "http_proxy": "p:2"}, "http://p:2", "http://p:1"),
        ({"all_proxy": "p:1", "no_proxy": "example.org"}, None, None),
        ({"all_proxy": "p:1", "NO_PROXY": "*"}, None, None),
        ({"http_proxy": ""}, None, None),
    ],
)
def test_the_environment(environ: dict[str, str], http: str | None, https: str | None) -> None:
    proxies = of(environ)
    assert (proxies.of(HTTP), proxies.of(HTTPS)) == (http, https)


def test_http_proxy_in_capitals_is_whoever_called_a_cgi_program() -> None:
    assert of({"HTTP_PROXY": "http://evil:1"}).of(HTTP) is None


def test_x_takes_the_place_of_the_environment_and_is_none_if_empty() -> None:
    environ = {"all_proxy": "p:1"}
    assert of(environ, "q:2").of(HTTPS) == "http://q:2"
    assert of(environ, "").of(HTTPS) is None


@pytest.mark.parametrize("without", ["example.org", "*"])
def test_a_proxy_by_x_is_used_whatever_no_proxy_says_but_not_noproxy(without: str) -> None:
    environ = {"no_proxy": without, "all_proxy": "p:1"}
    assert of(environ).of(HTTP) is None
    assert of(environ, "q:2").of(HTTP) == "http://q:2"
    assert of(environ, "q:2", without).of(HTTP) is None
    assert of(environ, "q:2", "example.com").of(HTTP) == "http://q:2"
    assert of(environ, "q:2", "").of(HTTP) == "http://q:2"


@pytest.mark.parametrize(
    ("host", "without", "is_excepted"),
    [
        ("example.org", "example.org", True),
        ("www.example.org", "example.org", True),
        ("www.example.org", ".example.org", True),
        ("example.org", ".example.org", True),
        ("EXAMPLE.org.", "Example.Org", True),
        ("notexample.org", "example.org", False),
        ("example.org", "www.example.org", False),
        ("localhost", "a b,localhost", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "1.2.3", False),
        ("::1", "[::1]", True),
        ("fe80::1", "fe80::/10", True),
        ("10.1.2.3", "::/0", False),
        ("anything", "*", True),
        ("anything", "*,other", False),
        ("anything", ".", False),
        ("127.1", "127.0.0.1", True),
        ("0x7f.1", "127.0.0.0/8", True),
        ("0177.0.0.1", "127.0.0.1", True),
        ("2130706433", "127.0.0.1", True),
        ("127.0.0.1.", "127.0.0.1", True),
        ("127.0.0.1", "127.1", True),
        ("128.1", "127.0.0.1", False),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("::1", "0:0::1", True),
        ("::ffff:127.0.0.1", "127.0.0.0/8", True),
        ("FE80::1%25lo", "fe80::1", True),
        ("fe80::1", "[fe80::]/10", True),
        ("localhost.", "LOCALHOST", True),
        ("xn--bcher-kva.example", "b\u00fccher.example", True),
        ("www.xn--bcher-kva.example", ".B\u00dcCHER.example", True),
        ("example.org", "example.org:80", True),
        ("example.org", "example.org:8080", False),
        ("10.1.2.3", "10.1.2.3:80", True),
        ("10.1.2.3", "10.1.2.3:81", False),
        ("::1", "[::1]:80", True),
        ("::1", "[::1]:81", False),
        ("1", "0.0.0.1", True),
        ("a.b", "b.", True),
    ],
)
def test_hosts_without_a_proxy(host: str, without: str, is_excepted: bool) -> None:
    proxies = of({"all_proxy": "p:1", "no_proxy": without})
    assert excepted(host, proxies.without, 80) == is_excepted


@given(st.text(max_size=20), st.lists(st.text(max_size=20)))
def test_no_list_whatsoever_is_a_bug(host: str, without: list[str]) -> None:
    excepted(host, tuple(without))


@pytest.mark.parametrize(
    "proxy", ["ftp://p:1", "http://", "http://p:port", "p:0", "p:65536", "socks4://p", "u:s/e@p"]
)
def test_what_is_no_proxy_is_said_if_it_is_needed(proxy: str) -> None:
    proxies = of({"https_proxy": proxy})
    assert proxies.of(HTTP) is None
    with pytest.raises(Failure, match="is no proxy") as caught:
        proxies.of(HTTPS)
    assert caught.value.code == ExitCode.PROXY
    assert "s/e" not in str(caught.value)
    with pytest.raises(Failure, match="is no proxy"):
        of({}, proxy)
