"""Opening in another way what a connection refused. Pure.

A subflow that the peer, or a middlebox, refuses can become a connection that fetches parts
(`mphttp.ranges`). Whether the response can be fetched so is known with its head only: until then a
refusal is kept, and the strategy waits for its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from mphttp.core import SubflowRecord
from mphttp.kernel.values import Path
from mphttp.strategies import Command, Open

from .request import Parts, Request

if TYPE_CHECKING:
    from .carrier import Carrier


class Opening(NamedTuple):
    """A subflow that a strategy asked for.

    Args:
        command: as it did.
        path: the command's, as the kernel knows it.
    """

    command: Open
    path: Path


class Otherwise:
    """What one transfer's strategy asked to be opened, until it is clear what came of it.

    Args:
        request: the transfer's.

    Attributes:
        instead: makes what the response comes over once its connection refuses a subflow; it takes
            the bytes of the body that were read. None where nothing does, or it was made.
    """

    def __init__(self, request: Request) -> None:
        self.instead: Callable[[int], Carrier | None] | None = None
        self._request = request
        self._opening: Opening | None = None
        self._refusal: Exception | None = None

    def ask(self, command: Command, path: Path | None) -> None:
        """Record what the strategy asks its connection for.

        Args:
            command: any.
            path: where an open leaves, if that reaches the peer.
        """
        self._opening = Opening(command, path) if isinstance(command, Open) and path else None

    def hint(self, hint: str) -> str:
        """Return a failed command's hint, with why parts don't help either."""
        why = self._request.not_in_parts
        if self._opening and self._request.parts is Parts.IF_REFUSED and why:
            return f"{hint}; nor can it be fetched in parts: {why}"
        return hint

    def keep(self, refusal: Exception, *, answered: bool, bodiless: bool) -> bool:
        """Keep a refusal for the head to decide; return False if it decides nothing any more.

        Args:
            refusal: what the strategy is told, should nothing open it otherwise.
            answered: whether the head is there.
            bodiless: whether the request has no body, so that the head comes soon.
        """
        waits = not answered and bodiless and self._request.multipath == "auto"
        if self._opening is not None and waits:
            self._refusal = refusal
            return True
        return False

    def take_refusal(self) -> Exception | None:
        """Return the refusal that was kept, which is not kept any longer."""
        refusal, self._refusal = self._refusal, None
        return refusal

    def take_opening(self, alive: Callable[[], Iterable[SubflowRecord]]) -> Opening | None:
        """Return what is to be opened in another way, if it is of use; it is asked for once.

        Args:
            alive: returns the subflows that carry data. A path that has one has its use already.
        """
        opening, self._opening = self._opening, None
        if opening is None or any(record.path == opening.path.name for record in alive()):
            return None
        return opening

    def go_over(self, received: int) -> Carrier | None:
        """Return what the response comes over from now on, if that is something else.

        Args:
            received: bytes of its body that were read.
        """
        other = self.instead(received) if self.instead is not None else None
        if other is not None:
            self.instead = None
        return other
