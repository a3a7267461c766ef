"""What is said of two real paths, on one of which something stands."""

from __future__ import annotations

import shutil
import socket
import subprocess

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.kernel import SocketAddress, paths_to
from mphttp.kernel.diagnosis.machine import counters
from mphttp.kernel.interfaces.source_routing import tables_for
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from tests.kernel.namespaces import Net, ip

from .two_paths import (
    DROP,
    DROP_JOIN,
    DROP_MPTCP,
    HOST,
    HOST6,
    PORT,
    RESET_JOIN,
    STRIP,
    Server,
    doctor,
    listener,
    portal,
    serve,
    stand,
    unstand,
)

URL = f"http://{HOST}/file"
PLAIN = socket.IPPROTO_TCP
needs_nft = pytest.mark.skipif(
    shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin") is None, reason="needs nft"
)


@pytest.mark.slow
@pytest.mark.parametrize("host", [HOST, f"[{HOST6}]"])
def test_all_is_well(net: Net, host: str) -> None:
    serve(net)
    said = doctor(f"http://{host}/file", "--json")
    assert said.code == 0
    assert said.json["ways"] == {"subflows": ["c1", "c2"], "ranges": ["c1", "c2"]}
    for path, other in (("c1", "c2"), ("c2", "c1")):
        (entry,) = (e for e in said.json["server"] if e["path"] == path)
        assert (entry["protocol"], entry["join"]["ok"], entry["join"]["base"]) == (
            "mptcp",
            True,
            other,
        )


def test_a_server_without_mptcp(net: Net) -> None:
    """It is to blame, ranges do, and there is nothing to join."""
    serve(net, protocol=PLAIN)
    said = doctor(URL)
    assert said.code == 0
    assert {"c1 join", "c2 join"}.isdisjoint(said.lines)
    for path in ("c1", "c2"):
        state, meaning, mend = said.lines[path]
        assert (state, "mptcpize" in mend) == ("optional", True)
        assert "middlebox" not in meaning
    assert said.lines["downloads"][1] == "over c1 and c2, by ranges (TCP)"


@needs_nft
@pytest.mark.parametrize("on", ["s1", "s2"])
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (STRIP, "a middlebox on this path takes it out"),
        (f"tcp flags & (syn | ack) == ack {STRIP}", "until data flows"),
        pytest.param(
            DROP_MPTCP,
            "a middlebox on this path doesn't let them through",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["strips", "strips from data", "drops"],
)
def test_a_middlebox_on_one_path(net: Net, rule: str, words: str, on: str) -> None:
    """The server isn't blamed, the other path is as it was, and the kernel keeps its MPTCP."""
    serve(net)
    stand(net, rule, on=on)
    said = doctor(URL)
    there, other = ("c1", "c2") if on == "s1" else ("c2", "c1")
    assert words in said.lines[there][1]
    assert "mptcpize" not in said.text
    assert said.lines[there][2].startswith("mphttp get --multipath ranges")
    assert said.lines[other][0] == said.lines[f"{other} join"][0] == "ok"
    assert said.lines[f"{there} join"][0] != "ok"
    assert said.code == 0  # ranges do
    assert counters()["MPCapableSYNTXDisabled"] == 0
    assert "blackhole" not in doctor().text


@needs_nft
@pytest.mark.parametrize(
    "rule", [RESET_JOIN, pytest.param(DROP_JOIN, marks=pytest.mark.slow)], ids=["resets", "drops"]
)
def test_a_middlebox_that_refuses_joins(net: Net, rule: str) -> None:
    """MPTCP itself works there, and only a real join tells."""
    serve(net)
    stand(net, rule)
    said = doctor(URL)
    assert said.lines["c2"][0] == said.lines["c1 join"][0] == "ok"
    assert said.lines["c2 join"][:1] == ("optional",)
    assert "`auto` takes MPTCP, over c1 alone" in said.lines["downloads"][1]


@pytest.mark.slow
@needs_nft
def test_a_path_that_is_dead(net: Net) -> None:
    serve(net)
    stand(net, DROP)
    said = doctor(URL)
    assert said.code == ExitCode.MISSING
    assert said.lines["c2"][1].endswith("doesn't answer: no answer within 5 s")
    assert "mphttp get --path c1" in said.lines["c2"][2]


@pytest.mark.slow
def test_strict_reverse_path_filtering_is_named_where_it_drops(net: Net) -> None:
    """And not where the best route is, nor on an interface that is no path."""
    serve(net)
    net.sysctl("net.ipv4.conf.all.rp_filter", 1)
    said = doctor(URL)
    assert said.lines["c2"][2] == "sudo sysctl -w net.ipv4.conf.c2.rp_filter=2"
    assert [name for name in said.lines if name.startswith("rp_filter")] == ["rp_filter c2"]
    net.sysctl("net.ipv4.conf.c2.rp_filter", 2)
    assert doctor(URL).code == 0


