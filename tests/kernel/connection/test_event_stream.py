"""The stream of a connection's events, on the real kernel."""

from __future__ import annotations

import queue
import random
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

import anyio
import pytest

from mphttp.kernel import (
    FourTuple,
    NetlinkMechanism,
    NoSuchSubflow,
    NotMultipath,
    NotSupported,
    OpenRefused,
    ReadonlyMechanism,
    SocketAddress,
    Subflows,
)
from mphttp.kernel import events as kernel
from mphttp.kernel.connection.event_stream import EventStream
from mphttp.kernel.connection_events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionEstablished,
    ConnectionEvent,
    EventsLost,
    InterfaceDown,
    InterfaceUp,
    LocalAddressAdded,
    LocalAddressRemoved,
    RetransmissionTimeout,
    SubflowClosed,
    SubflowOpened,
    SubflowPriority,
)
from mphttp.kernel.interfaces.monitor import InterfaceMonitor
from mphttp.kernel.path_manager.control import NetlinkControl

from ..namespaces import Net, exchange, ip

OTHER = SocketAddress("10.0.2.2", 0)
WAIT = 20.0


def until(stream: EventStream, kind: type[ConnectionEvent]) -> list[ConnectionEvent]:
    """Collect events up to the first of a kind."""
    seen: list[ConnectionEvent] = []
    while not any(isinstance(event, kind) for event in seen):
        event = stream.receive(WAIT)
        assert event is not None, seen
        seen.append(event)
    return seen


def live(before: Iterable[FourTuple], told: Iterable[ConnectionEvent]) -> set[FourTuple]:
    """Which subflows there are, if one believes the events."""
    pairs = set(before)
    for event in told:
        match event:
            case SubflowOpened():
                assert event.tuple not in pairs
                pairs.add(event.tuple)
            case SubflowClosed():
                pairs.discard(event.tuple)
            case _:
                pass
    return pairs


def drain(stream: EventStream) -> list[ConnectionEvent]:
    """Take all that is told by now."""
    told = []
    while event := stream.receive(0):
        told.append(event)
    return told


def test_the_life_of_a_connection(net: Net) -> None:
    """Established, a subflow opened and closed, another refused, closed: each once, in order."""
    client, served = net.connect(net.listen())
    with Subflows(client) as subflows, subflows.events() as stream:
        exchange(client, served)
        second = subflows.open(net.paths[1], OTHER)
        pair = subflows.tuple_of(second)
        subflows.close(second)
        with pytest.raises(OpenRefused):
            subflows.open(net.paths[1], SocketAddress("10.0.2.2", 9))
        told = [*until(stream, SubflowClosed), *until(stream, SubflowClosed)]
        assert told[:3] == [
            ConnectionEstablished(),
            SubflowOpened(second, pair),
            SubflowClosed(second, pair),
        ]
        assert isinstance(told[3], SubflowClosed)
        assert (told[3].error, told[3].reason) == (111, "Connection refused")
        client.close()
        served.close()
        assert list(stream) == [ConnectionClosed()]
        assert stream.receive(0) is None


def test_a_server_at_its_limit(net: Net) -> None:
    """Opened and then closed: the handshake works before the server says no."""
    with net.server():
        ip("mptcp limits set subflows 1")
    client, _ = net.connection()
    with Subflows(client) as subflows, subflows.events() as stream:
        subflows.open(net.paths[1], OTHER)
        with pytest.raises(OpenRefused):
            subflows.open(net.paths[0])
        opened, reopened, closed = until(stream, SubflowClosed)
        assert isinstance(opened, SubflowOpened)
        assert isinstance(reopened, SubflowOpened)
        assert isinstance(closed, SubflowClosed)
        assert opened.tuple != reopened.tuple == closed.tuple


def test_priority_is_told_to_the_side_that_is_asked(net: Net) -> None:
    client, served = net.connection()
    with Subflows(client) as subflows:
        second = subflows.open(net.paths[1], OTHER)
        with net.server(), EventStream(served) as stream, Subflows(served) as there:
            _, joined = there.ids()
            for backup in (True, False):
                subflows.set_backup(second, backup)
                told = until(stream, SubflowPriority)[-1]
                assert isinstance(told, SubflowPriority)
                assert (told.id, told.backup) == (joined, backup)


