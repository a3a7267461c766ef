"""Whether a subflow leaves by the interface that it is opened on.

SUBFLOW_CREATE names an interface. Some kernels ignore it (Linux 6.1, net/mptcp/pm_userspace.c,
mptcp_nl_cmd_sf_create): they ask the routing tables with both addresses alone, and where no table
is for the source, a subflow "on lte" leaves by the default route, with lte's address. Which kernels
do is found by trying: a subflow over the loopback interface, once for a process, and only where the
tables don't lead over the right interface anyway. No packet leaves the machine for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from socket import if_indextoname, socket
from typing import Protocol

from ..errors import KernelError, LeavesElsewhere, OpenRefused
from ..reading.listing import SocketLister
from ..reading.loopback import LOOPBACK, connected_to_self, establish
from ..values import FourTuple, Path, SocketAddress, SubflowInfo
from .paths import path_of
from .source_routing import leaves_elsewhere, routed, table_for

_WITHIN = 0.25
"""Seconds: what doesn't work on the loopback interface at once doesn't work."""
_AGAIN_AFTER = 60.0
"""Seconds until it is tried again where nothing came of it."""


class Opens(Protocol):
    """What opens a subflow: a `Control`."""

    def open(self, path: Path, remote: SocketAddress, *, backup: bool = False) -> SubflowInfo:
        """Send the SYN of a new subflow and return at once."""


Controls = Callable[[socket], Opens]
"""Takes charge of a connected MPTCP socket."""


@dataclass
class _Known:
    """What this process has seen the kernel do.

    Args:
        honoured: whether it honours the interface; None if that isn't known.
        try_at: when it may be tried, by `time.monotonic`.
    """

    honoured: bool | None = None
    try_at: float = 0.0


_known = _Known()


def is_honoured() -> bool:
    """Tell whether this kernel is known to honour the interface that is asked for."""
    return bool(_known.honoured)


def refusal(path: Path, remote: SocketAddress, control: Controls) -> KernelError | None:
    """Say why a subflow on a path would leave by another interface, and what mends it; or None.

    Args:
        path: the one.
        remote: where it leads.
        control: takes charge of the connection on which it is tried what the kernel does.
    """
    if _known.honoured or not leaves_elsewhere(path, *remote):
        return None
    if _known.honoured is None and time.monotonic() >= _known.try_at:
        _known.try_at = time.monotonic() + _AGAIN_AFTER
        _known.honoured = honours_device(control)
    return _refusal(path, remote) if _known.honoured is False else None


def look_after(opened: FourTuple, path: Path) -> KernelError | None:
    """Look where a subflow left, if that wasn't known before; return what `refusal` would have.

    Args:
        opened: its addresses and ports.
        path: what it was opened on.
    """
    if _known.honoured is None and leaves_elsewhere(path, *opened.remote):
        _known.honoured = _is_bound(opened, path)
    elsewhere = _known.honoured is False and leaves_elsewhere(path, *opened.remote)
    return _refusal(path, opened.remote) if elsewhere else None


def left_by(pair: FourTuple) -> Path | None:
    """Find the interface by which a subflow leaves, whoever opened it.

    One that is bound to no interface leaves by the route of its addresses.

    Args:
        pair: its addresses and ports.

    Returns:
        Its path, or None if no interface has the local address (any more).

    Raises:
        KernelError: neither netlink nor anything else tells.
    """
    path = path_of(pair.local.host, remote=pair.remote.host)
    if path is None or _is_bound(pair, path) is not False:
        return path
    return routed(path, pair.remote.host)


def honours_device(control: Controls) -> bool | None:
    """Try whether a subflow is bound to the interface that it is opened on; None if it can't be.

    Args:
        control: takes charge of a connection of this machine to itself.
    """
    with suppress(OSError), connected_to_self(_WITHIN) as (client, served):
        establish(client, served)
        path = path_of(LOOPBACK)
        if path is not None:
            remote = SocketAddress(*client.getpeername()[:2])
            return _is_bound(control(client).open(path, remote).tuple, path)
    return None


def _is_bound(pair: FourTuple, path: Path) -> bool | None:
    with suppress(KernelError), closing(SocketLister()) as lister:
        device = lister.device_of(pair, path.index)
        return None if device is None else device == path.index
    return None


def _refusal(path: Path, remote: SocketAddress) -> KernelError:
    try:
        if_indextoname(path.index)
    except OSError as error:
        what = f"no subflow was opened on {path.name}: the interface is gone"
        return OpenRefused(what, errno=error.errno or 0)
    what = (
        f"this kernel opens subflows by the route of their address: one from {path.address} would "
        f"leave by another interface than {path.name}"
    )
    hint = f"sudo mphttp setup --routes; or {table_for(path, remote.host)}; ranges need neither"
    return LeavesElsewhere(what, hint=hint)
