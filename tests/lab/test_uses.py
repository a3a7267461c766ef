"""The uses that the paper names, over two real paths, with real faults."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from mphttp import FullMesh, Refresh, Report
from mphttp.kernel import findings
from mphttp.kernel.path_manager.control import NetlinkControl
from mphttp.kernel.readonly.control import ConnectionControl
from mphttp.lab import LabClient, names
from mphttp.strategies import (
    Background,
    CheapestFirst,
    DropSlow,
    Handover,
    HandshakeOn,
    Mark,
    NDiffPorts,
)

from .downloads import Fault, carried, carries, download, fetch, make_client, url
from .test_faults import reset
from .test_options import sent_on

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 4_000_000
HALF = carries("wifi", SIZE // 4)
_ETH_P_ALL = 3
_END_OF_OPTIONS, _NO_OPERATION, _MPTCP, _REMOVE_ADDR = 0, 1, 30, 4
SECOND_ADDRESS, SECOND_PORT = "10.78.0.9", 9009


def ended(report: Report, path: str) -> bool:
    """Tell whether every subflow on a path was closed before the response ended."""
    on_path = [subflow for subflow in report.subflows if subflow.path == path]
    assert on_path
    return all(s.closed_at is not None and s.closed_at < report.seconds for s in on_path)


class TestHandover:
    @pytest.mark.parametrize("standby", [False, True])
    def test_a_silent_path_is_left_for_another(self, lab: LabClient, standby: bool) -> None:
        """Nobody is told that the packets vanish; the rest comes over LTE, and Wi-Fi is closed."""
        fault = Fault(HALF, lambda: lab.blackhole("wifi"))
        report = download(Handover(standby=standby), url(SIZE), fault)
        assert carried(report, "lte") > SIZE / 2
        assert ended(report, "wifi")
        assert report.problems == ()

    def test_the_server_is_told_which_path_is_dead(self, lab: LabClient) -> None:
        """The address with the identifier 0, which the connection began with, is withdrawn."""
        with seen("lte") as packets:
            download(Handover(), url(SIZE), Fault(HALF, lambda: lab.blackhole("wifi")))
        assert withdrawn(packets) == {0}

    def test_where_nothing_can_be_withdrawn_the_dead_path_is_closed(
        self, lab: LabClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As with a broker: the strategy doesn't notice, and the report has no problem."""
        monkeypatch.setattr(NetlinkControl, "withdraw", ConnectionControl.withdraw)
        with seen("lte") as packets:
            report = download(Handover(), url(SIZE), Fault(HALF, lambda: lab.blackhole("wifi")))
        assert withdrawn(packets) == set()
        assert ended(report, "wifi")
        assert report.problems == ()

    def test_an_interface_that_goes_is_left_for_another(self, lab: LabClient) -> None:
        """It is told, also to a strategy that has asked for nothing yet: `within` isn't spent."""
        report = download(Handover(20), url(SIZE), Fault(HALF, lambda: lab.cut("wifi")))
        assert carried(report, "lte") > SIZE / 2
        assert [event.kind for event in report.events].count("path_lost") == 1
        assert report.seconds < 10

    def test_the_only_subflow_that_is_reset_is_replaced(self, lab: LabClient) -> None:
        """As a middlebox might do: the connection lives on, and another carries the rest."""
        report = download(Handover(20), url(SIZE), Fault(HALF, lambda: reset(lab, "wifi")))
        assert len(report.subflows) == 2
        assert report.seconds < 10

    def test_a_standby_carries_nothing_while_the_first_path_works(self, lab: LabClient) -> None:
        report = download(Handover(10, standby=True), url(SIZE))
        assert [(s.path, s.backup) for s in report.subflows] == [("wifi", False), ("lte", True)]
        assert carried(report, "lte") < SIZE / 50

    def test_a_slow_server_loses_nothing(self, lab: LabClient) -> None:
        """It pauses longer than `within` again and again; whatever is opened for it, all comes."""
        download(Handover(0.1), url(200_000, kind="slow") + "?rate=100000")


def test_drop_slow_ends_a_subflow_at_a_twentieth_of_the_other(lab: LabClient) -> None:
    lab.change("lte", rate="1mbit")
    report = download(DropSlow(over=0.5), url(2 * SIZE))
    assert ended(report, "lte")
    assert carried(report, "wifi") > 0.95 * 2 * SIZE


def test_drop_slow_keeps_two_that_are_alike(lab: LabClient) -> None:
    report = download(DropSlow(over=0.3), url(2 * SIZE))
    assert not any(ended(report, path) for path in ("wifi", "lte"))


def kept(sniffer: socket.socket) -> Iterator[bytes]:
    """Read the packets that a packet socket has kept, the earliest first."""
    while select.select([sniffer], [], [], 0)[0]:
        yield sniffer.recv(65536)


@contextmanager
def seen(link: str) -> Iterator[list[bytes]]:
    """Collect all packets of a link meanwhile: more than a packet socket keeps."""
    packets: list[bytes] = []
    done = threading.Event()

    def read(sniffer: socket.socket) -> None:
        while not done.wait(0.005):
            packets.extend(kept(sniffer))
        packets.extend(kept(sniffer))

    with capture(link) as sniffer:
        reader = threading.Thread(target=read, args=[sniffer])
        reader.start()
        yield packets
        done.set()
        reader.join()


