"""What one may ask of a running lab, and the answers.

Requests are {"do": …}: `change` (link, and new values as in a link's description), `blackhole`,
`cut`, `restore` (link), `reset`, `counters`, and `server`, answered with a descriptor of the
server's network namespace. An answer with "what" in it is a refusal.
"""

from __future__ import annotations

import dataclasses
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pyroute2 import IPRoute, NetlinkError

from . import messages, names
from .errors import LabError
from .forwarder import Direction, Forwarder, packet_socket
from .network import Networks, plug_in, unplug, within
from .spec import Link, change


class Control:
    """The forwarder, and the requests that change its links while it runs.

    Made in the wire's network namespace.

    Args:
        links: as the lab began with them.
        networks: the lab's namespaces.
    """

    def __init__(self, links: list[Link], networks: Networks) -> None:
        self._networks = networks
        self._initial = {link.name: link for link in links}
        self._links = dict(self._initial)
        self._cut: set[str] = set()
        self._ways: dict[str, tuple[Direction, Direction]] = {}
        for index, link in enumerate(links):
            client, server = packet_socket(f"c{index}"), packet_socket(f"s{index}")
            up = Direction(client, server, link, seed=2 * index)
            down = Direction(server, client, link, seed=2 * index + 1)
            self._ways[link.name] = (up, down)
        self._forwarder = Forwarder([way for ways in self._ways.values() for way in ways])
        self._requests: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "change": self._change,
            "blackhole": self._blackhole,
            "cut": self._cut_link,
            "restore": self._restore,
            "reset": self._reset,
            "counters": self._counters,
        }

    def run(self) -> None:
        """Forward packets and answer requests until the owner is gone, which raises EOFError."""
        self._forwarder.run()

    def listen(self) -> None:
        """Take requests inside the client's and the server's namespaces.

        The address is abstract (unix(7)): each network namespace has its own, and no file is left.
        """
        for namespace in (self._networks.client, self._networks.server):
            with within(namespace):
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            listener.bind(messages.address(names.CONTROL_ADDRESS))
            listener.listen()
            self._forwarder.watch(listener, partial(self._accept, listener))

    def serve(self, sock: socket.socket, *, is_owner: bool = False) -> None:
        """Answer what comes from a socket; the lab ends with its owner's."""

        def handle() -> None:
            try:
                self._answer(sock)
            except (EOFError, OSError, ValueError):
                if is_owner:
                    raise EOFError from None
                self._forwarder.forget(sock)
                sock.close()

        self._forwarder.watch(sock, handle)

    def _answer(self, sock: socket.socket) -> None:
        request, _ = messages.receive(sock)
        if request.get("do") == "server":
            messages.send(sock, {}, [self._networks.server])
            return
        try:
            answer = self._requests[request["do"]](request)
        except LabError as error:
            answer = messages.refusal(error)
        except (KeyError, TypeError, NetlinkError) as error:
            answer = messages.refusal(LabError(f"The lab can't do {request}: {error!r}."))
        messages.send(sock, answer)

    def _accept(self, listener: socket.socket) -> None:
        self.serve(listener.accept()[0])

    def _link(self, request: dict[str, Any]) -> Link:
        try:
            return self._links[request["link"]]
        except KeyError as error:
            known = ", ".join(self._links)
            raise LabError(f"There is no link {error}.", f"one of {known}") from error

    def _change(self, request: dict[str, Any]) -> dict[str, Any]:
        self._set(change(self._link(request), **request["values"]))
        return {}

    def _blackhole(self, request: dict[str, Any]) -> dict[str, Any]:
        self._set(dataclasses.replace(self._link(request), loss=1.0))
        return {}

    def _cut_link(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._link(request).name
        for way in self._ways[name]:
            way.shaper.flush()
        with within(self._networks.client), IPRoute() as netlink:
            unplug(netlink, name)
        self._cut.add(name)
        return {}

    def _restore(self, request: dict[str, Any]) -> dict[str, Any]:
        name = self._link(request).name
        self._set(self._initial[name])
        if name in self._cut:
            with within(self._networks.client), IPRoute() as netlink:
                plug_in(netlink, list(self._links).index(name), name)
            self._cut.remove(name)
        return {}

    def _reset(self, _: dict[str, Any]) -> dict[str, Any]:
        for name, ways in self._ways.items():
            self._restore({"link": name})
            for way in ways:
                way.shaper.flush()
                way.clear_counters()
        return {}

    def _counters(self, _: dict[str, Any]) -> dict[str, Any]:
        return {
            name: [dataclasses.asdict(way.read_counters()) for way in ways]
            for name, ways in self._ways.items()
        }

    def _set(self, link: Link) -> None:
        self._links[link.name] = link
        for way in self._ways[link.name]:
            way.shaper.change(time.monotonic(), link)
