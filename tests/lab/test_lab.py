"""The lab from inside: its links do what their descriptions say, and change when they are told."""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import os
import socket
import ssl
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mphttp.lab import LabClient, LabError, names

pytestmark = pytest.mark.lab

IPPROTO_MPTCP = 262
SOL_MPTCP, MPTCP_INFO = 284, 1

# `mphttp lab run` makes these two if it isn't told others.
DELAYS = {"wifi": 0.02, "lte": 0.05}
ADDRESSES = {
    name: (names.client_address(index), names.client_address_v6(index))
    for index, name in enumerate(DELAYS)
}


@pytest.fixture(autouse=True)
def _known_links(lab: LabClient) -> None:
    """These tests know the links' numbers, whatever the lab was made with."""
    lab.change("wifi", rate="8mbit", delay="20ms", loss="0%", queue="100kB")
    lab.change("lte", rate="12mbit", delay="50ms", loss="0%", queue="150kB")


def connect(link: str, *, v6: bool = False, timeout: float = 20) -> socket.socket:
    """Connect over one link, with plain TCP."""
    family = socket.AF_INET6 if v6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.bind((ADDRESSES[link][v6], 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        sock.connect((os.environ[names.SERVER_V6 if v6 else names.SERVER], names.PORT))
    except BaseException:
        sock.close()
        raise
    return sock


def handshake(link: str, *, v6: bool = False) -> float:
    """Return the seconds that a TCP handshake takes over a link, the best of five."""

    def once() -> float:
        begin = time.monotonic()
        connect(link, v6=v6).close()
        return time.monotonic() - begin

    return min(once() for _ in range(5))


def fetch(url: str) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    assert parts.hostname
    client: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=os.environ[names.CA])
        client = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=30, context=context
        )
    else:
        client = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    client.request("GET", parts.path, headers={"Connection": "close"})
    return client.getresponse()


def checked(url: str) -> bytes:
    """Fetch a body and hold it against the server's own digest of it."""
    with fetch(url) as response:
        body = response.read()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{digest}:"
    return body


@pytest.mark.parametrize(
    "origin",
    [
        names.ORIGIN,
        names.ORIGIN_TLS,
        names.ORIGIN_PLAIN,
        names.ORIGIN_V6,
        names.ORIGIN_TLS_V6,
    ],
)
def test_every_origin_serves_what_its_digest_says(lab: LabClient, origin: str) -> None:
    assert len(checked(f"{os.environ[origin]}/bytes/100000")) == 100_000


def test_a_download_is_no_faster_than_the_link(lab: LabClient) -> None:
    begin = time.monotonic()
    checked(f"{os.environ[names.ORIGIN]}/bytes/1000000")
    assert time.monotonic() - begin >= 1_000_000 * 8 / 8e6


@pytest.mark.parametrize("link", ["wifi", "lte"])
@pytest.mark.parametrize("v6", [False, True])
def test_a_round_trip_takes_twice_the_delay(lab: LabClient, link: str, v6: bool) -> None:
    best = handshake(link, v6=v6)
    assert 2 * DELAYS[link] <= best < 3 * DELAYS[link]


def test_the_first_link_is_the_system_s_choice(lab: LabClient) -> None:
    checked(f"{os.environ[names.ORIGIN]}/bytes/1000")
    counters = lab.counters()
    assert counters["wifi"].up.syns == 1
    assert counters["lte"].up.packets == counters["lte"].down.packets == 0