@pytest.mark.slow
@needs_nft
def test_a_kernel_that_has_turned_mptcp_off(net: Net) -> None:
    """Neither the server nor a path is blamed; what is said to mend it does."""
    serve(net)
    stand(net, DROP_MPTCP, on="s1")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as sock:
        sock.connect((HOST, PORT))  # by plain TCP in the end
    unstand(net)
    said = doctor(URL)
    state, _, mend = said.lines["blackhole"]
    assert state == "optional"
    assert said.lines["c1"][2] == said.lines["c2"][2] == mend
    assert "since this kernel has turned MPTCP off" in said.lines["c2"][1]
    name, value = mend.rpartition(" ")[2].split("=")
    net.sysctl(name, value)
    assert doctor(URL).lines["downloads"][1] == "over c1 and c2, by subflows (MPTCP)"


@pytest.mark.slow
@needs_nft
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"status": 302, "fields": {"Location": f"http://{HOST}:8081/"}}, "leads to http://"),
        ({"status": 200}, "brings 6 bytes"),
        ({"status": 403}, "answers with status 403"),
        ({"status": 511}, "asks for a login"),
    ],
    ids=["redirects", "answers", "refuses", "says so"],
)
def test_a_portal_on_one_path(net: Net, settings: dict, words: str) -> None:
    serve(net)
    portal(net)
    Server(listener(net, 8080, protocol=PLAIN), **settings)
    Server(listener(net, 8081, protocol=PLAIN))
    said = doctor(URL)
    assert said.code == ExitCode.MISSING
    state, meaning, mend = said.lines["c2 portal"]
    assert state == "missing"
    assert words in meaning
    assert "log in to the network of c2" in mend
    assert said.lines["c1"][0] == "ok"
    assert "over c1 alone" in said.lines["ranges"][1]


@pytest.mark.slow
def test_a_hundred_dead_paths(net: Net) -> None:
    """They are tried at the same time, each is named, and the paths that work are found."""
    serve(net)
    names = [f"d{n}" for n in range(100)]
    for n, name in enumerate(names):
        ip(
            f"link add {name} type veth peer name e{n}",
            f"address add 10.9.{n}.1/24 dev {name}",
            f"link set {name} up",
            f"link set e{n} up",
            f"neigh add 10.9.{n}.2 lladdr 02:00:00:00:00:01 dev {name}",
            f"route add default via 10.9.{n}.2 dev {name} metric {n + 1}",
        )
    said = doctor(
        URL, "--max-time", "50", terminal=True
    )  # one after the other takes ten times as long
    assert said.code == ExitCode.MISSING
    dead = [name for name, line in said.lines.items() if "no answer within" in line[1]]
    assert ", ".join(dead).split(", ") == names
    assert said.lines["c1"][0] == said.lines["c2 join"][0] == "ok"
    assert "not all could be tried" not in said.text
    assert "connecting over d0, c1, c2, d1 and 98 more" in said.err


def test_without_the_privilege(net: Net) -> None:
    """The nearest way is named; ranges do until then, and no join is tried."""
    serve(net, privileged=False)
    said = doctor(URL)
    assert said.code == 0
    assert said.lines["control"][0] == "optional"
    assert "the nearest: a broker" in said.lines["control"][1]
    assert "c2 join" not in said.lines
    assert said.lines["downloads"][1] == "over c1 and c2, by ranges (TCP)"


@pytest.mark.parametrize("host", [HOST, HOST6])
def test_the_commands_for_a_path_that_needs_a_routing_table(net: Net, host: str) -> None:
    """They are exact, and they mend it."""
    serve(net)
    (path,) = (p for p in paths_to(SocketAddress(host, PORT)) if p.name == "c2")
    (commands,) = tables_for([(path, host)])
    assert "via " in commands
    for command in commands.split("; "):
        subprocess.run(command.removeprefix("sudo ").split(), check=True)
    assert list(tables_for([(path, host)])) == []


def test_with_mptcp_switched_off(net: Net) -> None:
    serve(net)
    net.sysctl("net.mptcp.enabled", 0)
    said = doctor(URL)
    assert said.lines["mptcp"][2] == "sudo sysctl -w net.mptcp.enabled=1"
    assert said.lines["c1"][0] == "ok"
    assert "mptcpize" not in said.text
    assert said.code == 0


@pytest.mark.slow
def test_a_family_that_is_dead_on_a_path(net: Net) -> None:
    """The other one carries it, so that nothing is missing."""
    serve(net)
    with net.server():
        ip(f"address del {HOST6}/128 dev lo", "route add blackhole 2001:db8:ff::/64")
    said = doctor("http://two.families/file", names={"two.families": [HOST6, HOST]})
    assert said.code == 0
    assert HOST in said.lines["name"][1]
    assert HOST6 in said.lines["name"][1]
