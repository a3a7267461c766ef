"""The features, each of which answers in one word whether this kernel has it."""

from __future__ import annotations

import io
import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing

from mphttp import (
    Background,
    CheapestFirst,
    Deadline,
    DelayedByContentLength,
    FullMesh,
    Handover,
    KernelPathManager,
    Refresh,
    SinglePath,
    Strategy,
)
from mphttp.cli import main
from mphttp.cli.environment import Environment
from mphttp.kernel import KernelError, LeavesElsewhere, NetlinkMechanism, Subflows
from mphttp.kernel.broker.mechanism import BrokerMechanism
from mphttp.kernel.connection_events import SubflowClosed, SubflowOpened
from mphttp.kernel.probe import without_mptcp
from mphttp.kernel.reading.listing import SocketLister
from mphttp.strategies import DropSlow, HandshakeOn, Mark, NDiffPorts
from tests.kernel.namespaces import exchange, ip
from tests.lab.leaks import eventually
from tests.mphttp.broker.brokers import Broker

from .cells import Cell, no, yes
from .uplinks import OWN, Uplinks, download, in_uplinks

SIZE = 600_000
BOTH, FIRST = {"c1", "c2"}, {"c1"}
Feature = Callable[[], Cell]


def sockets() -> Cell:
    """MPTCP sockets."""
    told = without_mptcp()
    return yes() if told is None else no(told[1])


