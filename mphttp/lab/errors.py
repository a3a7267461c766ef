"""The lab's errors: each says what went wrong in one sentence, and what to do about it."""

from __future__ import annotations


class LabError(Exception):
    """The lab could not be made, or refused a request.

    Args:
        what: one sentence that says what went wrong.
        hint: what to do about it, or "".
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\nhint: {self.hint}" if self.hint else self.what


class LinkError(LabError, ValueError):
    """A link's description has no meaning."""