def test_an_announced_address_is_told_listed_and_used(net: Net) -> None:
    """A server with two addresses: the second is told and listed, and a subflow to it carries data.

    So that the announcement comes after the connection was made, the endpoint is added then.
    """
    client, served = net.connection()
    mechanism = NetlinkMechanism(every_connection=False)
    with Subflows(client, mechanism) as subflows, subflows.events() as stream:
        with net.server():
            ip("mptcp endpoint add 10.0.2.2 dev s2 id 7 signal")
        told = until(stream, AddressAnnounced)[-1]
        port = client.getpeername()[1]
        assert told == AddressAnnounced(7, SocketAddress("10.0.2.2", port))
        (announced,) = subflows.announced()
        assert announced == ("10.0.2.2", port)
        (first,) = subflows.ids()
        second = subflows.open(net.paths[1], announced)
        subflows.close(first)
        served.sendall(bytes(100_000))
        assert len(client.recv(100_000, socket.MSG_WAITALL)) == 100_000
        carried = {s.id: s.bytes_received for s in subflows.info().subflows}
        assert carried[second] >= 100_000
        with net.server():
            ip("mptcp endpoint delete id 7")
        assert until(stream, AddressRemoved)[-1] == AddressRemoved(7, announced)


def test_an_address_announced_at_once_is_known_to_a_mechanism_that_was_there(net: Net) -> None:
    """Linux announces in the handshake's wake: nobody has claimed the connection by then."""
    with net.server():
        ip("mptcp endpoint add 10.0.2.2 dev s2 id 7 signal")
    mechanism = NetlinkMechanism(every_connection=False)
    everything = NetlinkMechanism()
    others = [net.connection() for _ in range(3)]
    client, served = net.connect(net.listen())
    exchange(client, served)
    announced = 0
    while announced < 4:
        assert select.select([everything], [], [], WAIT)[0]
        announced += sum(
            isinstance(event, kernel.AddressAnnounced) for event in everything.events()
        )
    mechanism.events()  # as somebody else who uses it would
    with Subflows(client, mechanism) as subflows:
        assert subflows.announced() == [SocketAddress("10.0.2.2", client.getpeername()[1])]
    for other, _ in others:
        port = other.getpeername()[1]
        assert Subflows(other, mechanism).announced() == [SocketAddress("10.0.2.2", port)]


def test_events_of_other_connections_are_not_told(net: Net) -> None:
    mechanism = NetlinkMechanism(every_connection=False)
    net.connection()
    client, _ = net.connection()
    with Subflows(client) as subflows, EventStream(client, mechanism) as stream:
        other, _ = net.connection()
        with Subflows(other) as others:
            others.open(net.paths[1], OTHER)
        assert drain(stream) == []
        second = subflows.open(net.paths[1], OTHER)
        assert until(stream, SubflowOpened)[-1].id == second  # type: ignore[union-attr]


def test_events_that_somebody_else_read_are_found_by_looks(net: Net) -> None:
    """Two who share a mechanism take each other's events; the stream misses nothing for good."""
    client, _ = net.connection()
    mechanism = NetlinkMechanism(every_connection=False)
    control = mechanism.control(client)
    with EventStream(client, mechanism, look_every=0.01) as stream:
        subflow = control.open(net.paths[1], OTHER)
        events: list[kernel.Event] = []
        while not any(isinstance(event, kernel.SubflowEstablished) for event in events):
            assert select.select([mechanism], [], [], WAIT)[0]
            events += mechanism.events()
        told = until(stream, SubflowOpened)[-1]
        assert told == SubflowOpened(subflow.id, subflow.tuple, inferred=True)


