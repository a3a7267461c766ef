"""One strategy at work on one transfer: the pure part of every engine, replay and simulator.

The caller renews the view, calls `advance`, carries out the command that comes back, tells the
outcome with `answer` or `fail`, and advances again; None says that the strategy waits or has ended.
"""

from __future__ import annotations

from typing import Any

from .commands import Close, Command, Expect, Open, SetBackup, SetOption, Until
from .strategy import Strategy
from .view import Transfer

_CRASHES = (Exception, SystemExit)
"""Whatever a user's strategy raises. One that calls `sys.exit` must not end an engine's thread."""
_MOST_STEPS = 10_000
"""Steps in a row at one moment; more is a strategy that waits for nothing and would never end."""


class Run:
    """The state of one strategy on one transfer.

    Attributes:
        waiting: what it waits for, or None.
        done: whether it has ended.
        crash: the exception that ended it, or None.
    """

    def __init__(self, strategy: Strategy, transfer: Transfer) -> None:
        self.waiting: Until | None = None
        self.done = False
        self.crash: BaseException | None = None
        self._transfer = transfer
        self._reply: Any = None
        self._failure: Exception | None = None
        try:
            self._steps = strategy.run(transfer)
        except _CRASHES as error:
            self._end(error)

    def advance(self) -> Command | None:
        """Step as far as the view allows.

        Returns:
            the next command to carry out, never an `Until`; None when it waits or has ended.
        """
        for _ in range(_MOST_STEPS):
            if self.done or (self.waiting is not None and not self.waiting.holds(self._transfer)):
                return None
            self.waiting = None
            command = self._resume()
            self._transfer.events = ()  # seen: they don't resume the strategy a second time
            if isinstance(command, Open | Close | SetBackup | SetOption):
                return command
            if isinstance(command, Expect):
                self._transfer.expect(command.seconds)
            else:
                self.waiting = command
        self._end(
            RuntimeError(f"the strategy took {_MOST_STEPS} steps without waiting for anything")
        )
        return None

    def answer(self, value: Any = None) -> None:
        """Tell the outcome of the last command: what the strategy's `yield` returns."""
        self._reply = value

    def fail(self, error: Exception) -> None:
        """Tell that the last command failed: what the strategy's `yield` raises."""
        self._failure = error

    def stop(self) -> None:
        """End the strategy: its transfer is over."""
        if not self.done:
            self._end(None)

    def _resume(self) -> Command | None:
        reply, failure, self._reply, self._failure = self._reply, self._failure, None, None
        try:
            command: Any = self._steps.throw(failure) if failure else self._steps.send(reply)
        except StopIteration:
            self._end(None)
            return None
        except _CRASHES as error:
            self._end(error)
            return None
        if not isinstance(command, Command):
            self._end(
                TypeError(
                    "a strategy yields Until, Open, Close, SetBackup, SetOption or Expect, "
                    f"not {command!r}"
                )
            )
            return None
        return command

    def _end(self, error: BaseException | None) -> None:
        self.done, self.crash, self.waiting = True, error, None
        steps = getattr(self, "_steps", None)
        if steps is None:
            return
        try:
            steps.close()
        except _CRASHES as closing:  # a `finally` of the user's that raises, or yields
            self.crash = self.crash or closing
