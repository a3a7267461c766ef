"""The body of `/bytes/N`: the same for everybody, never held in memory, no two kilobytes alike.

Every kilobyte starts with its own number. A segment that is lost, repeated or put elsewhere
therefore changes the checksum, which plain repeated filler would not.
"""

from __future__ import annotations

import hashlib
import random
import sys
from array import array
from collections.abc import Iterator
from functools import lru_cache

MAX_SIZE = 2**40
"""Largest body in bytes."""

BLOCK = 64 * 1024
"""Bytes that are made at a time."""

_UNIT = 1024
_UNITS = BLOCK // _UNIT
_STAMP = 8  # bytes of a unit's number, big-endian, so that every machine makes the same content
_FILLER = random.Random(8684).randbytes(BLOCK)


def blocks(size: int, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield bytes `start` to `stop` of the body of `size` bytes, at most 64 KiB at a time.

    Args:
        size: of the whole body, in bytes.
        start: first byte, counted from 0.
        stop: the byte after the last one; None for the end.
    """
    stop = size if stop is None else min(stop, size)
    while start < stop:
        index, skip = divmod(start, BLOCK)
        piece = _block(index)[skip : skip + stop - start]
        yield piece
        start += len(piece)


@lru_cache(maxsize=256)
def sha256_of(size: int) -> bytes:
    """Return the SHA-256 digest of the body of `size` bytes; a second time it costs nothing."""
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    return digest.digest()


def _block(index: int) -> bytes:
    """Make one block: filler, with a number written over the start of every unit."""
    stamps = array("Q", range(index * _UNITS, (index + 1) * _UNITS))
    if sys.byteorder == "little":
        stamps.byteswap()
    block = bytearray(_FILLER)
    memoryview(block).cast("Q")[:: _UNIT // _STAMP] = memoryview(stamps)
    return bytes(block)
