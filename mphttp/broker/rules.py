"""What a client may have: every number that a client controls has a limit here. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

MEANING = "meaning"
"""Key of a limit's metadata."""


def _limit(number: int, meaning: str) -> int:
    """A limit that an option of the command line sets, and what its help says."""
    limit: int = field(default=number, metadata={MEANING: meaning})
    return limit


@dataclass(frozen=True, slots=True)
class Rules:
    """The broker's configuration.

    Args:
        clients: connections to the broker, of all users.
        clients_per_user: connections of one user to the broker.
        connections_per_user: MPTCP connections whose events one user's processes may watch.
        subflows_per_connection: subflows that a connection may have when another is asked for.
        requests_per_second: of one user; whoever asks more is made to wait.
        message_bytes: of one request.
        closings_per_user: descriptors that one user may have waiting to be closed.
        closings: of all users; no client is taken while there are more.
        namespaces_per_client: network namespaces other than the broker's.
        excluded_interfaces: names of interfaces on which no subflow is opened.
        excluded_groups: group ids whose members are refused.
        options: whether options are set on one subflow; it needs CAP_BPF and CAP_PERFMON.
        other_namespaces: whether connections of other network namespaces are served; it needs
            CAP_SYS_ADMIN.
    """

    clients: int = _limit(1024, "connections to the broker, of all users")
    clients_per_user: int = _limit(64, "of these, of one user")
    connections_per_user: int = _limit(4096, "MPTCP connections that one user may watch")
    subflows_per_connection: int = _limit(16, "subflows of one connection")
    requests_per_second: int = _limit(1000, "requests of one user; who asks more waits")
    message_bytes: int = _limit(512, "bytes of one request")
    closings_per_user: int = _limit(64, "descriptors of one user that wait to be closed")
    closings: int = _limit(1024, "of these, of all users")
    namespaces_per_client: int = _limit(4, "other network namespaces that one client may use")
    excluded_interfaces: frozenset[str] = frozenset()
    excluded_groups: frozenset[int] = frozenset()
    options: bool = False
    other_namespaces: bool = False


class TokenBucket:
    """So many a second, and as many at once; time is an argument.

    Args:
        rate: per second.
        now: the time, in seconds of any clock that never goes back.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._left = rate
        self._at = now

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def next_time(self, now: float) -> float:
        """The time at which there is one."""
        self._fill(now)
        return now + max(0.0, 1 - self._left) / self._rate

    def full(self, now: float) -> bool:
        """Whether it is as if nothing was ever taken."""
        self._fill(now)
        return self._left == self._rate

    def _fill(self, now: float) -> None:
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
