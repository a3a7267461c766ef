"""One tree of errors, translated once, at the edge.

KernelError
├── NotMultipath        the connection is plain TCP: the peer or a middlebox has no MPTCP
├── NotSupported        this kernel, or the mechanism in use, has no such call
│   └── LeavesElsewhere  a subflow would leave by another interface than it is opened on
├── NotPermitted        a capability is missing
├── NotReady            the connection is not fully established yet: data must flow first
├── NoSuchSubflow       the subflow, or its whole connection, is gone
├── OpenRefused         a subflow was refused, reset, or never answered
├── ProtocolError       a message of the kernel could not be read
└── CallRefused         any other refusal, told by errno and the kernel's own words
"""

from __future__ import annotations

import os


class KernelError(OSError):
    """A call on a connection's subflows that did not work.

    Args:
        what: one sentence that says what was tried and what came of it.
        errno: the kernel's error number, 0 where there is none.
        extack: the kernel's own words (netlink extended acknowledgement), or "".
        hint: what to do about it, or "".
    """

    def __init__(self, what: str, *, errno: int = 0, extack: str = "", hint: str = "") -> None:
        super().__init__(errno, what)
        self.what = what
        self.extack = extack
        self.hint = hint

    def __str__(self) -> str:
        told = [os.strerror(self.errno)] if self.errno else []
        told += [self.extack] if self.extack else []
        return f"{self.what} ({': '.join(told)})" if told else self.what


class NotMultipath(KernelError):
    """The connection is plain TCP: the peer or a middlebox has no MPTCP."""


class NotSupported(KernelError):
    """This kernel, or the mechanism in use, has no such call."""


class LeavesElsewhere(NotSupported):
    """This kernel would send a subflow by another interface than it is opened on."""


class NotPermitted(KernelError):
    """A capability is missing.

    For the path manager it is CAP_NET_ADMIN in the user namespace that owns the network namespace;
    for options of one subflow, CAP_BPF and CAP_PERFMON in the initial one.
    """


class NotReady(KernelError):
    """The connection is not fully established yet (RFC 8684, section 3.1): data must flow first."""


class NoSuchSubflow(KernelError):
    """The subflow, or its whole connection, is gone."""


class OpenRefused(KernelError):
    """A subflow was refused, reset, or never answered."""


class ProtocolError(KernelError):
    """A message of the kernel could not be read."""


class CallRefused(KernelError):
    """Any other refusal, told by errno and the kernel's own words."""
