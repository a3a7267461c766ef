"""Durations and sizes, as people type them and as they read them."""

from __future__ import annotations

import re
from fractions import Fraction

_SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_LONGEST = 1e9
"""Seconds; more overflows in some call of the system."""
_DIGITS = 18
_POINT = re.compile(r"[0-9]{1,9}")
_BYTES = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("b", 1000), ("ib", 1024), ("", 1024))  # 200k is curl's
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)", re.IGNORECASE | re.ASCII)


def duration(text: str) -> float:
    """Parse a duration such as "10s", "500ms", "1m" or "7.5" into seconds.

    Raises:
        ValueError: it is none.
    """
    number, unit = _split(text)
    if unit not in _SECONDS:
        raise ValueError(f"{text!r} is no duration, such as 10s, 500ms or 1m")
    seconds = float(number) * _SECONDS[unit]
    if seconds > _LONGEST:
        raise ValueError(f"{text[:20]!r} is too long: no clock here counts beyond {_LONGEST:.0g} s")
    return seconds


def size(text: str) -> int:
    """Parse a size such as "64KiB", "1MB" or "4096" into bytes; the letters' case doesn't matter.

    Raises:
        ValueError: it is none, or no whole number of bytes.
    """
    number, unit = _split(text)
    factor = _BYTES.get(unit)
    if factor is None:
        raise ValueError(f"{text!r} is no size, such as 64KiB, 1MB or 4096")
    if len(number) > _DIGITS:
        raise ValueError(f"{text[:20]!r} is more than anything has")
    count = Fraction(number) * factor  # 1.1 MB is a whole number, though not in floating point
    if count.denominator != 1:
        raise ValueError(f"{text!r} is no whole number of bytes")
    return int(count)


def count(text: str) -> int:
    """Parse a whole number such as "3".

    Raises:
        ValueError: it is none.
    """
    if not text.isdecimal() or len(text) > _DIGITS:
        raise ValueError(f"{text[:20]!r} is no whole number, such as 3")
    return int(text)


def code_points(text: str) -> dict[str, int | str] | int | str:
    """Parse a DSCP such as "ef" or "46", or one for each interface such as "lte=ef,wifi=8".

    Raises:
        ValueError: some have an interface, and some none.
    """
    pairs = [part.rpartition("=") for part in text.split(",")]
    points = {name: int(point) if _POINT.fullmatch(point) else point for name, _, point in pairs}
    if len(points) != len(pairs) or ("" in points and len(points) > 1):
        raise ValueError(f"{text!r} is neither one DSCP nor one for each interface, such as lte=ef")
    return points.get("", points)


def _split(text: str) -> tuple[str, str]:
    match = _QUANTITY.fullmatch(text.strip())
    return (match[1], match[2].lower()) if match else ("", "?")


def words_for_size(count: float) -> str:
    """Write bytes as people read them, in powers of 1000: "10.0 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.95:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def words_for_rate(bytes_per_second: float) -> str:
    """Write a rate in the unit that links are sold in: "7.6 Mbit/s"."""
    bits = bytes_per_second * 8
    for unit in ("kbit/s", "Mbit/s"):
        bits /= 1000
        if bits < 999.95:
            return f"{bits:.1f} {unit}"
    return f"{bits / 1000:.1f} Gbit/s"
