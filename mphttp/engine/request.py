"""One request, from before its connection is made to the head of its response."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

from mphttp.kernel.values import SocketAddress
from mphttp.report import Report, Sample
from mphttp.strategies import SinglePath, Strategy

from .unsent import Unsent

if TYPE_CHECKING:
    from .exchange import Exchange

Multipath = Literal["auto", "mptcp", "ranges", "off"]
"""What may bring a response by several paths.

"mptcp" is the subflows of an MPTCP connection; "ranges", further TCP connections that fetch parts
of the body; "auto", MPTCP where this connection has it and its subflows can be controlled, else
ranges where the response allows it; "off", nothing: one TCP connection, and no strategy runs.
"""


class Parts(enum.Enum):
    """Whether a response is to be fetched in parts (`mphttp.ranges`), if it can be."""

    NEVER = "never"
    IF_REFUSED = "if refused"
    """Should its connection refuse a subflow."""
    AT_ONCE = "at once"


@dataclass(slots=True)
class Request:
    """A request on its way out.

    As a context manager it is the current one: connections that are made meanwhile start where its
    strategy wants, and what is sent meanwhile is its own. An exception ends it.

    Args:
        url: what is asked for.
        strategy: what decides.
        strict: whether a problem ends the transfer.
        multipath: what may bring a response by several paths.
        length: bytes of its body, 0 for none; None where nobody knows, as of a stream.

    Attributes:
        problems: what didn't work while connecting, each with what mends it; the report tells.
        sent_at: when its first byte was sent, of `time.monotonic`; 0.0 before that.
        exchange: what became of it, once it was sent.
        made_at: when it was made, of `time.monotonic`.
        addresses: all that the name has to which a connection was made for it, last.
        parts: whether its response is to be fetched in parts.
        not_in_parts: why it can't be, where that would help; or "".
        samples: what had come and gone by when, where somebody watches it (`watching`); else None.
    """

    url: str
    strategy: Strategy
    strict: bool = False
    multipath: Multipath = "auto"
    length: int | None = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    sent_at: float = 0.0
    exchange: Exchange | None = None
    addresses: tuple[SocketAddress, ...] = ()
    parts: Parts = Parts.NEVER
    not_in_parts: str = ""
    made_at: float = field(default_factory=time.monotonic)
    samples: list[Sample] | None = None
    _token: Token[Request | None] | None = None
    _told: tuple[Exchange | None, Report] | None = None

    def __post_init__(self) -> None:
        watcher = _watcher.get()
        if watcher is not None:
            watcher(self)

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if error is not None:
            self.failed(error)

    def failed(self, error: BaseException) -> None:
        """End it, and let an exception carry what happened."""
        if self.exchange is not None:
            self.exchange.finish(whole=False)
        self.tell(error)

    def obstacle(self, missing: tuple[str, str] | None) -> tuple[str, str] | None:
        """Say what keeps the strategy from opening anything, and what mends it, or None.

        Args:
            missing: the same of the connection's subflows.
        """
        why = self.not_in_parts
        if not why or self.parts is not Parts.AT_ONCE:
            return missing
        if self.multipath == "ranges" or missing is None:
            return f"one path carries it all: {why}", ""
        return missing[0], f"{missing[1]}; nor can it be fetched in parts: {why}"

    @property
    def report(self) -> Report:
        """What happened, up to now."""
        exchange = self.exchange
        if self._told is None or self._told[0] is not exchange:
            made = Report(exchange or Unsent(self))
            made.samples = self.samples
            self._told = exchange, made
        return self._told[1]

    def tell(self, error: BaseException) -> None:
        """Let an exception carry what happened (`mphttp.report_of`)."""
        with contextlib.suppress(AttributeError, TypeError):  # some take no attributes
            error.report = self.report  # type: ignore[attr-defined]


_current: ContextVar[Request | None] = ContextVar("mphttp_current_request", default=None)
_watcher: ContextVar[Callable[[Request], None] | None] = ContextVar("mphttp_watcher", default=None)


@contextlib.contextmanager
def watching(watcher: Callable[[Request], None]) -> Iterator[None]:
    """Let somebody have each request that this thread or task makes while the block runs."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def current_request() -> Request | None:
    """Return the request that is being sent right now in this thread or task, or None."""
    return _current.get()


def checked_multipath(word: object) -> Multipath:
    """Return what a caller gave.

    Raises:
        ValueError: it isn't one of the words.
    """
    if word not in get_args(Multipath):
        known = ", ".join(repr(word) for word in get_args(Multipath))
        raise ValueError(f"multipath must be one of {known}, not {word!r}")
    return cast("Multipath", word)


def checked_paths(paths: object) -> tuple[str, ...] | None:
    """Return the names of interfaces that a caller gave; None stands for all.

    Raises:
        ValueError: they aren't names in a row.
    """
    if paths is None:
        return None
    if isinstance(paths, str | bytes) or not isinstance(paths, Iterable):
        raise ValueError(f"paths must be a list of names, such as ['wifi', 'lte'], not {paths!r}")
    names = tuple(paths)
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"paths must be names of interfaces, such as 'wifi', not {names!r}")
    return names


def plain(multipath: Multipath) -> bool:
    """Return whether connections are to be TCP, not MPTCP."""
    return multipath in ("ranges", "off")


def checked_strategy(strategy: object) -> Strategy:
    """Return the strategy that a caller gave; None stands for one that opens nothing.

    Raises:
        ValueError: it isn't one.
    """
    if strategy is None:
        return SinglePath()
    if not isinstance(strategy, Strategy):
        raise ValueError(f"strategy must be a Strategy, such as Deadline(10), not {strategy!r}")
    return strategy
