"""The endpoints of the kernel's own path manager, from which it opens subflows unasked.

`ip mptcp endpoint add` makes them, and NetworkManager (1.40 and later) one for each address. To
read them needs no privilege (net/mptcp/pm_netlink.c, mptcp_pm_nl_get_addr_dumpit).
"""

from __future__ import annotations

from contextlib import closing
from functools import cache

from ..errors import KernelError
from ..netlink.sockets import RequestSocket, get_family
from .commands import Address, PathManagerMessage, decode, encode
from .tables import MPTCP_PM_NAME, AddressFlag, Command

_OPENS = AddressFlag.SUBFLOW | AddressFlag.FULLMESH


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
