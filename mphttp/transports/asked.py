"""What a request of httpx asks of the network, as far as it can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mphttp.network.names import checked_port, without_zone

if TYPE_CHECKING:
    from .protocols import HostRequest, HostURL


def port_of(url: HostURL) -> int | None:
    """Return the port that a URL names, or None for its scheme's.

    Args:
        url: an `httpx.URL`, which takes any number for a port.

    Raises:
        ValueError: there is no such port.
    """
    port: int | None = url.port
    return None if port is None else checked_port(port)


def fields_of(request: HostRequest) -> list[tuple[bytes, bytes]]:
    """Return a request's fields; the zone of an address has no place in Host (RFC 6874, 4).

    Args:
        request: an `httpx.Request`.
    """
    fields: list[tuple[bytes, bytes]] = request.headers.raw
    written: bytes = request.url.netloc
    if b"%" not in written:
        return fields
    host = f"[{without_zone(request.url.raw_host.decode('ascii'))}]"
    sent = host if request.url.port is None else f"{host}:{request.url.port}"
    return [
        (name, sent.encode() if name.lower() == b"host" and value == written else value)
        for name, value in fields
    ]
