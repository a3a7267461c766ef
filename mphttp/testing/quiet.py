"""What a strategy may ask of a transfer and a made-up one has little to tell of."""

from __future__ import annotations


class QuietSource:
    """A part of `strategies.Source`: no peer is silent, and nothing waits anywhere.

    Attributes:
        expected: seconds after which the strategy last expected the body (`Expect`), or None.
    """

    expected: float | None = None

    def expect(self, seconds: float | None) -> None:
        """Record when the strategy expects the body."""
        self.expected = seconds

    def unread(self) -> None:
        """Return None: all that was delivered can be read."""

    def unacknowledged(self) -> int:
        """Return 0: the request has left."""
        return 0

    def owed_for(self) -> float:
        """Return 0: nothing is owed of a request."""
        return 0.0

    def asked_for(self) -> None:
        """Return None: the peer isn't asked whether it is there."""