def test_counters_count_packets_bytes_and_syns(lab: LabClient) -> None:
    with connect("lte") as sock:
        sock.sendall(b"GET /bytes/100000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while sock.recv(65536):
            """All of it."""
    lte = lab.counters()["lte"]
    assert lte.up.syns == 1
    assert lte.down.syns == 0
    assert lte.down.packets > 100_000 / 1500
    assert lte.down.bytes > 100_000
    assert lte.up.bytes < 10_000


def test_no_packet_is_larger_than_a_link_allows(lab: LabClient) -> None:
    checked(f"{os.environ[names.ORIGIN]}/bytes/300000")
    down = lab.counters()["wifi"].down
    assert down.bytes / down.packets <= 1500


def test_a_changed_rate_and_delay_hold_at_once(lab: LabClient) -> None:
    lab.change("wifi", rate="1mbit", delay="80ms")
    assert handshake("wifi") >= 0.16
    begin = time.monotonic()
    checked(f"{os.environ[names.ORIGIN]}/bytes/100000")
    assert time.monotonic() - begin >= 100_000 * 8 / 1e6
    lab.restore("wifi")
    lab.change("wifi", delay="1ms")
    assert handshake("wifi") < 0.16


def test_loss_loses_packets_and_tcp_mends_it(lab: LabClient) -> None:
    lab.change("wifi", loss="5%")
    checked(f"{os.environ[names.ORIGIN]}/bytes/500000")
    wifi = lab.counters()["wifi"]
    assert wifi.up.lost + wifi.down.lost > 0


def test_a_small_queue_drops_and_tcp_mends_it(lab: LabClient) -> None:
    lab.change("wifi", queue="8kB")
    checked(f"{os.environ[names.ORIGIN]}/bytes/500000")
    assert lab.counters()["wifi"].down.dropped > 0


def test_a_blackhole_answers_nothing_until_it_is_restored(lab: LabClient) -> None:
    lab.blackhole("wifi")
    with pytest.raises(TimeoutError):
        connect("wifi", timeout=0.5)
    assert lab.counters()["wifi"].up.lost >= 1
    lab.restore("wifi")
    connect("wifi").close()


@pytest.mark.parametrize("v6", [False, True])
def test_a_cut_link_is_down_until_it_is_restored(lab: LabClient, v6: bool) -> None:
    lab.cut("lte")
    assert "lte" not in routed_interfaces()
    with pytest.raises(OSError, match=r"unreachable|assign requested address"):
        connect("lte", v6=v6)
    lab.restore("lte")
    connect("lte", v6=v6).close()
    assert routed_interfaces() == ["wifi", "lte"]


def test_a_link_is_cut_only_once(lab: LabClient) -> None:
    lab.cut("lte")
    lab.cut("lte")
    lab.restore("lte")
    lab.restore("lte")
    connect("lte").close()


def routed_interfaces() -> list[str]:
    """Return the interfaces with an IPv4 default route that is in force, best first."""
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    defaults = [route for route in routes if route[1] == "00000000"]
    return [route[0] for route in sorted(defaults, key=lambda route: int(route[6]))]


def test_mptcp_reaches_the_origin(lab: LabClient) -> None:
    assert speaks_mptcp(names.PORT)


def test_the_plain_origin_makes_mptcp_fall_back(lab: LabClient) -> None:
    assert not speaks_mptcp(names.PORT_PLAIN)


def speaks_mptcp(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as sock:
        sock.settimeout(20)
        sock.connect((os.environ[names.SERVER], port))
        try:
            sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 8)
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            return False
        return True


def test_the_kernel_s_own_manager_carries_data_on_both_links(lab: LabClient) -> None:
    manager = Path("/proc/sys/net/mptcp/pm_type")
    before = manager.read_text()
    endpoint = [ADDRESSES["lte"][0], "dev", "lte"]
    manager.write_text("0")
    subprocess.run(["ip", "mptcp", "endpoint", "add", *endpoint, "subflow"], check=True)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as sock:
            download(sock, 1_000_000)
    finally:
        subprocess.run(["ip", "mptcp", "endpoint", "flush"], check=True)
        manager.write_text(before)
    counters = lab.counters()
    assert counters["lte"].up.syns == 1
    assert counters["wifi"].down.bytes > 100_000
    assert counters["lte"].down.bytes > 100_000


def download(sock: socket.socket, size: int) -> None:
    sock.settimeout(20)
    sock.connect((os.environ[names.SERVER], names.PORT))
    sock.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % size)
    received = 0
    while data := sock.recv(65536):
        received += len(data)
    assert received > size


SERVER = """
import os, socket
server = socket.create_server((os.environ["MPHTTP_LAB_SERVER"], 80))
print("listening", flush=True)
server.accept()[0].sendall(b"hello")
"""


def test_any_server_can_run_beside_the_origin(lab: LabClient) -> None:
    with lab.in_server([sys.executable, "-c", SERVER], stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline() == b"listening\n"
        with closing(socket.create_connection((os.environ[names.SERVER], 80), 20)) as sock:
            assert sock.recv(10) == b"hello"
        assert server.wait(20) == 0


def test_the_abort_of_an_mptcp_connection_is_a_reset(lab: LabClient) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as sock:
        sock.settimeout(20)
        sock.connect((os.environ[names.SERVER], names.PORT))
        sock.sendall(b"GET /abort/200000?at=50000 HTTP/1.1\r\nHost: a\r\n\r\n")
        received = bytearray()
        with pytest.raises(ConnectionResetError):
            read_into(received, sock)
    assert len(received.partition(b"\r\n\r\n")[2]) == 50_000


def read_into(received: bytearray, sock: socket.socket) -> None:
    while data := sock.recv(65536):
        received += data


def test_what_makes_no_sense_is_refused(lab: LabClient) -> None:
    with pytest.raises(LabError, match="no link 'dsl'") as caught:
        lab.cut("dsl")
    assert caught.value.hint == "one of wifi, lte"
    with pytest.raises(LabError, match="not a rate"):
        lab.change("wifi", rate="fast")
    lab.change("wifi", rate="8mbit")


def test_environment_names_the_links(lab: LabClient) -> None:
    assert os.environ[names.LINKS].split(",") == list(lab.counters())
    interfaces = {name for _, name in socket.if_nameindex()}
    assert set(lab.counters()) < interfaces
