"""The page about events says what there is, and its examples work."""

from __future__ import annotations

import queue
import re
import select
import socket
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest

from mphttp.kernel import NetlinkMechanism, SocketAddress, Subflows
from mphttp.kernel.connection.event_stream import EventStream
from mphttp.kernel.connection_events import ConnectionEvent, SubflowOpened
from mphttp.kernel.events import AddressAnnounced
from mphttp.kernel.reading.info import IPPROTO_MPTCP

from .namespaces import Net, address_of, ip

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def example(number: int) -> dict[str, Any]:
    """The names that an example defines."""
    names: dict[str, Any] = {}
    exec(compile(BLOCKS[number], f"docs/events.md, example {number + 1}", "exec"), names)
    return names


def test_the_table_has_every_event_with_every_field() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE))
    kinds = {kind.__name__: kind for kind in get_args(ConnectionEvent)}
    assert rows.keys() == kinds.keys()
    for name, words in rows.items():
        named = set(re.findall(r"`(\w+)`", words)) - {"reason"}
        assert named == {field.name for field in fields(kinds[name])} - {"inferred"}


def test_the_first_example_tells(net: Net) -> None:
    client, served = net.connection()
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    names = example(0)
    began = threading.Event()
    events = Subflows.events

    def noticed(subflows: Subflows) -> EventStream:
        stream = events(subflows)
        began.set()
        return stream

    names["tell"].__globals__.update(print=told.put)
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(Subflows, "events", noticed)
        listener = threading.Thread(target=names["tell"], args=(client,))
        listener.start()
        assert began.wait(20)
    with Subflows(client) as subflows:
        second = subflows.open(net.paths[1], SocketAddress("10.0.2.2", 0))
        assert told.get(timeout=20) == f"subflow {second} from 10.0.2.1"
        subflows.close(1)
        assert told.get(timeout=20) == "subflow 1 ended: no error"
    client.close()
    served.close()
    listener.join()
    assert told.empty()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_second_example_uses_what_is_announced(net: Net, backend: str) -> None:
    client, _ = net.connection()
    use = example(1)["use_announced_addresses"]

    async def main() -> None:
        with anyio.fail_after(30), Subflows(client) as subflows, subflows.events() as stream:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(use, client, net.paths[1])
                await anyio.wait_all_tasks_blocked()
                with net.server():
                    ip("mptcp endpoint add 10.0.2.2 dev s2 id 7 signal")
                async for event in stream:
                    if isinstance(event, SubflowOpened):
                        assert event.tuple.remote.host == "10.0.2.2"
                        tasks.cancel_scope.cancel()
                        break

    anyio.run(main, backend=backend)


def test_the_third_example_is_in_time(net: Net, capsys: pytest.CaptureFixture[str]) -> None:
    """What the server announces when it is connected to is known."""
    with net.server():
        ip("mptcp endpoint add 10.0.2.2 dev s2 id 7 signal")
    everything = NetlinkMechanism()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    names = {"sock": sock, "server": address_of(net.listen())}
    connect, use, rest = BLOCKS[2].partition("with Subflows")
    exec(connect, names)
    while not any(isinstance(event, AddressAnnounced) for event in everything.events()):
        assert select.select([everything], [], [], 20)[0]
    exec(use + rest, names)
    assert "10.0.2.2" in capsys.readouterr().out
