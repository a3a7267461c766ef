"""What came of the probes: plain values, with nothing in them that is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from mphttp.kernel import Path, SocketAddress


class Protocol(Enum):
    """What a connection turned out to be that asked for MPTCP."""

    MPTCP = auto()
    TCP = auto()
    """It fell back during the handshake, or MPTCP wasn't asked for."""
    TCP_WITH_DATA = auto()
    """It was MPTCP until data was exchanged (RFC 8684, section 3.7)."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path to one of the server's addresses.

    Args:
        path: where packets leave.
        family: `socket.AF_INET` or `socket.AF_INET6`.
        address: the server's, as `socket.connect` takes it.
    """

    path: Path
    family: int
    address: tuple[Any, ...]

    @property
    def remote(self) -> SocketAddress:
        """Address and port of the server."""
        return SocketAddress(str(self.address[0]), int(self.address[1]))


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of connecting.

    Args:
        seconds: until it was known.
        error: why there is no connection, or "".
        silent: whether there was no answer at all.
    """

    seconds: float
    error: str = ""
    silent: bool = False

    @property
    def ok(self) -> bool:
        """Whether there was a connection."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of a subflow that was to join a connection of another path (MP_JOIN).

    Args:
        base: name of the path where the connection began.
        error: why it wasn't opened, or "".
        hint: what to do about it, or "".
        tried: whether a SYN was sent at all.
        elsewhere: whether it would have left by another interface than was asked for, so that none
            was opened.
    """

    base: str
    error: str = ""
    hint: str = ""
    tried: bool = True
    elsewhere: bool = False

    @property
    def ok(self) -> bool:
        """Whether it was opened, where it should be."""
        return not self.error and not self.elsewhere


@dataclass(frozen=True, slots=True)
class Probed:
    """What came of all that was tried on one route.

    Args:
        route: the path and the address.
        plain: connecting with plain TCP; None if there was no time for it.
        multipath: connecting with MPTCP; None without MPTCP here, or if there was no time.
        protocol: what that connection was in the end; None if there was none.
        certificate: digest of the certificate that was shown there, trusted or not; "" without.
        joined: what came of a join; None if there was no connection to join, or no time.
    """

    route: Route
    plain: Connected | None = None
    multipath: Connected | None = None
    protocol: Protocol | None = None
    certificate: str = ""
    joined: Joined | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request that went over one path alone.

    Args:
        path: the interface's name.
        status: of the last answer, after redirects; 0 if there was none.
        host: who gave it, as scheme, host and port.
        length: Content-Length, or "".
        validator: entity tag, or else the date of the last change, or "".
        not_in_parts: why strategies can't have the object in parts (ranges), "" if they can.
        error: why there was no answer, or "".
        untrusted: whether that is since the certificate isn't trusted, or is another host's.
        tls: whether that is since the TLS handshake failed, for this or another reason.
    """

    path: str
    status: int = 0
    host: str = ""
    length: str = ""
    validator: str = ""
    not_in_parts: str = ""
    error: str = ""
    untrusted: bool = False
    tls: bool = False


@dataclass(frozen=True)
class Outcomes:
    """All that the probes of a server left.

    Args:
        host: the server's name.
        scheme: "http" or "https".
        addresses: of the name, in the order in which they are tried.
        probed: what came of each route, the preferred path first.
        answers: by the name of the path.
        around: why some interfaces aren't used (a VPN), and how to use them all the same; None if
            all are.
        disabled: connections that this kernel made plain TCP by itself meanwhile.
        in_time: whether all was done within the limit.
        counters: MPTCP's counters that moved meanwhile, by name, and by how much; those of other
            programs of this network namespace are among them.
    """

    host: str
    scheme: str
    addresses: tuple[str, ...]
    probed: tuple[Probed, ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    around: tuple[str, str] | None = None
    disabled: bool = False
    in_time: bool = True
    counters: Mapping[str, int] = field(default_factory=dict)
