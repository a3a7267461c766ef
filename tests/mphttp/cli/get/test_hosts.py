"""Hosts that aren't where the system would find them: the same by both backends and by curl."""

from __future__ import annotations

import socket

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.cli.get.settings.places import connected_to, resolved
from mphttp.network.hosts import Hosts, Instead

from .seen import BODY, Client, Seen
from .tunnel import Tunnel


@pytest.mark.parametrize("host", ["there.example", "*", "THERE.example"])
def test_an_address_of_ones_own(client: Client, seen: Seen, host: str) -> None:
    known = f"{host}:{seen.port}:127.0.0.1"
    done = client("--resolve", known, f"http://there.example:{seen.port}/a")
    assert done.out == BODY
    assert seen.requests[-1]["host"] == f"there.example:{seen.port}"


def test_the_last_word_on_an_address_counts(client: Client, seen: Seen) -> None:
    place = f"there.invalid:{seen.port}"
    words = ("--resolve", f"{place}:192.0.2.1", "--resolve", f"{place}:127.0.0.1")
    assert client(*words, f"http://{place}/").out == BODY


def test_another_place_for_a_connection(client: Client, seen: Seen) -> None:
    words = ("--connect-to", "other.example:80:x:1", "--connect-to", f"::127.0.0.1:{seen.port}")
    assert client(*words, "http://there.example/a").out == BODY
    assert seen.requests[-1]["host"] == "there.example"
    elsewhere = ("--connect-to", f"there.example:81:127.0.0.1:{seen.port}", "-m", "5")
    assert client(*elsewhere, "http://there.invalid/a").code == ExitCode.RESOLVE


def test_one_family_of_addresses(client: Client, seen: Seen) -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6) as only:
        six = f"http://[::1]:{only.getsockname()[1]}/"
        assert client("-4", six).code == ExitCode.CONNECT
    assert client("-4", seen.url).out == BODY
    assert client("-6", seen.url).code == ExitCode.CONNECT
    assert client("-6", "-4", seen.url).out == BODY


def test_a_tunnel_for_http_too(client: Client, tunnel: Tunnel, seen: Seen) -> None:
    words = ("-x", tunnel.url, "-p", "--proxy-header", "X-For: proxy", "-H", "X-For: server")
    assert client(*words, f"{seen.url}/a").out == BODY
    (asked,) = tunnel.asked
    assert asked[0] == f"CONNECT 127.0.0.1:{seen.port} HTTP/1.1"
    assert "X-For: proxy" in asked
    assert seen.requests[-1]["x-for"] == "server"


def test_a_proxy_leads_to_another_place_by_a_tunnel(
    client: Client, tunnel: Tunnel, seen: Seen
) -> None:
    words = ("-x", tunnel.url, "--connect-to", f"::127.0.0.1:{seen.port}")
    assert client(*words, "http://there.example/a").out == BODY
    assert tunnel.asked[0][0] == f"CONNECT 127.0.0.1:{seen.port} HTTP/1.1"


@pytest.mark.parametrize("text", ["a", "a:b:127.0.0.1", "a:80", "a:80:", "a:80:b", "-a:80:::1"])
def test_no_address_of_ones_own(text: str) -> None:
    with pytest.raises(ValueError, match=r"isn't HOST:PORT:ADDRESS|no IP address|none of 1"):
        resolved(text)


def test_how_addresses_are_written() -> None:
    assert resolved("A:80:[::1],127.0.0.1") == ("a", 80, ("::1", "127.0.0.1"))
    assert resolved("+a:80:::1") == ("a", 80, ("::1",))
    assert resolved("-a:80") == ("a", 80, ())
    assert connected_to("[::1]::b:90") == Instead("::1", 0, "b", 90)
    with pytest.raises(ValueError, match="none of 1"):
        connected_to(":99999::")


def test_where_connections_lead() -> None:
    hosts = Hosts(instead=(Instead("a", 80, "b", 0), Instead("", 80, "", 81)))
    assert hosts.leads_to("A", 80) == ("b", 80)
    assert hosts.leads_to("c", 80) == ("c", 81)
    assert hosts.leads_to("a", 90) == ("a", 90)
