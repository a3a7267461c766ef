"""What each user has and does, held against the limits."""

from __future__ import annotations

from dataclasses import dataclass

from .rules import Rules, TokenBucket

_REFUSALS_LOGGED = 5  # a second, of one user
_EFFECTS_LOGGED = 20
_MANY = 1024


@dataclass(slots=True)
class User:
    """One user id's share.

    Args:
        requests: how many more may be made now.
        refusals: how many more refusals may be logged now.
        effects: how many more things that were done may be.
        untold: how many were done since that aren't logged.
        clients: how many are connected.
        watched: how many MPTCP connections they watch.
    """

    requests: TokenBucket
    refusals: TokenBucket
    effects: TokenBucket
    untold: int = 0
    clients: int = 0
    watched: int = 0


class Users:
    """All users that are connected, or were a moment ago: who comes back has no new share."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._users: dict[int, User] = {}

    def find(self, number: int, now: float) -> User:
        """Find a user by its id, or make it known."""
        if number not in self._users:
            if len(self._users) >= _MANY:
                self._forget(now)
            self._users[number] = User(
                TokenBucket(self._rules.requests_per_second, now),
                TokenBucket(_REFUSALS_LOGGED, now),
                TokenBucket(_EFFECTS_LOGGED, now),
            )
        return self._users[number]

    def _forget(self, now: float) -> None:
        self._users = {
            number: user
            for number, user in self._users.items()
            if user.clients or not user.requests.full(now)
        }
