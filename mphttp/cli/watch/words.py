"""What `mphttp watch` says: cells for people, lines for pipes, JSON for programs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mphttp.kernel import FourTuple, SocketAddress
from mphttp.kernel.connection_events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionEvent,
    InterfaceDown,
    InterfaceEvent,
    InterfaceUp,
    LocalAddressAdded,
    LocalAddressRemoved,
    RetransmissionTimeout,
    SubflowClosed,
    SubflowOpened,
    SubflowPriority,
)

from ..units import words_for_rate, words_for_size
from .watcher import Moment, Row, Shown

COLUMNS = ("path", "local", "remote", "state", "RTT", "in", "out", "received", "sent", "")
_NUMBERS = frozenset({"RTT", "in", "out", "received", "sent"})


def title(shown: Shown) -> str:
    """Name a connection: "curl[123] 10.0.1.1:5000 → 10.0.1.2:80, 1.0 MB in, 0.1 kB out"."""
    counts = [
        f"{words_for_size(count)} {direction}"
        for count, direction in ((shown.received, "in"), (shown.sent, "out"))
        if count is not None
    ]
    told = [f"{shown.owner} {arrow(shown.tuple)}".strip(), f"token {shown.token:08x}", *counts]
    if shown.fell_back:
        told.append("fell back to TCP")
    if shown.state.name != "ESTABLISHED":
        told.append(_state(shown.state.name))
    return ", ".join(told)


def cells(row: Row) -> tuple[str, ...]:
    """What stands under each of the columns."""
    return (
        row.path,
        endpoint(row.tuple.local),
        endpoint(row.tuple.remote),
        _state(row.state.name),
        f"{row.rtt * 1e3:.1f} ms" if row.rtt else "-",
        "-" if row.rate_in is None else words_for_rate(row.rate_in),
        "-" if row.rate_out is None else words_for_rate(row.rate_out),
        words_for_size(row.received),
        words_for_size(row.sent),
        ", ".join(_notes(row)),
    )


def sentence(event: ConnectionEvent, paths: Mapping[str, str]) -> str:
    """Tell an event."""
    match event:
        case SubflowOpened() | SubflowClosed() | SubflowPriority() | RetransmissionTimeout():
            return _of_subflow(event, paths)
        case AddressAnnounced():
            return f"the peer announced {endpoint(event.remote)}"
        case AddressRemoved():
            what = endpoint(event.remote) if event.remote else f"address {event.remote_id}"
            return f"the peer withdrew {what}"
        case InterfaceUp() | InterfaceDown() | LocalAddressAdded() | LocalAddressRemoved():
            return _of_interface(event)
        case _:  # events lost, connection established, connection closed
            return _kind(event).replace("_", " ")


def lines(moment: Moment) -> Iterator[str]:
    """Write all that there is as a table: a title for each connection, a line for each subflow."""
    rows = {id(row): cells(row) for shown in moment.connections for row in shown.rows}
    table = [COLUMNS, *rows.values()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    yield _padded(COLUMNS, widths)
    for shown in moment.connections:
        yield title(shown)
        yield from (_padded(rows[id(row)], widths) for row in shown.rows)


def to_dict(moment: Moment, at: float) -> dict[str, Any]:
    """Tell it to programs; rates in bytes per second, times in seconds.

    Args:
        moment: what there is.
        at: the time, in seconds since 1970.
    """
    return {
        "at": at,
        "connections": [_connection(shown) for shown in moment.connections],
        "events": [
            {"token": told.token, "kind": _kind(told.event), **asdict(told.event)}
            for told in moment.events
        ],
    }


def arrow(pair: FourTuple) -> str:
    """Write both addresses."""
    return f"{endpoint(pair.local)} → {endpoint(pair.remote)}"


def endpoint(address: SocketAddress) -> str:
    """Write an address and its port, as in a URL."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    parts = [
        cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
        for name, cell, width in zip(COLUMNS, line, widths, strict=True)
    ]
    return ("  " + "  ".join(parts)).rstrip()


def _of_subflow(
    event: SubflowOpened | SubflowClosed | SubflowPriority | RetransmissionTimeout,
    paths: Mapping[str, str],
) -> str:
    where = f"{paths.get(event.tuple.local.host, '?')} {arrow(event.tuple)}"
    match event:
        case SubflowOpened():
            return f"subflow opened: {where}{' (backup)' if event.backup else ''}"
        case SubflowClosed():
            return f"subflow closed: {where}{f' ({event.reason})' if event.reason else ''}"
        case SubflowPriority():
            return f"subflow is {'a backup' if event.backup else 'regular'} now: {where}"
        case RetransmissionTimeout():
            return f"retransmission time-out ({event.backoff} in a row): {where}"


def _of_interface(event: InterfaceEvent) -> str:
    match event:
        case InterfaceUp():
            return f"{event.name} is up"
        case InterfaceDown():
            return f"{event.name} is down"
        case LocalAddressAdded():
            return f"this machine has the address {event.host} now"
        case LocalAddressRemoved():
            return f"this machine lost the address {event.host}"


def _notes(row: Row) -> Iterator[str]:
    if row.backup:
        yield "backup"
    if row.timeouts:
        yield f"time-outs: {row.timeouts}"
    if row.metered:
        yield "metered"


def _state(name: str) -> str:
    return name.lower().replace("_", "-")


def _kind(event: ConnectionEvent) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()


def _connection(shown: Shown) -> dict[str, Any]:
    return {
        "token": shown.token,
        "local": list(shown.tuple.local),
        "remote": list(shown.tuple.remote),
        "owner": shown.owner,
        "state": _state(shown.state.name),
        "fell_back": shown.fell_back,
        "bytes_received": shown.received,
        "bytes_sent": shown.sent,
        "subflows": [_subflow(row) for row in shown.rows],
    }


def _subflow(row: Row) -> dict[str, Any]:
    return {
        "path": row.path,
        "local": list(row.tuple.local),
        "remote": list(row.tuple.remote),
        "state": _state(row.state.name),
        "rtt": row.rtt,
        "bytes_received": row.received,
        "bytes_sent": row.sent,
        "rate_in": row.rate_in,
        "rate_out": row.rate_out,
        "backup": row.backup,
        "timeouts": row.timeouts,
        "metered": row.metered,
    }