def six_calls(net: Uplinks) -> Cell:
    client, served = net.connected()
    with Subflows(client, NetlinkMechanism()) as subflows:
        (first,) = subflows.ids()
        second = subflows.open(net.paths[1])
        assert net.take_syns() == {"c2": 1}
        assert subflows.tuple_of(second).local.host == OWN["c2"]
        subflows.set_backup(second, True)
        subflows.set_backup(second, False)
        info = subflows.getsockopt(second, socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        assert info[0] == 1  # TCP_ESTABLISHED
        subflows.close(first)
        exchange(client, served)
        assert subflows.ids() == [second]
    return yes()


def interface(net: Uplinks) -> Cell:
    client, _ = net.connected()
    with Subflows(client, NetlinkMechanism()) as subflows:
        try:
            subflows.open(net.paths[1])
        except LeavesElsewhere as error:
            assert not net.take_syns()
            return no(error.hint)
        assert net.take_syns() == {"c2": 1}
    return yes()


def _backups(lister: SocketLister) -> dict[str, bool]:
    (listing,) = lister.connections()
    return {row.info.tuple.remote.host: row.backup for row in listing.subflows}


def backup(net: Uplinks) -> Cell:
    client, _ = net.connected()
    with Subflows(client, NetlinkMechanism()) as subflows:
        subflows.open(net.paths[1], backup=True)
        wanted = {OWN["c1"]: False, OWN["c2"]: True}
        with net.server(), closing(SocketLister()) as lister:
            eventually(lambda: _backups(lister), wanted)  # it comes after the handshake
    return yes()


def options(net: Uplinks) -> Cell:
    client, _ = net.connected()
    level, name, value = socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno"
    with Subflows(client, NetlinkMechanism()) as subflows:
        (first,) = subflows.ids()
        try:
            subflows.setsockopt(first, level, name, value)
        except KernelError as error:
            return no(error.hint)
        assert subflows.getsockopt(first, level, name, 16).startswith(value)
    return yes()


def events(net: Uplinks) -> Cell:
    client, _ = net.connected()
    with Subflows(client, NetlinkMechanism()) as subflows:
        stream = subflows.events()
        second = subflows.open(net.paths[1])
        assert next(e for e in stream if isinstance(e, SubflowOpened)).id == second
        subflows.close(second)
        assert next(e for e in stream if isinstance(e, SubflowClosed)).id == second
    return yes()


def announced(net: Uplinks) -> Cell:
    mechanism = NetlinkMechanism()  # before there is a connection
    with net.server():
        ip("mptcp endpoint add 10.0.2.2 signal")
    client, served = net.connected()
    with Subflows(client, mechanism) as subflows:
        while [address.host for address in subflows.announced()] != ["10.0.2.2"]:
            exchange(client, served)
            time.sleep(0.01)
    return yes()


def broker(net: Uplinks) -> Cell:
    there = Broker()
    client, served = net.connected()
    net.leave_privilege()
    with Subflows(client, BrokerMechanism(there.path)) as subflows:
        second = subflows.open(net.paths[1])
        assert net.take_syns() == {"c2": 1}
        subflows.set_backup(second, True)
        exchange(client, served)
        subflows.close(second)
    there.process.kill()
    return yes()


def endpoints(net: Uplinks) -> Cell:
    """The kernel's own path manager: unasked, nothing; by strategy `kernel`, all."""
    net.sysctl("net.mptcp.pm_type", 0)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    report = download(net, SinglePath(), SIZE)
    assert (report.protocol, set(net.take_syns())) == ("tcp", FIRST)
    report = download(net, KernelPathManager(), SIZE)
    assert report.protocol == "mptcp"
    assert set(net.take_syns()) == BOTH
    return yes()


def watch(net: Uplinks) -> Cell:
    client, _ = net.connected()
    with Subflows(client, NetlinkMechanism()) as subflows:
        subflows.open(net.paths[1])
        (shown,) = json.loads(_command("watch", "--once", "--json", str(os.getpid()))[1])[
            "connections"
        ]
    assert {row["path"] for row in shown["subflows"]} == BOTH
    return yes()


def doctor(net: Uplinks) -> Cell:
    """It says what a join then does, and with what mends it."""
    url = f"{net.serve()}/bytes/{SIZE}"
    code, text = _command("doctor", "--json", url)
    told = json.loads(text)
    joins = {entry["path"]: entry["join"] for entry in told["server"] if entry["join"]}
    elsewhere = [name for name, join in joins.items() if join["elsewhere"]]
    lacks = without_mptcp()
    by_subflows = set() if lacks else FIRST if elsewhere else BOTH
    assert set(told["ways"]["subflows"]) == by_subflows, told
    assert set(told["ways"]["ranges"]) == BOTH, told
    assert code == 0, told
    if lacks:
        mends = {finding["name"]: finding["mend"] for finding in told["findings"]}
        return yes(f"names {lacks[1]}") if mends["mptcp"] == lacks[1] else no("")
    if not elsewhere:
        return yes()
    hint = joins["c2"]["hint"]
    return yes(f"says that no subflow is opened on c2, and: {hint}") if hint else no("")


def ranges(net: Uplinks) -> Cell:
    report = download(net, FullMesh(), 4 * SIZE, multipath="ranges")
    syns = net.take_syns()
    assert set(syns) == BOTH, syns
    assert {s.path for s in report.subflows if s.bytes_received} == BOTH, report
    return yes()


def ranges_alone(net: Uplinks) -> Cell:
    """A server without MPTCP, as every server is to a kernel without it."""
    report = download(net, FullMesh(), SIZE, protocol=socket.IPPROTO_TCP)
    assert set(net.take_syns()) == BOTH
    assert report.mechanism == "ranges"
    return yes()


def strategy(made: Strategy, allowed: set[str], needed: set[str], size: int = SIZE) -> Feature:
    """Find out whether a strategy uses what it should, and no more.

    Args:
        made: the strategy.
        allowed: interfaces on which SYNs may leave.
        needed: those on which they do.
        size: of the body, in bytes.
    """

    def run(net: Uplinks) -> Cell:
        report = download(net, made, size)
        syns = set(net.take_syns())
        named = {subflow.path for subflow in report.subflows}
        assert syns <= allowed, f"SYNs on {syns}"
        # One may have left when the body was there, before anybody answered.
        assert named <= syns, f"the report says {named}, and SYNs left on {syns}"
        if not syns >= needed:
            return no("; ".join(p.hint for p in report.problems))
        return yes("by ranges" if report.mechanism == "ranges" else "")

    return in_uplinks(run)


def standby(net: Uplinks) -> Cell:
    """The second path carries next to nothing while the first one works."""
    # No hand-over is wanted, however long a translated machine takes a break.
    report = download(net, Handover(within=40, standby=True), 4 * SIZE)
    syns = set(net.take_syns())
    came = sum(s.bytes_received for s in report.subflows if s.path == "c2")
    assert came < 4 * SIZE / 20, f"{came} bytes came over the backup: {report.events}"
    if report.mechanism == "ranges":
        return yes("by ranges")
    return yes() if syns == BOTH else no("; ".join(p.hint for p in report.problems))


STRATEGIES: dict[str, Feature] = {
    "single": strategy(SinglePath(), FIRST, FIRST),
    "delayed, a small object": strategy(DelayedByContentLength(2 * SIZE), FIRST, FIRST),
    "delayed, a large object": strategy(DelayedByContentLength(SIZE // 2), BOTH, BOTH),
    "deadline, in no danger": strategy(Deadline(60), FIRST, FIRST),
    "deadline, in danger": strategy(Deadline(0.4), BOTH, BOTH),
    "fullmesh": strategy(FullMesh(), BOTH, BOTH),
    "refresh, over all paths": strategy(Refresh(SIZE, rotate=True), BOTH, BOTH, 4 * SIZE),
    "ndiffports": strategy(NDiffPorts(2), FIRST, FIRST),
    "cheapest": strategy(CheapestFirst(["c2", "c1"]), BOTH, {"c2"}),
    "background": strategy(Background("c1"), BOTH, {"c2"}),
    "handshake": strategy(HandshakeOn("c1", "c2"), BOTH, FIRST),
    "dropslow": strategy(DropSlow(), BOTH, BOTH),
    "mark": strategy(Mark("ef"), FIRST, FIRST),
}
CONTROL: dict[str, Feature] = {
    "a subflow on its own interface": in_uplinks(interface),
    "the same after `mphttp setup --routes`": in_uplinks(interface, tables=True),
    "the six calls": in_uplinks(six_calls, tables=True),
    "the backup flag": in_uplinks(backup, tables=True),
    "options of one subflow": in_uplinks(options),
    "events": in_uplinks(events, tables=True),
    "announced addresses": in_uplinks(announced),
    "the broker": in_uplinks(broker, tables=True),
    "in-kernel endpoints": in_uplinks(endpoints),
    "`mphttp watch`": in_uplinks(watch, tables=True),
}
"""What there isn't where no program can open subflows."""

FEATURES: dict[str, Feature] = {
    "MPTCP sockets": sockets,
    **CONTROL,
    "`mphttp doctor URL`": in_uplinks(doctor),
    "ranges, asked for": in_uplinks(ranges),
    "ranges, of a server without MPTCP": in_uplinks(ranges_alone),
    "handover with a standby": in_uplinks(standby),
    "handover with a standby, after `mphttp setup --routes`": in_uplinks(standby, tables=True),
    **{f"strategy {name}": feature for name, feature in STRATEGIES.items()},
}


def _command(*arguments: str) -> tuple[int, str]:
    out = io.BytesIO()
    code = main([*arguments], Environment(io.BytesIO(), out, io.StringIO(), {}, lambda _: ""))
    return code, out.getvalue().decode()
