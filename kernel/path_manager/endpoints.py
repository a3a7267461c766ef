"""The endpoints of the kernel's own path manager, from which it opens subflows unasked.

`ip mptcp endpoint add` makes them, and NetworkManager (1.40 and later) one for each address. To
read them needs no privilege (net/mptcp/pm_netlink.c, mptcp_pm_nl_get_addr_dumpit).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from ..addresses import canonical
from ..errors import KernelError
from ..netlink.sockets import RequestSocket, get_family
from .commands import Address, PathManagerMessage, decode, encode
from .tables import MPTCP_PM_NAME, AddressFlag, Command

_OPENS = AddressFlag.SUBFLOW | AddressFlag.FULLMESH


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address from which subflows are to be opened, or which is to be announced.

    Args:
        id: its number, 1 to 255.
        host: the IP address.
        flags: what it is for.
        interface_index: the interface that its subflows leave through; 0 leaves that to routing.
        port: where it is to be reached, of one that is announced; 0 for the connection's own.
    """

    id: int
    host: str
    flags: AddressFlag
    interface_index: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True)
class InKernelSettings:
    """What the kernel's own path manager is told to do (`ip mptcp endpoint`, `ip mptcp limits`).

    Args:
        endpoints: in their order.
        subflows: that a connection may have beyond its first.
        accepted: of the peer's announced addresses, how many are joined.
    """

    endpoints: tuple[Endpoint, ...] = ()
    subflows: int = 0
    accepted: int = 0


def read_settings(
    ask: Callable[[PathManagerMessage, bool], list[PathManagerMessage]],
) -> InKernelSettings:
    """Read endpoints and limits, which the userspace path manager leaves as they are.

    Args:
        ask: asks the path manager; the flag is for a list of all there are.

    Raises:
        KernelError: it doesn't tell.
    """
    (limits,) = ask(PathManagerMessage(Command.GET_LIMITS), False)
    listed = ask(PathManagerMessage(Command.GET_ADDR), True)
    addresses = [answer.address for answer in listed if answer.address]
    return InKernelSettings(
        tuple(_endpoint(a) for a in addresses if a.host and a.id),
        limits.subflows or 0,
        limits.rcv_add_addrs or 0,
    )


def _endpoint(address: Address) -> Endpoint:
    return Endpoint(
        address.id or 0,
        canonical(address.host or ""),
        address.flags or AddressFlag(0),
        address.interface_index or 0,
        address.port or 0,
    )


def opening_addresses() -> list[str]:
    """List the local addresses from which the kernel opens further subflows of a connection.

    Returns:
        Theirs, or none where the limit is none, or where nothing can be asked. Whether the kernel's
        own path manager is selected at all isn't looked at.
    """
    try:
        with closing(RequestSocket()) as requests:
            family = _family()
            (limits,) = _ask(requests, family, Command.GET_LIMITS)
            if not limits.subflows:
                return []
            answers = _ask(requests, family, Command.GET_ADDR, dump=True)
    except (KernelError, ValueError):
        return []
    return [a.address.host for a in answers if a.address and a.address.host and _opens(a.address)]


@cache
def _family() -> int:
    """Return the family's number, which stays: MPTCP can't be a module (net/mptcp/Kconfig)."""
    with closing(RequestSocket()) as requests:
        return get_family(requests, MPTCP_PM_NAME).id


def _opens(address: Address) -> bool:
    return bool((address.flags or AddressFlag(0)) & _OPENS)


def _ask(
    requests: RequestSocket, family: int, command: Command, *, dump: bool = False
) -> list[PathManagerMessage]:
    answers = requests.request(family, encode(PathManagerMessage(command)), dump=dump)
    return [decode(answer.payload) for answer in answers]
