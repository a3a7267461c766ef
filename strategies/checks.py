"""Checks of parameters: a bad one is a ValueError that says what is allowed."""

from __future__ import annotations

import math
from typing import Any


def positive_bytes(name: str, value: Any) -> None:
    """Refuse what isn't a whole, positive number of bytes.

    Raises:
        ValueError: it isn't.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(
            f"{name} must be a positive whole number of bytes, such as 1048576, not {value!r}"
        )


def positive_seconds(name: str, value: Any) -> None:
    """Refuse what isn't a positive, finite number of seconds.

    Raises:
        ValueError: it isn't.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise ValueError(
            f"{name} must be a positive, finite number of seconds, such as 7.5, not {value!r}"
        )


def whole_number(name: str, value: Any, least: int, example: int) -> None:
    """Refuse what isn't a whole number of at least so much.

    Raises:
        ValueError: it isn't.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"{name} must be a whole number of {least} or more, such as {example}, not {value!r}"
        )


def share(name: str, value: Any) -> None:
    """Refuse what isn't a number above 0 and below 1.

    Raises:
        ValueError: it isn't.
    """
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"{name} must be a share above 0 and below 1, such as 0.1, not {value!r}")


def one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse what isn't one of a few words.

    Raises:
        ValueError: it isn't.
    """
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")


def path_name(name: str, value: Any) -> None:
    """Refuse what isn't an interface's name or None.

    Raises:
        ValueError: it isn't.
    """
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError(
            f"{name} must be the name of an interface, such as 'wlan0', or None, not {value!r}"
        )
