"""One request, from before its connection is made to the head of its response."""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import Any, Self

from mphttp.strategies import SinglePath, Strategy


@dataclass(slots=True)
class Request:
    """A request on its way out.

    As a context manager it is the current one: connections that are made meanwhile start where its
    strategy wants, and what is sent meanwhile is its own.

    Args:
        url: what is asked for.
        strategy: what decides.
        strict: whether a problem ends the transfer.

    Attributes:
        problems: what didn't work while connecting, each with what mends it; the report tells.
        sent_at: when its last byte was sent, of `time.monotonic`.
    """

    url: str
    strategy: Strategy
    strict: bool = False
    problems: list[tuple[str, str]] = field(default_factory=list)
    sent_at: float = field(default_factory=time.monotonic)
    _token: Token[Request | None] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)


_current: ContextVar[Request | None] = ContextVar("mphttp_current_request", default=None)


def current_request() -> Request | None:
    """Return the request that is being sent right now in this thread or task, or None."""
    return _current.get()


def checked_strategy(strategy: Any) -> Strategy:
    """Return the strategy that a caller gave; None stands for one that opens nothing.

    Raises:
        ValueError: it isn't one.
    """
    if strategy is None:
        return SinglePath()
    if not isinstance(strategy, Strategy):
        raise ValueError(f"strategy must be a Strategy, such as Deadline(10), not {strategy!r}")
    return strategy