def test_the_kernels_own_path_manager_is_told_too(net: Net) -> None:
    """Subflows that the kernel opens by itself are told like ours."""
    net.sysctl("net.mptcp.pm_type", 0)
    ip("mptcp limits set subflows 2", "mptcp endpoint add 10.0.2.1 dev c2 id 3 subflow")
    client, served = net.connect(net.listen())
    with Subflows(client) as subflows, subflows.events() as stream:
        exchange(client, served)
        opened = until(stream, SubflowOpened)[-1]
        assert isinstance(opened, SubflowOpened)
        assert opened.tuple.local.host == "10.0.2.1"
        assert opened.id in subflows.ids()


def test_without_events_looks_tell(net: Net) -> None:
    """Without the privilege to listen, opened and closed subflows are found by looking."""
    client, served = net.connect(net.listen())
    nothing = ReadonlyMechanism(NotSupported("nothing"))
    with Subflows(client) as subflows, EventStream(client, nothing, look_every=0.01) as stream:
        exchange(client, served)
        assert until(stream, ConnectionEstablished) == [ConnectionEstablished()]
        second = subflows.open(net.paths[1], OTHER)
        pair = subflows.tuple_of(second)
        assert until(stream, SubflowOpened) == [SubflowOpened(second, pair, inferred=True)]
        subflows.close(second)
        assert until(stream, SubflowClosed) == [SubflowClosed(second, pair, inferred=True)]
        client.close()
        assert list(stream) == [ConnectionClosed()]


@pytest.mark.slow
def test_a_retransmission_timeout_is_told(net: Net) -> None:
    """What is sent into a link that is cut isn't acknowledged: TCP_INFO tells."""
    client, _ = net.connection()
    with Subflows(client) as subflows, EventStream(client, look_every=0.01) as stream:
        with net.server():
            ip("link set s1 down")
        ip("neighbour replace 10.0.1.2 lladdr 02:00:00:00:00:01 dev c1 nud permanent")
        client.sendall(b".")
        first, second = (until(stream, RetransmissionTimeout)[-1] for _ in range(2))
        assert isinstance(first, RetransmissionTimeout)
        assert isinstance(second, RetransmissionTimeout)
        assert [first.id] == subflows.ids()
        assert first.count >= 1
        assert second.backoff > first.backoff


def test_interfaces_come_and_go(net: Net) -> None:
    """Down and up, and with them the addresses; told beside the connection's own events."""
    client, _ = net.connection()
    with Subflows(client) as subflows, subflows.events() as stream:
        drain(stream)  # the links' own IPv6 addresses come up by and by
        index = net.paths[1].index
        ip("link set c2 down")
        assert until(stream, InterfaceDown)[-1] == InterfaceDown("c2", index)
        ip("link set c2 up")
        assert until(stream, InterfaceUp)[-1] == InterfaceUp("c2", index)
        ip("address add 10.0.7.1/24 dev c2", "address del 10.0.7.1/24 dev c2")
        told = until(stream, LocalAddressRemoved)
        assert LocalAddressAdded(index, "10.0.7.1") in told
        assert told[-1] == LocalAddressRemoved(index, "10.0.7.1")
        ip("link delete c2")
        assert until(stream, InterfaceDown)[-1] == InterfaceDown("c2", index)


