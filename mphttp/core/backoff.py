"""When a subflow may be asked for again where the last ones were refused or killed. Pure.

Something on the way that resets what it doesn't know, or a server at its limit, does the same to
the next subflow. So an address pair rests after a failure, twice as long after each further one:

    refused, silent, or killed before it brought anything      2, 4, 8 … 60 s
    killed though it brought data                              0, 1, 2, 4 … 60 s
    closed since it held up the others                         5, 10, 20 … 60 s
    refused beside one that brings data: a limit               0, 0.1, 0.2 … until one is opened
    one that lived long, or brought data until it was closed   forgotten

The first failure of what works costs nothing: a middlebox that lost its state knows the next one.
Where no subflow is left there is little to lose, and the rest is short.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from mphttp.kernel.errors import KernelError, OpenRefused
from mphttp.kernel.values import SocketAddress

_REMEMBERED = 300.0
"""Seconds for which it is remembered that joins are refused between two addresses, or do harm."""
_MOST_PAIRS = 256

Pair = tuple[str, SocketAddress]
"""A local address and where the peer is: a new address of an interface starts anew."""

PROVEN = 64 * 1024
"""Bytes after which a subflow is known to carry data: what resets data lets some packets pass."""
_NOTHING = 4 * 1024
"""Bytes below which a subflow that ended has brought as good as nothing."""
_FIRST = 2.0
_FIRST_PROVEN = 0.5
_FIRST_LIMIT = 0.05
_FIRST_HARMFUL = 5.0
_LONGEST = 60.0
_WHERE_NONE_IS_LEFT = 0.5
_FORGIVEN = 30.0
"""Seconds (rests, lives); see the table above."""


@dataclass(slots=True)
class _Rest:
    failures: int
    since: float
    seconds: float
    what: str
    hint: str


class Backoff:
    """The address pairs on which subflows failed, of one connection or of the process."""

    def __init__(self) -> None:
        self._rests: dict[Pair, _Rest] = {}
        self._limits: dict[Pair, _Rest] = {}
        self._worked: dict[Pair, float] = {}

    def failed(
        self,
        pair: Pair,
        what: str,
        hint: str,
        now: float,
        *,
        proven: bool = False,
        refused: bool = False,
        harmful: bool = False,
        lived: float = 0.0,
    ) -> None:
        """Take that a subflow was refused, never answered, or ended though nobody wanted that.

        Args:
            pair: its local address, and the peer's.
            what: what happened, in a sentence.
            hint: what mends it.
            now: the time, in seconds of any clock that never goes back.
            proven: whether it, or another that is alive there, has brought data; one that did so
                lately until it was closed will do, too.
            refused: whether the peer said no to it.
            harmful: whether it made the others slower.
            lived: seconds since it was established.
        """
        proven = proven or (not harmful and now < self._worked.get(pair, -math.inf) + _FORGIVEN)
        # On their own: that one is opened ends the wait for room, and says nothing of what kills.
        rests = self._limits if proven and refused else self._rests
        before = rests.get(pair)
        long_ago = before is not None and harmful and now >= before.since + _REMEMBERED
        anew = before is None or lived >= _FORGIVEN or long_ago
        failures = 1 if before is None or anew else before.failures + 1
        unproven = _FIRST_HARMFUL if harmful else _FIRST
        first = (_FIRST_LIMIT if refused else _FIRST_PROVEN) if proven else unproven
        rest = 0.0 if proven and failures == 1 else min(_LONGEST, first * 2.0 ** (failures - 1))
        if len(rests) >= _MOST_PAIRS:
            for old in [p for p, r in rests.items() if now >= r.since + _LONGEST]:
                del rests[old]
        rests[pair] = _Rest(failures, now, rest, what, hint)

    def explain(self, pair: Pair, what: str, hint: str) -> None:
        """Take that more is known of the last failure."""
        for rests in (self._rests, self._limits):
            if pair in rests:
                rests[pair].what, rests[pair].hint = what, hint

    def opened(self, pair: Pair) -> None:
        """Take that a subflow was opened: a limit isn't reached any more."""
        self._limits.pop(pair, None)

    def worked(self, pair: Pair, now: float) -> None:
        """Take that a subflow brought data until it was closed on purpose."""
        self._rests.pop(pair, None)
        self._limits.pop(pair, None)
        if len(self._worked) >= _MOST_PAIRS:
            self._worked.clear()
        self._worked[pair] = now

    def refusal(self, pair: Pair, now: float, *, alone: bool) -> KernelError | None:
        """Return what an open fails with as long as the pair rests: the failure itself; else None.

        Args:
            pair: the local address, and the peer's.
            now: the time.
            alone: whether the connection has no subflow.
        """
        for rest in (self._rests.get(pair), self._limits.get(pair)):
            if rest is None:
                continue
            seconds = min(rest.seconds, _WHERE_NONE_IS_LEFT) if alone else rest.seconds
            if now < rest.since + seconds:
                return OpenRefused(rest.what, hint=rest.hint)
        return None


class Joins:
    """The address pairs between which no subflow can join, as far as this process has seen.

    A middlebox does to the next connection what it did to this one, and a connection learns it only
    once its first response is under way. Any thread may call.
    """

    def __init__(self) -> None:
        self._until: dict[Pair, float] = {}
        self._worked: dict[Pair, float] = {}
        self._killed: dict[Pair, float] = {}

    def refused(self, pair: Pair, now: float) -> None:
        """Take that a subflow was refused, which may be a limit if others weren't lately.

        Args:
            pair: its local address, and the peer's.
            now: the time.
        """
        if now >= self._worked.get(pair, -math.inf) + _REMEMBERED:
            self._refuse(pair, now)

    def killed(self, pair: Pair, now: float, *, brought: int, lived: float) -> None:
        """Take that a subflow was opened, and ended though nobody wanted that.

        What resets data may let some packets pass: one that had brought something is no refusal
        yet, but the next one is.

        Args:
            pair: its local address, and the peer's.
            now: the time.
            brought: bytes that it had.
            lived: seconds since it was established.
        """
        if lived >= _FORGIVEN:
            return
        again = now < self._killed.get(pair, -math.inf) + _REMEMBERED
        if len(self._killed) >= _MOST_PAIRS:
            self._killed.clear()
        self._killed[pair] = now
        if again or brought < _NOTHING:
            self._refuse(pair, now)

    def _refuse(self, pair: Pair, now: float) -> None:
        if len(self._until) >= _MOST_PAIRS:
            self._until = {p: until for p, until in self._until.items() if until > now}
        if len(self._until) < _MOST_PAIRS:
            self._until[pair] = now + _REMEMBERED

    def worked(self, pair: Pair, now: float) -> None:
        """Take that one was opened."""
        self._until.pop(pair, None)
        if len(self._worked) >= _MOST_PAIRS:
            self._worked.clear()
        self._worked[pair] = now

    def lasted(self, pair: Pair) -> None:
        """Take that one brought data until it was closed on purpose."""
        self._killed.pop(pair, None)

    def any_to(self, remote: SocketAddress) -> bool:
        """Tell whether there is anything to know about a peer, for less than `all_refused`."""
        return any(pair[1] == remote for pair in list(self._until))

    def all_refused(self, hosts: Collection[str], remote: SocketAddress, now: float) -> bool:
        """Tell whether none of these local addresses, of which there is one, can join a peer."""
        return bool(hosts) and all(self._until.get((host, remote), 0.0) > now for host in hosts)
