"""What tests of HTTP/2 by every door ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from .doors import DOORS, Door

HTTP2: Any = {"http1": False, "http2": True}
ONE_LIBRARY = [door for name, door in DOORS.items() if door.library is httpx]
SIZE = 300_000
PARTS = [bytes([n]) * 5000 for n in range(60)]


def once(door: Door, parts: list[bytes]) -> Any:
    """Make a body that can be read once."""

    def blocking() -> Iterator[bytes]:
        yield from parts

    async def not_blocking() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return blocking() if door.backend is None else not_blocking()
