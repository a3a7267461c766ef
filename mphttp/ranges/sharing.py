"""Which responses are fetched in parts, and how others help, for any client library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mphttp.engine import Connection, Exchange, Request
from mphttp.engine.carrier import Carrier
from mphttp.engine.request import Parts
from mphttp.kernel.values import Path, SocketAddress

from .assembly import Assembly
from .beside import beside
from .carrier import PartsCarrier, unread_of
from .link import Link
from .resource import Headers, NotInParts, Resource, by_name, resource_of
from .store import Place

if TYPE_CHECKING:  # else it costs whoever needs no second connection
    from mphttp.network.endpoint import Endpoint


@dataclass(frozen=True)
class Sent:
    """A request as it was sent to the origin.

    Args:
        method: such as b"GET".
        scheme: b"http" or b"https".
        host: name or address of the origin, without brackets.
        port: TCP port, or None for the scheme's.
        target: path and query.
        headers: names and values.
    """

    method: bytes
    scheme: bytes
    host: bytes
    port: int | None
    target: bytes
    headers: Headers

    @property
    def origin_port(self) -> int:
        """TCP port of the origin, the scheme's if the URL has none."""
        return self.port or (443 if self.scheme == b"https" else 80)


@dataclass(frozen=True)
class Shared:
    """A response that others may help to bring.

    Args:
        assembly: from which its body is read.
        carrier: what it comes over.
        instead: makes what it comes over once that refuses a subflow (`Exchange.respond`).
    """

    assembly: Assembly
    carrier: Carrier
    instead: Callable[[int], Carrier | None] | None = None

    def respond(self, exchange: Exchange, status: int) -> None:
        """Let the engine know that the head is there.

        Args:
            exchange: of the request.
            status: of the response.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        length = self.assembly.resource.length
        exchange.respond(status, length, self.carrier, self.instead)


def shared(
    connection: Connection,
    asked: Request,
    sent: Sent,
    status: int,
    told: Headers,
    *,
    endpoint: Callable[[], Endpoint],
    place: Place | None = None,
    obstacle: str = "",
) -> Shared | None:
    """Let others help to bring a response's body, at once or should its connection refuse subflows.

    Args:
        connection: of the response, which wants parts (`Connection.wants_parts`).
        asked: the request, as the engine knows it; it is told why the response isn't fetched so.
        sent: the same, as the server got it.
        status: of the response.
        told: the response's header fields.
        endpoint: tells how the origin is reached, in the thread of each further connection.
        place: a file in which each byte has its place, or None.
        obstacle: what keeps this door from making further connections, or "".

    Returns:
        None where its body can't be fetched in parts.
    """
    resource = resource_of(sent.method, sent.headers, status, by_name(told))
    asked.not_in_parts = resource.why if isinstance(resource, NotInParts) else obstacle
    if isinstance(resource, NotInParts) or obstacle:
        return None
    server = (sent.host.decode("ascii"), sent.port or 0)
    linker = partial(_link, sent, endpoint, resource)
    # Workers hold it, whose response nobody may close: it must not lead to the connection.
    assembly = Assembly(resource, partial(unread_of, connection.reader), place)
    if asked.parts is Parts.AT_ONCE:
        assembly.begin(0)
        assembly.start(0)
        return Shared(assembly, PartsCarrier(connection, assembly, linker, server))
    return Shared(assembly, connection, beside(connection, assembly, linker, server))


def _link(
    sent: Sent,
    endpoint: Callable[[], Endpoint],
    resource: Resource,
    path: Path,
    remote: SocketAddress,
) -> Link:
    from .part_link import PartLink  # only where there is a second connection

    return PartLink(sent, endpoint, resource, path, remote)
