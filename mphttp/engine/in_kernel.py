"""Connections whose subflows the kernel's own path manager would open, unasked.

Where it has endpoints, as NetworkManager makes them for each address, every MPTCP connection uses
all of them at once, and nobody can say otherwise. A strategy, or whoever named the paths, has
promised something else. So such a connection begins as plain TCP, and parts are fetched by ranges.
"""

from __future__ import annotations

import socket

from mphttp.kernel.addresses import canonical, family, unmapped
from mphttp.kernel.hints import NEEDS_LINUX, SET_UP, select_userspace_manager
from mphttp.kernel.values import SocketAddress

from .request import Request, current_request


def begins_plain(remote: str, local: str | None) -> bool:
    """Return whether a connection is to be TCP, so that the kernel opens no subflow of its own.

    Args:
        remote: IP address of the peer.
        local: IP address that it leaves from; None leaves it to the system.
    """
    request = current_request()
    if request is None or request.multipath not in ("auto", "mptcp"):
        return False
    if request.strategy.in_kernel:
        return False
    told = opened_by_kernel(remote, local)
    if told is None or request.multipath == "auto":
        return told is not None
    _tell(request, told)  # MPTCP was asked for in so many words
    return False


def opened_by_kernel(remote: str, local: str | None = None) -> tuple[str, str] | None:
    """Say that the kernel would open subflows of its own, and what mends it; None if it wouldn't.

    Args:
        remote: IP address of the peer.
        local: IP address that the connection leaves from, or None for the system's choice.
    """
    from mphttp.kernel.path_manager.endpoints import opening_addresses
    from mphttp.kernel.probe import userspace_manager_selected

    if userspace_manager_selected():
        return None
    remote = unmapped(SocketAddress(remote, 0)).host
    near = [host for host in opening_addresses() if family(host) == family(remote)]
    own = canonical(local or _source(remote) or remote)
    others = [host for host in near if host != own]
    if not others:
        return None
    what = f"the kernel opens subflows by itself from {', '.join(others)} (ip mptcp endpoint)"
    mend = select_userspace_manager()
    mend = mend if mend == NEEDS_LINUX else f"{mend}, or {SET_UP}"
    return what, f"{mend}; strategy 'kernel' leaves it to the kernel"


def _tell(request: Request, told: tuple[str, str]) -> None:
    if told not in request.problems:
        request.problems.append(told)


def _source(remote: str) -> str | None:
    """Return the address that the system would choose; no packet is sent."""
    with socket.socket(family(remote), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])
