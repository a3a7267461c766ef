"""What a refusal of the path manager means: errno, and the kernel's own words. Pure."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from ..errors import (
    CallRefused,
    KernelError,
    NoSuchSubflow,
    NotPermitted,
    NotReady,
    NotSupported,
    OpenRefused,
)
from ..hints import GRANT_NET_ADMIN, select_userspace_manager
from ..netlink.sockets import RequestError

_UNREACHABLE = frozenset(
    {
        errno.EADDRNOTAVAIL,
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENODEV,
        errno.ETIMEDOUT,
    }
)
_BY_EXTACK: Mapping[str, type[KernelError]] = {
    "userspace PM not selected": NotSupported,
    "invalid token": NoSuchSubflow,
    "subflow not found": NoSuchSubflow,
}
_BY_ERRNO: Mapping[int, type[KernelError]] = {
    errno.EPERM: NotPermitted,
    errno.ENOTCONN: NotReady,
    errno.ESRCH: NoSuchSubflow,
    **dict.fromkeys(_UNREACHABLE, OpenRefused),
}


def translate(error: RequestError, what: str) -> KernelError:
    """Say what a refusal of the path manager means; EINVAL has many meanings, told by its words.

    Args:
        error: the kernel's answer.
        what: one sentence that says what did not work.
    """
    number = error.errno or 0
    by_words = (kind for words, kind in _BY_EXTACK.items() if words in error.extack)
    kind = next(by_words, _BY_ERRNO.get(number, CallRefused))
    return kind(what, errno=number, extack=error.extack, hint=_hint(kind))


def _hint(kind: type[KernelError]) -> str:
    if kind is NotPermitted:
        return GRANT_NET_ADMIN
    if kind is NotSupported:
        return f"{select_userspace_manager()}, then connect anew"
    return ""
