"""What came of a request."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from mphttp.report import Report

from .request import Target

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class CurlResponse:
    """A whole response.

    Args:
        url: where it came from, after all redirects.
        status: the status code.
        headers: the header fields.
        content: the body as it came over the wire, b"" where it went elsewhere.
        http_version: such as "HTTP/1.1" or "HTTP/2".
        report: what happened.
    """

    url: str
    status: int
    headers: httpx.Headers
    content: bytes
    http_version: str
    report: Report


class Sink:
    """Where the body of a response goes.

    Args:
        to: what the caller gave.
    """

    def __init__(self, to: Target | None) -> None:
        self._to = to
        self._parts: list[bytes] = []
        self._file: IO[bytes] | None = None
        self.receive = self._receiver(to)

    def _receiver(self, to: Target | None) -> Callable[[bytes], object]:
        if to is None:
            return self._parts.append
        if isinstance(to, str | os.PathLike):
            return self._to_file
        return to if callable(to) else to.write

    @property
    def content(self) -> bytes:
        """The body, where it is kept in memory."""
        return b"".join(self._parts)

    def _to_file(self, chunk: bytes) -> None:
        self._open().write(chunk)

    def _open(self) -> IO[bytes]:
        if self._file is None:
            assert isinstance(self._to, str | os.PathLike)
            self._file = open(self._to, "wb")  # noqa: SIM115  close is this object's
        return self._file

    def close(self, *, whole: bool) -> None:
        """Close a file that was opened here.

        Args:
            whole: the body came to its end: an empty one makes an empty file.
        """
        if whole and isinstance(self._to, str | os.PathLike):
            self._open()
        if self._file is not None:
            self._file.close()
