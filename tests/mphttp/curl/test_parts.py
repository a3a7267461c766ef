"""What further connections are told of a request of libcurl's."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from mphttp.curl import CurlRequest
from mphttp.curl.message import Message
from mphttp.curl.parts import endpoint_of, obstacle, sent_by
from mphttp.curl.settings import Settings
from mphttp.curl.url import read

SECRETS = {"Authorization": "Bearer x", "Cookie": "a=b", "Host": "other.example", "X": ""}
URL = "http://one.example:8080/a;b/../c?d=e&f"


def message(url: str, **options: Any) -> Message:
    return Message.of(CurlRequest(url, **options))


def test_a_request_as_libcurl_sends_it() -> None:
    sent = sent_by(message(f"{URL}#g"))
    assert sent.headers == [(b"Host", b"one.example:8080")]
    assert sent.target == b"/a;b/../c?d=e&f"
    assert (sent.scheme, sent.host, sent.port) == (b"http", b"one.example", 8080)


def test_a_host_of_the_caller_s() -> None:
    sent = sent_by(message(URL, headers=SECRETS))
    assert dict(sent.headers)[b"Host"] == b"other.example"
    assert dict(sent.headers)[b"Authorization"] == b"Bearer x"


@pytest.mark.parametrize(
    ("url", "proxy", "why"),
    [
        ("http://one.example/", None, ""),
        ("http://one.example/", "proxy.example:3128", ""),
        ("http://one.example/", "socks5h://proxy.example", ""),
        ("http://[::1]/", "socks5://proxy.example", ""),
        ("http://one.example/", "socks5://proxy.example", "socks5://"),
        ("http://one.example/", "socks4://proxy.example", "socks4://"),
        ("http://one.example/", "https://proxy.example", "https://"),
    ],
)
def test_what_only_libcurl_can_do(url: str, proxy: str | None, why: str) -> None:
    told = obstacle(Settings(proxy=proxy), read(url))
    assert why in told
    assert bool(told) is bool(why)


def test_a_proxy() -> None:
    """Its port is libcurl's own default."""
    settings = Settings(proxy="http://me:s%20x@proxy.example", proxy_headers=[("A", "b")])
    proxy = endpoint_of(settings, sent_by(message(URL))).route.proxy
    assert proxy is not None
    assert (proxy.scheme, proxy.host, proxy.port) == ("http", "proxy.example", 1080)
    assert proxy.auth == (b"me", b"s x")
    assert proxy.headers == ((b"A", b"b"),)


def test_whom_further_connections_trust(tmp_path: Path) -> None:
    """Those whom libcurl trusts, and nobody else."""
    authority = trustme.CA()
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    own = authority.issue_cert("me.example")
    own.private_key_and_cert_chain_pem.write_to_path(tmp_path / "own.pem")
    context = Settings(verify=file, cert=str(tmp_path / "own.pem")).context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
    assert Settings(verify=False).context.verify_mode is ssl.CERT_NONE
    with pytest.raises(OSError, match="No such file"):
        _ = Settings(verify=tmp_path / "missing.pem").context
