"""What a link is, and how people write it: `wifi=8mbit,20ms,loss=1%`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .errors import LinkError

MTU = 1500
"""Largest IP packet on a link, and the size of a trace's delivery opportunity, in bytes."""

HINT = "wifi=8mbit,20ms"

_RATES = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
_TIMES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_SIZES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}
# Linux takes up to 15 bytes for an interface's name; these characters need no quoting anywhere.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)([A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Link:
    """One path between client and server, the same in both directions.

    Args:
        name: of the link and of its interface, at most 15 letters, digits, `_`, `.` and `-`.
        delay: one-way delay in seconds.
        rate: bits of IP packets a second; None where a trace gives it.
        trace: milliseconds at which 1500 bytes can be delivered, ascending; the last one is the
            period after which it starts again (Mahimahi's format). Empty where there is a rate.
        loss: the share of carried packets that get lost, 0 to 1.
        queue: bytes that wait at most, the packet under way included; None stands for the larger
            of 32 full packets and 100 ms of the rate.

    Raises:
        LinkError: a value is out of its range.
    """

    name: str
    delay: float
    rate: float | None = None
    trace: tuple[int, ...] = ()
    loss: float = 0.0
    queue: int | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == "lo":
            raise LinkError(f"{self.name!r} can't be the name of an interface.", HINT)
        if (self.rate is None) != bool(self.trace):
            raise LinkError(f"{self.name} needs a rate or a trace, one of the two.", HINT)
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate >= 1):
            raise LinkError(f"The rate of {self.name} must be 1 bit/s or more.", HINT)
        if self.trace and not _is_trace(self.trace):
            raise LinkError(
                f"The trace of {self.name} isn't ascending milliseconds with the last above 0.",
                "one whole number a line, such as 0, 3, 12",
            )
        if not 0 <= self.delay <= 60:
            raise LinkError(f"The delay of {self.name} must be from 0 to 60 s.", HINT)
        if not 0 <= self.loss <= 1:
            raise LinkError(f"The loss of {self.name} must be from 0% to 100%.", f"{HINT},loss=1%")
        if self.queue is not None and self.queue < MTU:
            raise LinkError(
                f"The queue of {self.name} must hold at least one packet of {MTU} bytes.",
                f"{HINT},queue=50kB",
            )

    @property
    def mean_rate(self) -> float:
        """Bits a second, for a trace its average."""
        if self.rate is not None:
            return self.rate
        return len(self.trace) * MTU * 8 / (self.trace[-1] / 1000)

    @property
    def queue_bytes(self) -> int:
        """Bytes that wait at most, with the default worked out."""
        if self.queue is not None:
            return self.queue
        return max(32 * MTU, round(self.mean_rate / 8 * 0.1))


def parse_link(text: str) -> Link:
    """Read a link such as `wifi=8mbit,20ms,loss=1%,queue=50kB` or `lte=50ms,trace=FILE`.

    Raises:
        LinkError: with one sentence that says what is wrong, and an example.
    """
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise LinkError(f"{text!r} is not a link: a name, `=`, a rate and a delay are.", HINT)
    values = dict(_part(part, text) for part in rest.split(","))
    if len(values) != rest.count(",") + 1:
        raise LinkError(f"{text!r} gives the same thing twice.", HINT)
    if "delay" not in values:
        raise LinkError(f"{text!r} has no delay.", HINT)
    trace = parse_trace(Path(values["trace"])) if "trace" in values else ()
    rate = parse_rate(values["rate"]) if "rate" in values else None
    link = Link(
        name, parse_time(values["delay"]), rate, trace, parse_share(values.get("loss", "0%"))
    )
    return change(link, queue=values["queue"]) if "queue" in values else link


def change(
    link: Link,
    *,
    rate: str | None = None,
    delay: str | None = None,
    loss: str | None = None,
    queue: str | None = None,
) -> Link:
    """Return the link with some values changed, written as in a link's description.

    Args:
        link: what it is now.
        rate: such as "1mbit"; takes the place of a trace, too.
        delay: one way, such as "20ms".
        loss: such as "1%".
        queue: a size such as "50kB", or the time such as "20ms" that it takes to empty it.

    Raises:
        LinkError: a value can't be read or is out of its range.
    """
    bits = link.rate if rate is None else parse_rate(rate)
    changed = Link(
        link.name,
        link.delay if delay is None else parse_time(delay),
        bits,
        link.trace if bits is None else (),
        link.loss if loss is None else parse_share(loss),
        link.queue,
    )
    if queue is None:
        return changed
    size = parse_queue(queue, changed.mean_rate)
    return Link(link.name, changed.delay, changed.rate, changed.trace, changed.loss, size)


def parse_rate(text: str) -> float:
    """Read a rate such as "8mbit" as bits a second."""
    return _quantity(text, _RATES, "rate", "8mbit, with bit, kbit, mbit or gbit")


def parse_time(text: str) -> float:
    """Read a time such as "20ms" as seconds."""
    return _quantity(text, _TIMES, "time", "20ms, with us, ms or s")


def parse_share(text: str) -> float:
    """Read a percentage such as "1%" as a share from 0 to 1."""
    number = text.removesuffix("%")
    if number == text or not re.fullmatch(r"\d+(\.\d+)?", number):
        raise LinkError(f"{text!r} is not a percentage.", "loss=1%")
    return float(number) / 100


def parse_queue(text: str, rate: float) -> int:
    """Read a queue's size in bytes: "50kB", or "20ms", the time to empty it at `rate` bits/s."""
    if text.lower().endswith("b"):
        return round(_quantity(text.lower(), _SIZES, "size", "50kB, with B, kB, KiB, MB …"))
    return max(MTU, round(parse_time(text) * rate / 8))


def parse_trace(file: Path) -> tuple[int, ...]:
    """Read a trace in Mahimahi's format: one millisecond a line; `#` begins a comment.

    Raises:
        LinkError: the file can't be read, or a line isn't a whole number.
    """
    try:
        lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
        return tuple(int(line) for line in lines if line)
    except (OSError, ValueError) as error:
        raise LinkError(f"The trace {file} can't be read: {error}.") from error


def _part(part: str, text: str) -> tuple[str, str]:
    """Tell what one part between commas is: a bare one is a rate or a delay by its unit."""
    key, equals, value = part.partition("=")
    if equals and key in {"loss", "queue", "trace"} and value:
        return key, value
    if equals or not part:
        known = "a rate, a delay, loss=, queue= or trace="
        raise LinkError(f"{part!r} in {text!r} is none of {known}", HINT)
    return ("rate", part) if part.endswith("bit") else ("delay", part)


def _quantity(text: str, units: dict[str, float], what: str, example: str) -> float:
    match = _QUANTITY.fullmatch(text)
    if not match or match[2] not in units:
        raise LinkError(f"{text!r} is not a {what}.", example)
    return float(match[1]) * units[match[2]]


def _is_trace(trace: tuple[int, ...]) -> bool:
    return trace[0] >= 0 and trace[-1] > 0 and all(a <= b for a, b in pairwise(trace))
