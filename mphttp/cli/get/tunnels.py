"""Tunnels through a proxy that wants to know who asks, by Digest or what it offers.

The proxy's word (RFC 9110, 11.7) comes before there is a connection to the origin: so it is no
answer to a request, but a failure to connect, after which the same request is tried by a tunnel
that is asked for anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import count

import httpx

from .authentication import MOST_STALE, PROXY, Asked
from .verbose import proxy_head

Trace = Callable[[str, Mapping[str, object]], object]
Answer = tuple[str, str] | None
"""The field that the proxy is told, or None."""


class AskedTunnel(httpx.BaseTransport):
    """Reaches one place by tunnels, and tells the proxy who asks when it wants to know.

    Args:
        make: makes a transport whose proxy is told a field.
        asked: answers the proxy.
        target: the place, as the proxy is asked for it.
    """

    def __init__(
        self, make: Callable[[Answer], httpx.BaseTransport], asked: Asked, target: str
    ) -> None:
        self._make = make
        self._asked = asked
        self._target = target
        self._made = [make(None)]
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        given = request.extensions
        try:
            return self._handle(request, given.get("trace"))
        finally:
            request.extensions = {**request.extensions, "trace": given.get("trace")}

    def _handle(self, request: httpx.Request, trace: Trace | None) -> httpx.Response:
        for tried in count():
            heard: list[bytes] = []

            def listen(event: str, told: Mapping[str, object], heard: list[bytes] = heard) -> None:
                heard.append(proxy_head(event, told))
                if trace is not None:
                    trace(event, told)

            request.extensions = {**request.extensions, "trace": listen}
            transport = self._made[-1]
            try:
                return transport.handle_request(request)
            except httpx.TransportError:
                answer = _response(b"".join(heard))
                if answer is None or tried == MOST_STALE:
                    raise
                if not self._renew(transport, answer, again=tried > 0):
                    raise
        raise AssertionError  # it goes on until something is returned or raised

    def _renew(
        self, transport: httpx.BaseTransport, answer: httpx.Response, *, again: bool
    ) -> bool:
        """Answer the proxy from here on; return whether that can be done."""
        with self._lock:
            if transport is not self._made[-1]:  # somebody has, meanwhile
                return True
            connect = httpx.Request(
                "CONNECT", "http://proxy", extensions={"target": self._target.encode()}
            )
            if not self._asked.take(answer, connect, again=again):
                return False
            self._made.append(self._make((PROXY.told, connect.headers[PROXY.told])))
            return True

    def close(self) -> None:
        for transport in self._made:
            transport.close()


def _response(head: bytes) -> httpx.Response | None:
    """Return what a proxy said, if it wants to know who asks."""
    status, *lines = head.decode("latin-1").splitlines() or [""]
    if status.split(" ")[1:2] != [str(PROXY.status)]:
        return None
    fields = [line.partition(":") for line in lines if ":" in line]
    return httpx.Response(PROXY.status, headers=[(n.strip(), v.strip()) for n, _, v in fields])
