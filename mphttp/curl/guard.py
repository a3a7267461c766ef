"""What callbacks of libcurl's raise: pycurl would print it, and drop it."""

from __future__ import annotations

import time
from collections.abc import Callable

from .message import Answer, Arguments, Refusal


class Guard:
    """Keeps it for the caller.

    Attributes:
        failure: what was raised first, or what else ended the transfer too early; None for nothing.
        active_at: when libcurl had something to tell last, of `time.monotonic`.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.active_at = time.monotonic()

    def __call__(
        self, function: Callable[Arguments, Answer], refusal: Refusal
    ) -> Callable[Arguments, Answer | Refusal]:
        """Return a function that raises nothing.

        Args:
            function: what is to be called.
            refusal: what libcurl is given where it raises.
        """

        def call(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer | Refusal:
            try:
                self.active_at = time.monotonic()
                return function(*arguments, **named)
            except BaseException as error:
                self.fails(error)
                return refusal

        return call

    def fails(self, error: BaseException) -> None:
        """Keep what ended it; what follows from that is no news."""
        if self.failure is None:
            self.failure = error