def test_lost_messages_about_interfaces_are_made_up_for(net: Net) -> None:
    """With a buffer for one message, what is different in the end is told after `EventsLost`."""
    monitor = InterfaceMonitor(receive_buffer=1)
    for n in range(50):
        ip(f"address add 10.0.7.{n}/32 dev c1")
    ip(*[f"address del 10.0.7.{n}/32 dev c1" for n in range(49)])
    told = [event for _ in range(3) for event in monitor.events()]
    assert EventsLost() in told
    hosts: set[str] = set()
    for event in told:
        match event:
            case LocalAddressAdded():
                hosts.add(event.host)
            case LocalAddressRemoved():
                hosts.remove(event.host)
            case _:
                pass
    assert {host for host in hosts if host.startswith("10.0.7.")} == {"10.0.7.49"}
    monitor.close()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_none_of_10000_changes_is_lost(net: Net) -> None:
    """Subflows are opened and closed while another thread reads: each is told both times."""
    client, _ = net.connection()
    control = NetlinkMechanism(every_connection=False).control(client)
    told: queue.SimpleQueue[ConnectionEvent] = queue.SimpleQueue()

    def read(stream: EventStream) -> None:
        for event in stream:
            if not isinstance(event, LocalAddressAdded):  # the links' own come by and by
                told.put(event)

    opened: Counter[FourTuple] = Counter()
    closed: Counter[FourTuple] = Counter()
    ids: list[int] = []
    with EventStream(client) as stream:
        reader = threading.Thread(target=read, args=(stream,))
        reader.start()
        while opened.total() + closed.total() < 10_000:
            with suppress(OpenRefused):  # a server that still counts the one before is at its limit
                subflow = control.open(net.paths[1], OTHER)
                ids.append(subflow.id)
            for kind in (SubflowOpened, SubflowClosed):
                event = told.get(timeout=WAIT)
                assert isinstance(event, kind)
                assert event.id in (ids[-1], None)
                assert not event.inferred
                (opened if kind is SubflowOpened else closed)[event.tuple] += 1
                with suppress(NoSuchSubflow):
                    control.close(subflow)
        assert told.empty()
        client.close()
        reader.join()
    assert opened == closed


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_tiny_buffer_loses_events_and_never_the_state(net: Net) -> None:
    """10,000 changes, read now and then: what the events add up to is what there is."""
    client, _ = net.connection()
    control = NetlinkMechanism(every_connection=False).control(client)
    chance = random.Random(1)
    lost = made = 0
    with EventStream(client, NetlinkMechanism(receive_buffer=1), look_every=0.01) as stream:
        believed = usable(control)
        while made < 10_000:
            for _ in range(chance.choice((1, 5, 50))):
                made += change(net, control, chance)
            told = drain(stream)
            while (there := usable(control)) != (believed := live(believed, told)):
                event = stream.receive(WAIT)
                assert event is not None, (there, believed)
                told = [event]
                lost += event == EventsLost()
            lost += told.count(EventsLost())
    assert lost > 100


def change(net: Net, control: NetlinkControl, chance: random.Random) -> int:
    """Open or close a subflow; return how many changes that was."""
    there = [s for s in control.info().subflows if not s.closed]
    with suppress(NoSuchSubflow, OpenRefused):
        if len(there) > chance.randrange(1, 8):
            control.close(chance.choice(there[1:]))
        else:
            control.open(chance.choice(net.paths), SocketAddress("10.0.1.2", 0))
        return 1
    return 0


def usable(control: NetlinkControl) -> set[FourTuple]:
    return {s.tuple for s in control.info().subflows if s.established}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_iteration(net: Net, backend: str) -> None:
    """`async for` waits without holding up the event loop, and ends with the connection."""
    client, _ = net.connection()
    told: list[ConnectionEvent] = []

    async def main() -> None:
        with Subflows(client) as subflows, subflows.events() as stream:
            async with anyio.create_task_group() as tasks:
                opened = anyio.Event()

                async def listen() -> None:
                    async for event in stream:
                        told.append(event)
                        opened.set()

                tasks.start_soon(listen)
                await anyio.wait_all_tasks_blocked()
                second = subflows.open(net.paths[1], OTHER)
                with anyio.fail_after(WAIT):
                    await opened.wait()
                    client.close()
        assert told[0] == SubflowOpened(second, told[0].tuple)  # type: ignore[union-attr]
        assert told[-1] == ConnectionClosed()

    anyio.run(main, backend=backend)


def test_a_stream_that_is_closed_ends(net: Net) -> None:
    """`Subflows` closes what it opened; a wait with a time limit ends without an event."""
    client, _ = net.connection()
    with Subflows(client) as subflows:
        stream = subflows.events()
        assert stream.receive(0.01) is None or stream.receive(0) is None
    assert list(stream) == []


def test_plain_connections_have_no_stream(net: Net) -> None:
    client, _ = net.connect(net.listen(protocol=socket.IPPROTO_TCP))
    with pytest.raises(NotMultipath):
        EventStream(client)
