"""What bounds a peer: the windows of HTTP/2 (RFC 9113, section 5.2), and patience."""

from __future__ import annotations

from .http2_errors import Broken, Code

LARGEST_WINDOW = 2**31 - 1
"""Bytes (RFC 9113, section 6.9.1)."""
_PATIENCE = 10_000.0
"""Frames in a row that may bring nothing: a server that is slow, or odd, sends some hundreds."""
_AGAIN = 100.0
"""Of them, how many more there may be for each second."""


class ReceiveWindow:
    """How many bytes a peer may still send.

    Args:
        size: bytes that it may be ahead of the reader.
        step: bytes that are read before it is told of them, soon enough for it never to wait.
    """

    def __init__(self, size: int, step: int) -> None:
        self.size = self._left = size
        self._step = step
        self._read = 0

    def came(self, size: int) -> bool:
        """Count bytes that came; return whether they were allowed."""
        self._left -= size
        return self._left >= 0

    def was_read(self, size: int) -> int:
        """Count bytes that were read; return how many the peer is to be allowed now."""
        self._read += size
        if self._read < self._step:
            return 0
        given, self._read = self._read, 0
        self._left += given
        return given

    def grow(self, more: int) -> None:
        """Let the peer be further ahead."""
        self.size += more
        self._left += more
        self._step = self.size // 2


class Patience:
    """Ends a flood of frames that cost time and bring nothing, such as PING or empty DATA."""

    def __init__(self) -> None:
        self._left = _PATIENCE
        self._at = 0.0

    def tried(self, now: float) -> None:
        """Count a frame that brought nothing.

        Args:
            now: seconds.

        Raises:
            Broken: there were too many.
        """
        self._left = min(_PATIENCE, self._left + (now - self._at) * _AGAIN) - 1
        self._at = now
        if self._left < 0:
            raise Broken("a flood of frames that bring nothing", Code.ENHANCE_YOUR_CALM)

    def rewarded(self) -> None:
        """Begin anew: something has moved."""
        self._left = _PATIENCE
