"""A connection that brings parts of a body: HTTP/1.1 over one path (mphttp.ranges.link)."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import h11

from mphttp.http.cycle import ConnectionLost, Cycle
from mphttp.kernel.values import Path, SocketAddress
from mphttp.network.candidates import Candidate
from mphttp.network.channel import PlainChannel
from mphttp.network.dial import connect, on_link, unconnected
from mphttp.network.dialer import Dialer
from mphttp.network.endpoint import Endpoint
from mphttp.network.errors import SystemErrors
from mphttp.network.names import absolute
from mphttp.network.route import Route
from mphttp.network.stream import MultipathStream
from mphttp.network.time_limit import TimeLimit

from .link import Ended, Refused
from .resource import Resource, by_name, refusal_of
from .sharing import Sent

_CONNECT_TIMEOUT = 5.0
"""Seconds, as for a subflow (kernel.connection.establishment)."""
_READ = 65536
_NO_PATH, _NOWHERE = Path("", 0, ""), SocketAddress("", 0)


@dataclass(frozen=True)
class _PathDialer(Dialer):
    """Connects over one path to one address.

    Args:
        path: where it leaves.
        remote: where it leads.
        began: told of the socket before it connects.
    """

    path: Path = _NO_PATH
    remote: SocketAddress = _NOWHERE
    began: Callable[[socket.socket], None] = lambda _: None

    def connect(self, route: Route, limit: TimeLimit) -> MultipathStream:  # noqa: ARG002  its end is known
        family = socket.AF_INET6 if ":" in self.remote.host else socket.AF_INET
        candidate = Candidate(family, on_link(*self.remote, self.path), self.path)
        sock = unconnected(candidate, None, self.options, plain=True)
        self.began(sock)
        connect(sock, candidate.address, limit)
        return MultipathStream(PlainChannel(sock), None, self.errors)


class _Part:
    """A part that was asked for."""

    def __init__(self, start: int, stop: int) -> None:
        self.bounds = (start, stop)
        self.cycle = Cycle(b"GET")
        self.asked = False
        self.begun = False


class PartLink:
    """Fetches parts over one path, one after the other, the next asked for before one ends.

    Args:
        sent: the request whose response this is to help.
        endpoint: tells how that one's origin is reached; called in the thread that connects.
        resource: what parts are of.
        path: where it leaves.
        remote: address of the server, or of the proxy before it.
    """

    def __init__(
        self,
        sent: Sent,
        endpoint: Callable[[], Endpoint],
        resource: Resource,
        path: Path,
        remote: SocketAddress,
    ) -> None:
        self._sent = sent
        self._endpoint = endpoint
        self._resource = resource
        self._path = path
        self._remote = remote
        self._route: Route | None = None
        self._stream: MultipathStream | None = None
        self._raw: socket.socket | None = None
        self._parts: deque[_Part] = deque()
        self._brought = False
        self._last = False  # the server ends the connection that there is after this part
        self._one_each = False  # it does so with each, after the first
        self._aborted = False

    @property
    def sock(self) -> socket.socket | None:
        """The socket, once there is one."""
        return self._raw

    def _began(self, sock: socket.socket) -> None:
        self._raw = sock
        if self._aborted:
            sock.close()
            raise OSError("it was given up")

    def connect(self) -> None:
        """Connect, with TLS and through a proxy where the first response came so."""
        self._parts.clear()
        self._brought = self._last = False
        endpoint = self._endpoint()
        dialer = _PathDialer(
            SystemErrors(),
            None,
            None,
            endpoint.dialer.options,
            plain=True,
            path=self._path,
            remote=self._remote,
            began=self._began,
        )
        self._route = endpoint.route
        with self._os_errors():
            self._stream = replace(endpoint, dialer=dialer).connect(_CONNECT_TIMEOUT)
        self._raw = self._stream.get_extra_info("socket")

    def ask(self, start: int, stop: int) -> None:
        """Ask for a part."""
        assert self._stream is not None
        part = _Part(start, stop)
        head = part.cycle.request(*self._request(start, stop))
        # What came while nothing was asked for is no answer to this (RFC 9112, section 9.2).
        idle = self._brought and not self._parts
        self._last = self._last or (idle and (self._stream.ahead or self._stream.is_readable()))
        if not (self._last or (self._one_each and self._parts)):
            part.asked = True
            # If the server has ended the connection, reading tells whether that is an error.
            with self._os_errors(), contextlib.suppress(OSError):
                self._stream.write(head + part.cycle.end())
        self._parts.append(part)

    def _request(self, start: int, stop: int) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """Return target and fields of a request for a part."""
        assert self._route is not None
        sent, headers = self._sent, list(self._resource.request_headers(start, stop))
        if not self._route.forwarded:
            return sent.target, headers
        return self._route.to_proxy(
            absolute(sent.scheme, sent.host, sent.port, sent.target), headers
        )

    def read(self) -> bytes:
        """Return the next bytes of the oldest part that isn't whole."""
        part = self._parts[0]
        with self._os_errors():
            if not part.begun:
                self._begin(part)
            data = self._next_of_body(part)
        if not part.cycle.remaining:
            self._parts.popleft()
            self._brought = True
        return data

    def _next_of_body(self, part: _Part) -> bytes:
        assert self._stream is not None
        assert part.cycle.remaining is not None
        try:
            data = self._stream.read(min(_READ, part.cycle.remaining))
            part.cycle.came(data)
        except (ConnectionLost, OSError):
            if self._asked_too_much():
                raise Ended from None
            raise
        return data

    def _asked_too_much(self) -> bool:
        """Return whether a request that its server won't read may have broken the connection.

        The kernel there resets it then, and loses what was on its way (RFC 9112, section 9.6).
        """
        unsure = self._last or not self._brought  # whether the connection outlasts this part
        if self._aborted or not (unsure and any(other.asked for other in list(self._parts)[1:])):
            return False
        self._one_each = self._one_each or not self._brought
        return True

    def _begin(self, part: _Part) -> None:
        assert self._stream is not None
        if not part.asked:
            raise Ended
        while (head := part.cycle.head()) is None:
            part.cycle.receive(self._next_of_head(part))
        part.begun = True
        told = by_name(head.headers)
        self._last = _is_last(head.version, told)
        self._one_each = self._one_each or (self._last and not self._brought)
        refusal = refusal_of(self._resource, part.bounds, head.status, told, datetime.now(UTC))
        if refusal is not None:
            raise Refused(refusal)
        self._stream.unread(part.cycle.take_rest())

    def _next_of_head(self, part: _Part) -> bytes:
        """Read on; raise `Ended` where the server has closed a connection that did its work."""
        assert self._stream is not None
        try:
            data = self._stream.read(_READ)
        except OSError:
            between = self._brought and not self._aborted and not part.cycle.started
            if between or self._asked_too_much():
                raise Ended from None
            raise
        if not data and self._brought and not part.cycle.started:
            raise Ended
        if not data:
            raise OSError("the server ended the connection instead of an answer")
        return data

    @contextlib.contextmanager
    def _os_errors(self) -> Iterator[None]:
        """Raise one kind of error, whatever it is that broke."""
        try:
            yield
        except ConnectionLost as error:
            raise OSError("the server ended the connection in the middle of a part") from error
        except h11.ProtocolError as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Release the socket."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def abort(self) -> None:
        """Wake whoever waits in one of the others: it fails."""
        self._aborted = True
        raw = self._raw
        if raw is not None:
            with contextlib.suppress(OSError):
                # Not an SSLSocket's own: that would take TLS away from under a thread that reads.
                socket.socket.shutdown(raw, socket.SHUT_RDWR)


def _is_last(version: bytes, told: Mapping[str, str]) -> bool:
    """Return whether a server ends the connection after an answer (RFC 9112, section 9.3)."""
    options = {option.strip().lower() for option in told.get("connection", "").split(",")}
    return "close" in options or (version == b"HTTP/1.0" and "keep-alive" not in options)
