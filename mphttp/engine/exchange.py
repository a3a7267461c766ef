"""One transfer, in both directions: where strategy, sender, reader and report meet.

It begins as its request leaves, knows the response once the head is there, and ends with the last
byte. A stream that isn't HTTP's is a transfer, too: one whose lengths nobody knows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError
from mphttp.report import SubflowReport
from mphttp.strategies import Event, SinglePath, Strategy, Transfer
from mphttp.strategies.commands import RESPONSE

from .account import Account
from .driven import Driven
from .guard import LOST_WITHIN
from .journal import Journal
from .otherwise import Otherwise
from .progress import Progress
from .resting import Resting
from .stepping import Stepping

if TYPE_CHECKING:
    from .carrier import Carrier
    from .request import Request

_ERROR = 400
"""The first status that isn't a success, or on the way to it."""
_AT_ONCE = 64 * 1024
"""Bytes of a request that leave before a strategy could do anything about it."""


class Exchange(Driven):
    """A request and its response on their way, or a stream of bytes in both directions.

    `begin` is called before the first byte of the request leaves, `wrote` before each part of its
    body does, `complete` after the last, `respond` at the response's head (a stream has none), and
    `finish` in any case. The reading side does two things a chunk: it adds to `received` and
    compares with `threshold`. The lock of the connection is held for moments only, around what
    several threads change: never while the strategy runs (`stepping`), or a call is made.

    Args:
        carrier: what it goes over.
        request: what is asked for.

    Attributes:
        status: the response's status code, 0 until its head is there.
        length: bytes of the response's body; None while that isn't known.
        engaged: whether the engine has anything to do with it, which stays so on one carrier.
    """

    def __init__(self, carrier: Carrier, request: Request) -> None:
        self.received = 0
        self.threshold = math.inf
        self.status = 0
        self.length: int | None = None
        self.engaged = False
        self.journal = Journal(strict=request.strict)
        self._carrier = carrier
        self._request = request
        request.sent_at = request.sent_at or time.monotonic()
        self._account = Account(request.sent_at)
        self._progress = Progress(request.length, request.sent_at)
        self._otherwise = Otherwise(request)
        self._resting = Resting()
        self._rows: dict[Carrier, list[SubflowReport] | None] = {carrier: None}
        self._started = False
        strategy = SinglePath() if request.multipath == "off" else request.strategy
        self._stepping = self._new_stepping(strategy)
        for what, hint in request.problems:
            self.problem(what, hint)

    def _new_stepping(self, strategy: Strategy) -> Stepping:
        return Stepping(strategy, Transfer(None, self), self._carrier, self.problem)

    def begin(self) -> None:
        """Record that the request is about to leave; its strategy is at work if that helps already.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        carrier, account = self._carrier, self._account
        with carrier.lock:
            account.before = carrier.enter(self)
            account.gone = carrier.gone()
        if self._progress.length != 0 and self._large:
            self._tell_obstacle()
        if self._begins_early:
            self._progress.counts = self._progress.length != 0
            self._start()
            self.check()

    @property
    def _large(self) -> bool:
        """Whether so much is to be sent that a strategy has something to decide."""
        length = self._progress.length
        return length is None or length > _AT_ONCE

    @property
    def _begins_early(self) -> bool:
        """Whether the strategy begins before the head of the response is there."""
        if not self.wants_subflows or not (self._stepping.strategy.early or self._large):
            return False
        return self._carrier.missing() is None and not self._carrier.wants_parts(self._request)

    def begin_stream(self) -> None:
        """Do as `begin`, for a stream without an end that is known.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self._ask()
        self.begin()

    def wrote(self, size: int) -> None:
        """Record that bytes of the request's body are about to leave.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        with self._carrier.lock:
            self._progress.wrote(size, self._carrier.outgoing)
        if self.resting:
            self.stir()
        self.check()

    def complete(self) -> None:
        """Record that all of the request was written."""
        self._progress.complete = True

    def respond(
        self,
        status: int,
        length: int | None,
        carrier: Carrier | None = None,
        instead: Callable[[int], Carrier | None] | None = None,
    ) -> None:
        """Record that the head of the response is there.

        Args:
            status: its status code.
            length: bytes of its body, or None.
            carrier: what the body comes over, where that isn't the request's connection alone.
            instead: makes what the body comes over once the connection refuses a subflow; it takes
                the bytes of it that were read.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self._otherwise.instead = instead  # before a refusal finds that the head is there
        self.status, self.length, self._progress.answered = status, length, True
        self._carrier.answered()
        if carrier is not None and carrier is not self._carrier:
            self._move(carrier)
        self._tell_obstacle()
        self._open_what_was_refused()
        if self._started:
            self._tell_head()
        else:
            self._start()
        self.check()

    def switch(self, status: int) -> None:
        """Record that the connection is a stream of bytes from here on, of whatever protocol.

        Args:
            status: of the response that says so.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self.status = status
        self._progress = Progress(None, time.monotonic())
        self._progress.counts = True
        self._tell_obstacle()
        self._ask()
        if not self._started:
            self._start()
        self.check()

    def _move(self, carrier: Carrier) -> None:
        """Go on over something else, where the strategy begins anew."""
        before, account = self._carrier, self._account
        with before.lock:
            before.withdraw(self)
        self._stepping.stop()
        with carrier.lock:
            self._carrier, self._started, self._rows = carrier, False, {carrier: None}
            self.engaged = False
            self._otherwise.take_refusal()
            self._stepping = self._new_stepping(self._stepping.strategy)
            account.before = carrier.enter(self)
            account.gone = carrier.gone()

    def _tell_obstacle(self) -> None:
        """Say once what keeps the strategy from opening anything."""
        if not self.journal.obstacle_told and self.wants_subflows:
            self.journal.obstacle_told = True
            if (problem := self._request.obstacle(self._carrier.missing())) is not None:
                self.problem(*problem)

    def _tell_head(self) -> None:
        """Let a strategy that is at work see the length of the response."""
        stepping = self._stepping
        with self._carrier.lock:
            at = round(time.monotonic() - self.sent_at, 6)
            stepping.unseen.append(Event(at, RESPONSE))
        if stepping.waits_for(RESPONSE):
            self._go_on()

    def _start(self) -> None:
        """Take the first step; the engine hears of it only if there is something to do or await."""
        if not self._stepping.prompt:
            self.engaged = True
        self._started = True  # from here on the engine may step it, if it turns for others
        self._go_on()

    def _go_on(self) -> None:
        """Take a step, if that is known to be short, or have the engine take it."""
        carrier = self._carrier
        if self._stepping.prompt and not self.engaged:
            self._stepping.command = self._step(time.monotonic())
        wanted = self._time_wanted()
        at_once = self._stepping.command is not None or self.engaged
        if (at_once or wanted is not None) and not carrier.engine.start():
            self._do_without(carrier.engine.failure)
        elif at_once:
            carrier.engine.wake(carrier)
        elif wanted is not None:
            carrier.engine.wake_at(carrier, wanted)

    def _do_without(self, failure: KernelError | None) -> None:
        """End the strategy, since there is no thread for it."""
        self.engaged, self.threshold, self._stepping.command = False, math.inf, None
        self._stepping.stop()
        if failure is not None:
            self.problem(str(failure), failure.hint)

    def check(self) -> None:
        """Raise what a strict transfer raises.

        Raises:
            StrategyProblem: `strict`, and something didn't work.
        """
        failure = self.journal.failure
        if failure is not None:
            # A new one: what is kept must not keep, with its traceback, all that read the body.
            raise StrategyProblem(failure.what, failure.hint)

    def crossed(self) -> None:
        """Tell the engine that `received` has reached `threshold`.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self.check()
        self.threshold = math.inf
        self._carrier.engine.wake(self._carrier)

    def finish(self, *, whole: bool) -> None:
        """End the response; what the strategy opened is closed after it, which isn't waited for.

        Args:
            whole: whether the body came to its end.
        """
        carrier, account, stepping = self._carrier, self._account, self._stepping
        if account.ended_at is None:
            self._look_at_the_end()
            if whole and self.status < _ERROR:
                self._progress.accepted(carrier.outgoing)
        with carrier.lock:
            if account.ended_at is not None:
                return
            ended_at = time.monotonic()
            account.ended_at = ended_at
            account.whole = whole or (self.answered and self.received == self.length)
            stepping.end(ended_at)
            account.after = carrier.leave(self, ended_at, whole=account.whole)
        if not self._started:
            stepping.skip()
        elif stepping.prompt or not self.engaged:
            stepping.stop()
        elif self._request.strict:  # what goes wrong at the very end is an error, too
            stepping.wait(LOST_WITHIN)

    def _look_at_the_end(self) -> None:
        self.bytes_sent()
        if self.engaged:
            self._carrier.renew_paths()  # a path that went at the very end is to be told, too
        self._tell_obstacle()

    @property
    def busy(self) -> bool:
        """Whether something that was asked for is under way: an open, or a subflow that drains."""
        return self._stepping.pending or self._carrier.busy

    @property
    def settled(self) -> bool:
        """Whether what the report says is final, as far as the response has ended."""
        final = all(rows is not None for rows in self._rows.values())
        return self._account.ended_at is None or not self.engaged or final
