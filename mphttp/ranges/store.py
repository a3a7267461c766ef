"""What came before it is wanted: in memory up to a limit, then in a file."""

from __future__ import annotations

import os
import tempfile
from typing import IO, NamedTuple

MEMORY = 8 << 20
"""Bytes that are kept in memory; what comes beyond goes to a temporary file."""
_PIECE = 64 * 1024
"""Bytes that are read from the file at once."""


class Place(NamedTuple):
    """A file in which each byte has its place already.

    Args:
        descriptor: of the file, to read and to write.
        offset: where in it the body begins.
    """

    descriptor: int
    offset: int


class Store:
    """Pieces of a body, by their offsets; no two overlap.

    Args:
        place: where pieces go at once; None keeps them in memory, then in a temporary file.
        memory: bytes that may be in memory.

    Attributes:
        held: bytes in memory now.
    """

    def __init__(self, place: Place | None = None, memory: int = MEMORY) -> None:
        self.held = 0
        self._memory = 0 if place else memory
        self._place = place
        self._file: IO[bytes] | None = None
        self._pieces: dict[int, bytes | int] = {}  # by offset: the bytes, or their number on disk

    def put(self, offset: int, data: bytes) -> None:
        """Keep a piece.

        Raises:
            OSError: it couldn't be written.
        """
        if self.held + len(data) <= self._memory:
            self.hold(offset, data)
            return
        place = self._on_disk()
        rest, at = memoryview(data), place.offset + offset
        while rest:
            written = os.pwrite(place.descriptor, rest, at)
            rest, at = rest[written:], at + written
        self._pieces[offset] = len(data)

    def hold(self, offset: int, data: bytes) -> None:
        """Keep a piece in memory, whatever is there already."""
        self._pieces[offset] = bytes(data)
        self.held += len(data)

    def take(self, offset: int) -> bytes:
        """Return what is here from an offset on, a piece at a time; b"" for nothing.

        Raises:
            OSError: it couldn't be read.
        """
        piece = self._pieces.pop(offset, b"")
        if isinstance(piece, bytes):
            self.held -= len(piece)
            return piece
        place = self._on_disk()
        data = os.pread(place.descriptor, min(piece, _PIECE), place.offset + offset)
        if not data:
            raise OSError("the temporary file lost what was written to it")
        if len(data) < piece:
            self._pieces[offset + len(data)] = piece - len(data)
        return data

    def _on_disk(self) -> Place:
        if self._place is None:
            self._file = tempfile.TemporaryFile(prefix="mphttp-")  # noqa: SIM115  until `close`
            self._place = Place(self._file.fileno(), 0)
        return self._place

    def close(self) -> None:
        """Forget everything; the temporary file is gone."""
        self._pieces.clear()
        self.held = 0
        if self._file is not None:
            self._file.close()
            self._file = self._place = None
