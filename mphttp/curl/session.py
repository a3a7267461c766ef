"""Fetching through libcurl: one thing at a time, or many at once on one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, Unpack

from mphttp.engine.request import Multipath, checked_multipath, checked_paths, checked_strategy
from mphttp.strategies import Strategy

from .batch import Batch, Outcome, Running
from .channel import Channel
from .request import CurlRequest
from .response import CurlResponse
from .settings import Given, Settings
from .stepping import Stepper
from .transfer import Transfer

Stepping = Literal["engine", "callback"]


class CurlSession:
    """Fetches over connections that are kept; a context manager, for one thread at a time.

        with CurlSession(Deadline(10)) as session:
            response = session.fetch("https://example.org/film.mp4", to="film.mp4")
            print(response.report)

    Args:
        strategy: decides when to open and close subflows; None opens none beyond the first.
        paths: names of the interfaces that may be used, preferred first, where the connection
            starts; None allows all, in the system's order.
        strict: raise `StrategyProblem` where a problem would only be reported.
        stepping: "engine" runs strategies on mphttp's thread; "callback" in libcurl's write
            callback, which reads on only when a subflow is open or closed (paper, section 4);
            then nothing is fetched in parts.
        multipath: "auto", "mptcp", "ranges" or "off": what may bring a response by several paths
            (mphttp.engine.request.Multipath).
        settings: fields of `Settings`: verify, cert, proxy, http2 and others.

    Raises:
        ValueError: an argument isn't what it should be.
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        *,
        paths: Sequence[str] | None = None,
        strict: bool = False,
        stepping: Stepping = "engine",
        multipath: Multipath = "auto",
        **settings: Unpack[Given],
    ) -> None:
        if stepping not in ("engine", "callback"):
            raise ValueError(f"stepping must be 'engine' or 'callback', not {stepping!r}")
        self._strategy = checked_strategy(strategy)
        self._stepper = Stepper() if stepping == "callback" else None
        self._channel = Channel(
            Settings(**settings),
            checked_paths(paths),
            strict=strict,
            multipath=checked_multipath(multipath),
            stepper=self._stepper,
        )

    def fetch(self, url: str, strategy: Strategy | None = None, **options: Any) -> CurlResponse:
        """Fetch one thing and return when it is there.

        Args:
            url: http:// or https://.
            strategy: for this request alone.
            options: fields of `CurlRequest`: method, headers, content, to, limits and others.

        Raises:
            pycurl.error: libcurl's code and words.
            StrategyProblem: `strict`, and something didn't work.
            Exception: whatever a callback of the caller's raised.
        """
        inbox: deque[Transfer] = deque()
        running = Running(
            self._channel, CurlRequest(url, strategy, **options), self._strategy, inbox
        )
        try:
            while not inbox:
                self._channel.step(1)
            return running.response()
        finally:
            running.close()

    def fetch_all(
        self, requests: Iterable[str | CurlRequest], *, at_once: int = 100
    ) -> Iterator[Outcome]:
        """Fetch many things at once; yield each request, as it is done, with what came of it.

        What is still on its way when the caller stops is given up.

        Args:
            requests: URLs or requests; taken from as there is room.
            at_once: how many are on their way at most.
        """
        batch = Batch(self._channel, self._strategy, iter(requests))
        try:
            while batch.more or batch.running:
                yield from batch.fill(at_once)
                yield from batch.wait()
        finally:
            batch.close()

    def close(self) -> None:
        """Give up what is on its way, and close every connection."""
        self._channel.close()
        if self._stepper is not None:
            self._stepper.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()


def fetch(url: str, strategy: Strategy | None = None, **options: Any) -> CurlResponse:
    """Fetch one thing over a new connection.

    Args:
        url: http:// or https://.
        strategy: decides when to open and close subflows; None opens none beyond the first.
        options: those of `CurlSession` and of `CurlSession.fetch`.

    Raises:
        pycurl.error: libcurl's code and words.
        StrategyProblem: `strict`, and something didn't work.
        Exception: whatever a callback of the caller's raised.
    """
    of_request = {name: options.pop(name) for name in _OF_A_REQUEST & options.keys()}
    with CurlSession(**options) as session:
        return session.fetch(url, strategy, **of_request)


def fetch_all(
    requests: Iterable[str | CurlRequest],
    strategy: Strategy | None = None,
    *,
    at_once: int = 100,
    **options: Any,
) -> Iterator[Outcome]:
    """Do as `CurlSession.fetch_all`, with a session of its own.

    Args:
        requests: URLs or requests.
        strategy: for those that have none.
        at_once: how many are on their way at most.
        options: those of `CurlSession`.
    """
    with CurlSession(strategy, **options) as session:
        yield from session.fetch_all(requests, at_once=at_once)


_OF_A_REQUEST = CurlRequest.__dataclass_fields__.keys() - {"url", "strategy"}
