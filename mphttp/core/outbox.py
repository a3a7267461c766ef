"""What is to be done, collected; and who is still there to hear an answer."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from .effects import Answer, Effect, Failure, Note, Trouble
from .subflow import SubflowRecord


class Outbox:
    """Effects in the order in which they are to be carried out."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._ended: set[Hashable] = set()

    def take(self) -> list[Effect]:
        """Return all of them, and forget them."""
        effects, self._effects = self._effects, []
        return effects

    def put(self, effect: Effect) -> None:
        """Add one."""
        self._effects.append(effect)

    def note(
        self,
        kind: str,
        subflow: SubflowRecord | None = None,
        detail: str = "",
        transfer: Hashable | None = None,
    ) -> None:
        """Have an event written down; see `Note`."""
        self.put(Note(kind, subflow, detail, transfer))

    def trouble(self, what: str, hint: str = "", transfer: Hashable | None = None) -> None:
        """Have a problem written down; see `Trouble`."""
        self.put(Trouble(what, hint, transfer))

    def answer(self, transfer: Hashable | None, subflow: SubflowRecord | None = None) -> None:
        """Answer a command, if it is somebody's who is still there."""
        if transfer is not None and transfer not in self._ended:
            self.put(Answer(transfer, subflow))

    def fail(self, transfer: Hashable | None, error: Exception, hint: str = "") -> None:
        """Answer a command with an exception, if it is somebody's who is still there."""
        if transfer is not None and transfer not in self._ended:
            self.put(Failure(transfer, error, hint))

    def has_ended(self, transfer: Hashable) -> bool:
        """Return whether a transfer has ended."""
        return transfer in self._ended

    def end(self, transfer: Hashable) -> None:
        """Give a transfer no more answers."""
        self._ended.add(transfer)

    def forget_all_but(self, transfers: Iterable[Hashable | None]) -> None:
        """Forget who has ended, but for those whose commands wait for a call."""
        self._ended.intersection_update(transfers)