def segments(packets: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Read the TCP segments among packets: header, payload."""
    for packet in packets:
        if packet[0] >> 4 == 4 and packet[9] == socket.IPPROTO_TCP:
            segment = packet[(packet[0] & 15) * 4 :]
            length = (segment[12] >> 4) * 4
            yield segment[:length], segment[length:]


def options(header: bytes) -> Iterator[tuple[int, bytes]]:
    """Read the options of a TCP header: kind and value (RFC 9293, 3.1)."""
    left = header[20:]
    while left and left[0] != _END_OF_OPTIONS:
        length = 1 if left[0] == _NO_OPERATION else left[1]
        yield left[0], left[2:length]
        left = left[length:]


def withdrawn(packets: Iterable[bytes]) -> set[int]:
    """Read the identifiers of the addresses that REMOVE_ADDR withdrew (RFC 8684, 3.4.2)."""
    every = (option for header, _ in segments(packets) for option in options(header))
    values = (value for kind, value in every if kind == _MPTCP)
    return {number for v in values if v[0] >> 4 == _REMOVE_ADDR for number in v[1:]}


def handshakes(sniffer: socket.socket) -> int:
    """Count the segments that begin with a TLS handshake record (RFC 8446, 5.1)."""
    return sum(payload[:2] == b"\x16\x03" for _, payload in segments(kept(sniffer)))


def capture(link: str) -> socket.socket:
    """Keep what comes and goes by a link."""
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    sniffer.bind((link, _ETH_P_ALL))
    return sniffer


def test_the_handshake_on_one_path_and_the_body_on_the_other(lab: LabClient) -> None:
    """The packets say so: both hellos are on LTE alone; and the body comes over Wi-Fi."""
    with capture("wifi") as wifi, capture("lte") as lte:
        report = download(HandshakeOn("lte", then="wifi"), url(SIZE, origin=names.ORIGIN_TLS))
        assert handshakes(lte) >= 2
        assert handshakes(wifi) == 0
    first, second = report.subflows
    assert (first.path, first.initial, second.path) == ("lte", True, "wifi")
    assert carried(report, "wifi") > 0.95 * SIZE
    assert ended(report, "lte")


def test_after_the_handshake_the_connection_stays_on_the_other_path(lab: LabClient) -> None:
    with make_client(HandshakeOn("lte", then="wifi")) as client:
        fetch(client, url(SIZE, origin=names.ORIGIN_TLS))
        report = fetch(client, url(SIZE, origin=names.ORIGIN_TLS))
    assert [subflow.path for subflow in report.subflows] == ["wifi"]


def test_the_cheapest_path_carries_all_while_it_works(lab: LabClient) -> None:
    report = download(CheapestFirst({"wifi": 5, "lte": 1}), url(SIZE))
    assert [subflow.path for subflow in report.subflows] == ["lte"]


def test_the_costly_path_takes_over_and_hands_back(lab: LabClient) -> None:
    faults = [
        Fault(HALF, lambda: lab.cut("wifi")),
        Fault(carries("lte", SIZE // 8), lambda: lab.restore("wifi")),
    ]
    lab.change("lte", rate="8mbit")  # so that there is something left when Wi-Fi is back
    report = download(CheapestFirst({"wifi": 1, "lte": 5}), url(2 * SIZE), *faults)
    assert [subflow.path for subflow in report.subflows] == ["wifi", "lte", "wifi"]
    assert ended(report, "lte")


def test_the_background_stays_off_the_default_interface(lab: LabClient) -> None:
    before = lab.counters()["wifi"].up.syns
    report = download(Background(), url(SIZE))
    assert [subflow.path for subflow in report.subflows] == ["lte"]
    assert lab.counters()["wifi"].up.syns == before


def test_several_subflows_on_one_path(lab: LabClient) -> None:
    report = download(NDiffPorts(3), url(SIZE))
    assert [subflow.path for subflow in report.subflows] == ["wifi"] * 3
    assert len({subflow.local for subflow in report.subflows}) == 3


def test_what_one_strategy_opens_another_marks(lab: LabClient) -> None:
    """Where options of one subflow can't be set, the report says so, and the mesh works on."""
    (options,) = [finding for finding in findings() if finding.name == "subflow options"]
    with sent_on("wifi") as wifi, sent_on("lte") as lte:
        report = download(FullMesh() & Mark({"lte": "ef"}), url(SIZE))
    assert carried(report, "lte") > 0
    assert set(wifi) == {0}
    if options.ok:
        assert lte[46 << 2] > lte[0]
    else:
        assert options.meaning in report.problems[0].what


def test_rotation_moves_from_path_to_path(lab: LabClient) -> None:
    report = download(Refresh(SIZE // 4, rotate=True), url(SIZE))
    order = [subflow.path for subflow in report.subflows]
    assert order[:4] == ["wifi", "lte", "wifi", "lte"]
    assert min(carried(report, path) for path in ("wifi", "lte")) > SIZE / 4


@pytest.fixture
def second_address(lab: LabClient) -> Iterator[None]:
    """Give the server another address, which its kernel announces on every connection."""

    def run(*command: str) -> None:
        with lab.in_server(command) as process:
            assert process.wait() == 0

    run("ip", "address", "add", f"{SECOND_ADDRESS}/32", "dev", "lo")
    port = ("port", str(SECOND_PORT))
    run("ip", "mptcp", "endpoint", "add", SECOND_ADDRESS, *port, "id", "9", "signal")
    yield
    run("ip", "mptcp", "endpoint", "delete", "id", "9")
    run("ip", "address", "delete", f"{SECOND_ADDRESS}/32", "dev", "lo")


def test_an_announced_address_is_used(lab: LabClient, second_address: None) -> None:
    """As many pairs as the server's limit of two more subflows takes."""
    report = download(FullMesh(), url(SIZE), paths=["wifi"])
    remotes = [subflow.remote for subflow in report.subflows]
    assert remotes[0] == (names.SERVER_ADDRESS, names.PORT)
    assert remotes[1] == (SECOND_ADDRESS, SECOND_PORT)
    assert report.subflows[1].bytes_received > 0
