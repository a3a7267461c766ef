"""Whether a transfer that failed is tried again, and when; curl's rules."""

from __future__ import annotations

from dataclasses import dataclass

from ..exits import ExitCode, Failure

STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that say "not now" rather than "no"; curl's list."""

_PASSING = frozenset(
    {
        ExitCode.RESOLVE,
        ExitCode.CONNECT,
        ExitCode.TRUNCATED,
        ExitCode.TIMEOUT,
        ExitCode.EMPTY,
        ExitCode.SEND,
        ExitCode.RECEIVE,
    }
)
"""What may be over at the next attempt. curl leaves out those in mid-body, since it can't be sure
to go on with the same version; here that is verified."""

_LASTING = frozenset(
    {
        ExitCode.USAGE,
        ExitCode.URL,
        ExitCode.WRITE,
        ExitCode.READ,
        ExitCode.CA_FILE,
        ExitCode.DIGEST,
        ExitCode.LARGE,
        ExitCode.STRATEGY,
        ExitCode.LATE,
        ExitCode.BUG,
    }
)
"""What lies on this machine, so that no attempt mends it."""

_FIRST = 1.0
_MOST = 600.0
_MOST_ASKED = 6 * 3600.0
"""Seconds of a Retry-After that are waited; curl's limit, too."""


class Busy(Failure):
    """The server says "not now".

    Args:
        what: one sentence.
        after: seconds that it asks to wait (Retry-After), or None.
    """

    def __init__(self, what: str, after: float | None) -> None:
        super().__init__(ExitCode.HTTP, what)
        self.after = after


@dataclass(frozen=True)
class Retry:
    """How often and when to try again.

    Args:
        times: after the first attempt.
        delay: seconds before each; None is 1 s, doubled each time up to 10 minutes.
        max_time: seconds from the first attempt, after which none begins; None for no limit.
        all_errors: also what doesn't look as if it would pass.
        patience: seconds that an attempt may take; no server makes us wait longer for the next.
            None for no limit.
    """

    times: int = 0
    delay: float | None = None
    max_time: float | None = None
    all_errors: bool = False
    patience: float | None = None

    def wait(self, failure: Failure, tried: int, elapsed: float) -> float | None:
        """Return the seconds to wait before the next attempt, or None if there is to be none.

        Args:
            failure: why the last attempt ended.
            tried: attempts after the first so far.
            elapsed: seconds since the first began.
        """
        if tried >= self.times or not self._worth(failure):
            return None
        # The exponent is bounded, since 2.0**1024 overflows.
        wait = min(_FIRST * 2 ** min(tried, 10), _MOST) if self.delay is None else self.delay
        if isinstance(failure, Busy) and failure.after is not None:
            asked = min(failure.after, _MOST_ASKED)
            if self.patience is not None and asked > self.patience:
                return None
            wait = max(wait, asked)
        if self.max_time is not None and elapsed + wait > self.max_time:
            return None
        return wait

    def _worth(self, failure: Failure) -> bool:
        if self.all_errors:
            return failure.code not in _LASTING
        return isinstance(failure, Busy) or failure.code in _PASSING
