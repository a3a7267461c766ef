"""What a report asks a transfer for (report.Exchange)."""

from __future__ import annotations

import time
from itertools import chain
from typing import TYPE_CHECKING

from mphttp.report import DeadlineReport, Problem, SubflowReport
from mphttp.strategies import Event

from .account import Account
from .journal import Journal
from .stepping import Stepping

if TYPE_CHECKING:
    from .carrier import Carrier
    from .request import Request


class Told:
    """A transfer, as far as its report reads it.

    Attributes:
        engaged: whether the engine has anything to do with it.
        journal: its events and problems.
    """

    engaged: bool
    journal: Journal
    _carrier: Carrier
    _request: Request
    _account: Account
    _stepping: Stepping
    _rows: dict[Carrier, list[SubflowReport] | None]  # of all that it came over; None: not final

    @property
    def url(self) -> str:
        """What was asked for."""
        return self._request.url

    @property
    def events(self) -> list[Event]:
        """What happened to its subflows."""
        return self.journal.events

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What didn't work."""
        return self.journal.problems

    @property
    def sent_at(self) -> float:
        """When the request began to leave, in seconds of the engine's clock."""
        return self._account.sent_at

    @property
    def seconds(self) -> float:
        """Seconds from the request to the end of the response, or to now.

        As exact as the times of events and subflows: one that ended with the response ended then.
        """
        return round((self._account.ended_at or time.monotonic()) - self.sent_at, 6)

    @property
    def protocol(self) -> str:
        """The protocol of the connection."""
        return self._carrier.protocol

    @property
    def mechanism(self) -> str:
        """What carried out the calls."""
        return self._carrier.mechanism_name

    @property
    def strategy(self) -> dict[str, object]:
        """Name and parameters of the strategy."""
        return {"name": self._request.strategy.name, **self._request.strategy.parameters()}

    @property
    def deadline(self) -> DeadlineReport | None:
        """The deadline and whether it was met."""
        seconds = self._request.strategy.deadline
        if seconds is None:
            return None
        if self._account.ended_at is None:
            return DeadlineReport(seconds, met=None, expected=self.journal.expected)
        met = self._account.whole and self.seconds <= seconds
        return DeadlineReport(seconds, met=met, expected=self.journal.expected)

    @property
    def path_names(self) -> tuple[str, ...]:
        """Names of the paths, preferred first."""
        return tuple(path.name for path in self._carrier.paths())

    @property
    def subflow_reports(self) -> tuple[SubflowReport, ...]:
        """Every subflow that was alive during the response."""
        carrier, account = self._carrier, self._account
        with carrier.lock:
            if account.ended_at is None:
                carrier.look(time.monotonic())
            elif not self.engaged and self._rows.get(carrier) is None:
                self._rows[carrier] = carrier.rows(account, account.table(carrier.new_table()))
            rows = [rows or one.rows(account) for one, rows in self._rows.items()]
        return tuple(sorted(chain.from_iterable(rows), key=lambda row: row.opened_at))

    def wait(self, timeout: float) -> bool:
        """Wait until the strategy of a response that has ended is done, too; return whether it is.

        Args:
            timeout: seconds, at most.
        """
        return self._stepping.wait(0.0 if self._account.ended_at is None else timeout)
