"""The transfers that come over one connection: under way, or ended and not settled yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .driven import Driven

if TYPE_CHECKING:
    from .carrier import Carrier


class Transfers:
    """The transfers of one connection; the connection's lock guards it.

    Attributes:
        under_way: those that haven't ended, oldest first.
        ended: those that have, and whose subflows are still to be closed.
    """

    def __init__(self) -> None:
        self.under_way: list[Driven] = []
        self.ended: list[Driven] = []
        self._orphans: list[Driven] = []  # their strategies are still to be stopped

    @property
    def engaged(self) -> bool:
        """Whether the engine has anything to do with one that is under way."""
        return any(transfer.engaged for transfer in self.under_way)

    @property
    def resting(self) -> bool:
        """Whether there are some, and all are streams that rest."""
        under_way = self.under_way
        return bool(under_way) and all(transfer.resting for transfer in under_way)

    @property
    def sending(self) -> bool:
        """Whether the peer lacks something of the body of any of their requests."""
        return any(transfer.sends for transfer in self.under_way)

    def concerned(self, transfer: object) -> list[Driven]:
        """Return those that are to hear of what concerns one of them, or, for None, all."""
        if transfer is None:
            return list(self.under_way)
        return [transfer] if isinstance(transfer, Driven) else []

    def take_ended(self) -> list[Driven]:
        """Return those that have ended, for whoever settles them."""
        ended, self.ended = self.ended, []
        return ended

    def begun_by(self, now: float) -> float:
        """Return when the oldest that is under way began; now, where none is."""
        return min((transfer.sent_at for transfer in self.under_way), default=now)

    def bound_to(self, carrier: Carrier) -> list[Driven]:
        """Return those under way that have nothing but a connection to go on over."""
        return [transfer for transfer in self.under_way if transfer.comes_over(carrier)]

    def end_all(self, carrier: Carrier) -> bool:
        """End all, since their connection is closed; return whether any strategy is to be stopped.

        Those that turned to something else go on over that.
        """
        self._orphans += self.ended + self.bound_to(carrier)
        self.under_way, self.ended = [], []
        return any(transfer.engaged for transfer in self._orphans)

    def stop_orphans(self) -> None:
        """Stop the strategies of transfers whose connection is closed."""
        while self._orphans:
            self._orphans.pop().stop()

    def disown(self) -> None:
        """Leave to the parent process what is still to be stopped."""
        self._orphans.clear()
