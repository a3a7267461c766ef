"""Strategies stepped where the body is read, as the paper's modified curl did (section 4).

No thread: a strategy runs when a piece of the body has come, and while it opens or closes a subflow
nothing is read. So not a byte is read beyond a threshold before what it asked for is done. What
only time brings is seen when the next piece comes, as in the paper.
"""

from __future__ import annotations

import select
import time

from mphttp.engine import Engine, Exchange
from mphttp.engine.loop import Woken
from mphttp.kernel.mechanism import Mechanism

_LONGEST = 0.05
"""Seconds between two looks, should an event be lost."""


class Stepper(Engine):
    """An engine without a thread: its turns are taken by whoever reads."""

    def step(self, exchange: Exchange) -> None:
        """Run what is due, and come back when nothing that was asked for is under way."""
        self._turns()
        while exchange.busy:
            self._wait()
            self._turns()

    def count(self, exchange: Exchange, size: int) -> None:
        """Count bytes of the body, and stop at each threshold among them.

        Args:
            exchange: whose body it is.
            size: how many bytes have come.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        end = exchange.received + size
        while True:
            exchange.received = int(min(end, max(exchange.received, exchange.threshold)))
            if exchange.received >= exchange.threshold:
                exchange.crossed()
            self.step(exchange)
            if exchange.received == end:
                return

    def settle(self, exchange: Exchange) -> None:
        """Close what a response that has ended leaves behind, so that its report is final."""
        if not exchange.settled:
            self._turns()

    def close(self) -> None:
        """Let go of the mechanisms' descriptors; reports still ask for their names."""
        self._mechanisms.close()

    def wake(self, connection: Woken) -> None:
        """Give a connection a turn at the next step."""
        self._woken.append(connection)

    def start(self) -> bool:
        """Need nothing."""
        return True

    def _adopt(self, mechanism: Mechanism) -> None:
        """Need nothing: what waits is read at each step."""

    def _turns(self) -> None:
        for mechanism in self._mechanisms.all():
            self._pass_on(mechanism.events())
        while ready := self._ready(time.monotonic()):
            for connection in ready:
                self._turn(connection)

    def _wait(self) -> None:
        """Sleep until an event comes, or a connection is to have its turn."""
        poll = select.poll()
        for mechanism in self._mechanisms.all():
            if (events := mechanism.fileno()) is not None:
                poll.register(events, select.POLLIN)
        due = self._timers.next - time.monotonic()
        poll.poll(1e3 * min(max(due, 0.0), _LONGEST))
