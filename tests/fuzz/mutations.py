"""Cheap mutations of bytes: what hypothesis makes is a seed for many more inputs."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from typing import TypeVar

_Input = TypeVar("_Input")
_EDGES = [0, 1, 2, 3, 4, 5, 7, 8, 16, 0x7F, 0x80, 0xFF, 0x4000, 0x7FFF, 0x8000, 0xFFFF, 0xFFFFFFFF]


def mutated(example: _Input, count: int) -> Iterator[_Input]:
    """Give the example, and so many mutations of it, always the same; one if it isn't bytes."""
    yield example
    if isinstance(example, bytes):
        chance = random.Random(zlib.crc32(example))
        for _ in range(count):
            data = bytearray(example)
            for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
                _mutate(data, chance)
            yield bytes(data)


def _mutate(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    match chance.randrange(6):
        case 0:
            _write(data, at, struct.pack("=B", chance.choice(_EDGES) & 0xFF))
        case 1:
            # Lengths and types have two bytes, and stand where a multiple of two is.
            _write(data, at & ~1, struct.pack("=H", chance.choice(_EDGES) & 0xFFFF))
        case 2:
            _write(data, at & ~3, struct.pack("=I", chance.choice(_EDGES)))
        case 3:
            _write(data, at, bytes([chance.randrange(256)]))
        case 4:
            del data[at : at + chance.randrange(1, 9)]
        case _:
            start = chance.randrange(len(data) + 1)
            data[at:at] = data[start : start + chance.randrange(1, 33)]


def _write(data: bytearray, at: int, value: bytes) -> None:
    """Write over what is there, and not beyond."""
    room = len(data) - at
    data[at : at + len(value)] = value[:room]
