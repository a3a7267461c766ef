"""Which responses are fetched in parts, and how their further connections are made."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from mphttp.engine import Connection, Request
from mphttp.kernel.values import Path, SocketAddress
from mphttp.ranges.carrier import PartsCarrier
from mphttp.ranges.link import Link
from mphttp.ranges.resource import NotInParts, Resource, by_name, resource_of
from mphttp.strategies import SinglePath

from .origin import Options


def shared_carrier(
    connection: Connection, core: Any, response: Any, asked: Request, options: Options
) -> PartsCarrier | None:
    """Return what a response comes over whose body others may help to bring, or None.

    Args:
        connection: of the response.
        core: the request, the core's.
        response: with its head.
        asked: the same request, the engine's.
        options: how the connection was made.
    """
    if asked.multipath in ("mptcp", "off") or isinstance(asked.strategy, SinglePath):
        return None
    if asked.multipath == "auto" and connection.missing() is None:
        return None  # its subflows can be controlled
    resource = resource_of(core.method, core.headers, response.status, by_name(response.headers))
    if isinstance(resource, NotInParts):
        asked.not_in_parts = resource.why
        return None
    stream = response.extensions["network_stream"]
    tls = stream.get_extra_info("ssl_object")
    with_session = replace(options, session=None if tls is None else tls.session)
    server = (core.url.host.decode("ascii"), core.url.port or 0)
    place = core.extensions.get("place")
    linker = partial(_link, core.url, with_session, resource)
    return PartsCarrier(connection, resource, linker, server, place)


def _link(
    url: Any, options: Options, resource: Resource, path: Path, remote: SocketAddress
) -> Link:
    from .part_link import PartLink  # only where there is a second connection

    return PartLink(url, options, resource, path, remote)
