"""Two modems of the same maker: both interfaces have the same address, and the device tells."""

from __future__ import annotations

import subprocess

import pytest

from mphttp.engine import Connection, Request, engine
from mphttp.kernel import SocketAddress, path_of, paths_to
from mphttp.kernel.path_manager.mechanism import NetlinkMechanism
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.network.dial import dial
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit
from mphttp.strategies import SinglePath
from tests.kernel.namespaces import Net, exchange, in_child, ip

HOST, OWN = "203.0.113.1", "192.168.8.100"


def two_modems(back: int) -> Net:
    """Give both links the same addresses; the server answers by one of them."""
    net = Net()
    net.start()
    for n in (1, 2):
        ip(f"address flush dev c{n}", f"address add {OWN}/24 dev c{n}")
        ip(f"route add default via 192.168.8.1 dev c{n} metric {n}")
    with net.server():
        ip(f"address add {HOST}/32 dev lo")
        for n in (1, 2):
            ip(f"address add 192.168.8.1/24 dev s{n}")
        ip(f"route add {OWN}/32 dev s{back}")
    return net


@pytest.mark.slow
@pytest.mark.parametrize("protocol", [0, IPPROTO_MPTCP], ids=["TCP", "MPTCP"])
@pytest.mark.parametrize(
    ("names", "used"), [(None, 1), (["c1"], 1), (["c2"], 2), (["c2", "c1"], 2)]
)
def test_the_report_names_the_device(protocol: int, names: list[str] | None, used: int) -> None:
    def connect() -> None:
        net = two_modems(used)
        place = HOST, net.listen(protocol=protocol).getsockname()[1]
        request = Request(
            "http://www.example/", SinglePath(), multipath="auto" if protocol else "off"
        )
        with request:
            sock = dial(*place, limit=TimeLimit(20), start=Start(names), plain=not protocol)
            connection = Connection(sock, engine, None if names is None else tuple(names))
        assert [record.path for record in connection.table.open()] == [f"c{used}"]
        connection.close(sock.close)

    in_child(connect)


def test_paths_are_told_by_device() -> None:
    def look() -> None:
        two_modems(1)
        found = paths_to(SocketAddress(HOST, 80))
        assert [(path.name, path.address) for path in found] == [("c1", OWN), ("c2", OWN)]
        assert path_of(OWN) == found[0]
        for path in found:
            assert path_of(OWN, device=path.index) == path
        assert path_of(OWN, remote=HOST) == found[0]
        ip("route del default dev c1")
        assert path_of(OWN, remote=HOST) == found[1]

    in_child(look)


def test_a_subflow_leaves_by_its_device() -> None:
    """Though the address that it has is the other one's, too."""

    def join() -> None:
        net = two_modems(1)
        client, served = net.connect(net.listen(), HOST)
        exchange(client, served)
        path = paths_to(SocketAddress(HOST, 80))[1]
        mechanism = NetlinkMechanism()
        control = mechanism.control(client)
        opened = control.open(path, SocketAddress(HOST, 0))
        assert opened.tuple.local.host == OWN
        shown = subprocess.run(
            ["ss", "-tn", "state", "syn-sent"], capture_output=True, text=True, check=True
        )
        assert f"{OWN}%c2:{opened.tuple.local.port}" in shown.stdout
        mechanism.close()

    in_child(join)
