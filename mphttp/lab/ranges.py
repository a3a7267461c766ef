"""Which bytes a Range field asks for (RFC 9110, section 14)."""

from __future__ import annotations

import re

_SINGLE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*")


class UnsatisfiableError(ValueError):
    """The range lies beyond the representation (RFC 9110, section 15.5.17)."""


def choose(field: str | None, size: int) -> range | None:
    """Return the bytes to send, or None for all of them.

    A field with several ranges, another unit or bad syntax counts as absent, as it may.

    Args:
        field: value of the Range field, or None.
        size: of the representation, in bytes.

    Raises:
        UnsatisfiableError: no byte of the range exists.
    """
    match = _SINGLE.fullmatch(field or "")
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        chosen = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        chosen = range(int(first), min(int(last) + 1, size) if last else size)
    if not chosen:
        raise UnsatisfiableError(field)
    return chosen
