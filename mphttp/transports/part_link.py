"""A connection that brings parts of a body: HTTP/1.1 over one path (mphttp.ranges.link)."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import h11

from mphttp.kernel.values import Path, SocketAddress
from mphttp.network.candidates import Candidate
from mphttp.network.channel import PlainChannel
from mphttp.network.dial import connect, on_link, unconnected
from mphttp.network.time_limit import TimeLimit
from mphttp.ranges.link import Ended, Refused, words_of
from mphttp.ranges.resource import Resource, by_name, refusal_of

from .cycle import ConnectionLost, Cycle
from .dialer import Dialer
from .origin import Options, OriginConnection
from .parts import Sent
from .route import Route
from .stream import MultipathStream

_CONNECT_TIMEOUT = 5.0
"""Seconds, as for a subflow (kernel.connection.establishment)."""
_READ = 65536


@dataclass(frozen=True)
class _PathDialer(Dialer):
    """Connects over one path to one address.

    Args:
        path: where it leaves.
        remote: where it leads.
        began: told of the socket before it connects.
    """

    path: Path | None = None
    remote: SocketAddress | None = None
    began: Callable[[socket.socket], None] | None = None

    def connect(self, route: Route, limit: TimeLimit) -> MultipathStream:  # noqa: ARG002  its end is known
        assert self.remote is not None
        assert self.path is not None
        assert self.began is not None
        family = socket.AF_INET6 if ":" in self.remote.host else socket.AF_INET
        candidate = Candidate(family, on_link(*self.remote, self.path), self.path)
        try:
            sock = unconnected(candidate, None, self.options, plain=True)
            self.began(sock)
            connect(sock, candidate.address, limit)
            return MultipathStream(PlainChannel(sock), None, self.host)
        except OSError as error:
            raise self.failure(error) from error


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
        options: tells how that one's connection was made.
        resource: what parts are of.
        path: where it leaves.
        remote: address of the server, or of the proxy before it.
    """

    _core: Any
    _url: Any
    _connection: OriginConnection

    def __init__(
        self,
        sent: Sent,
        options: Callable[[], Options],
        resource: Resource,
        path: Path,
        remote: SocketAddress,
    ) -> None:
        self._sent = sent
        self._options = options
        self._resource = resource
        self._path = path
        self._remote = remote
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
        options = self._on_path(self._options())
        self._core = options.host.httpcore
        extensions = {
            "timeout": {"connect": _CONNECT_TIMEOUT},
            "sni_hostname": self._sent.server_hostname,
        }
        sent = self._sent
        self._url = self._core.URL(
            scheme=sent.scheme, host=sent.host, port=sent.port, target=sent.target
        )
        request = self._core.Request(b"GET", self._url, extensions=extensions)
        self._connection = OriginConnection(self._url.origin, options)
        with self._os_errors():
            self._stream = self._connection.connect(request)
        self._raw = self._stream.get_extra_info("socket")

    def _on_path(self, given: Options) -> Options:
        """Return how a connection is made over the path, in HTTP/1.1."""
        dialer = _PathDialer(
            given.dialer.host,
            None,
            None,
            given.dialer.options,
            plain=True,
            path=self._path,
            remote=self._remote,
            began=self._began,
        )
        return replace(given, dialer=dialer, http1=True, http2=False, retries=0)

    def ask(self, start: int, stop: int) -> None:
        """Ask for a part."""
        assert self._stream is not None
        part = _Part(start, stop)
        headers = self._resource.request_headers(start, stop)
        asked = self._connection.as_proxied(self._core.Request(b"GET", self._url, headers=headers))
        head = part.cycle.request(asked.url.target, asked.headers)
        # What came while nothing was asked for is no answer to this (RFC 9112, section 9.2).
        idle = self._brought and not self._parts
        self._last = self._last or (idle and (self._stream.ahead or self._stream.is_readable()))
        if not (self._last or (self._one_each and self._parts)):
            part.asked = True
            # If the server has ended the connection, reading tells whether that is an error.
            with self._os_errors(), contextlib.suppress(self._core.WriteError):
                self._stream.write(head + part.cycle.end())
        self._parts.append(part)

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
        except (ConnectionLost, self._core.ReadError):
            if self._asked_too_much():
                raise Ended from None
            raise
        return data

    def _asked_too_much(self) -> bool:
        """Tell whether a request that its server won't read may have broken the connection.

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
        except self._core.ReadError:
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
    def _os_errors(self) -> Any:
        """Raise one kind of error, whatever it is that broke."""
        try:
            yield
        except ConnectionLost as error:
            raise OSError("the server ended the connection in the middle of a part") from error
        except (
            h11.RemoteProtocolError,
            self._core.NetworkError,
            self._core.TimeoutException,
            self._core.ProtocolError,
            self._core.ProxyError,
        ) as error:
            raise OSError(words_of(error.__cause__ or error)) from error

    def close(self) -> None:
        """Let go of the socket."""
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
    """Tell whether a server ends the connection after an answer (RFC 9112, section 9.3)."""
    options = {option.strip().lower() for option in told.get("connection", "").split(",")}
    return "close" in options or (version == b"HTTP/1.0" and "keep-alive" not in options)
