"""Fetching through libcurl: one thing at a time, or many at once on one thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import pycurl

from mphttp.engine.request import checked_strategy
from mphttp.strategies import Strategy

from .channel import Channel
from .request import CurlRequest
from .response import CurlResponse, Sink
from .settings import Settings
from .stepping import Stepper
from .transfer import Transfer

Stepping = Literal["engine", "callback"]
Outcome = tuple[CurlRequest, CurlResponse | Exception]


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
            callback, which reads on only when a subflow is open or closed (paper, section 4).
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
        **settings: Any,
    ) -> None:
        if stepping not in ("engine", "callback"):
            raise ValueError(f"stepping must be 'engine' or 'callback', not {stepping!r}")
        self._strategy = checked_strategy(strategy)
        self._stepper = Stepper() if stepping == "callback" else None
        self._channel = Channel(
            Settings(**settings),
            None if paths is None else tuple(paths),
            strict=strict,
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
        running = self._begin(CurlRequest(url, strategy, **options), inbox)
        try:
            while not inbox:
                self._channel.step(1)
            return running.response()
        finally:
            self._channel.give_up(running.transfer)
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
        inbox: deque[Transfer] = deque()
        on_their_way: dict[Transfer, _Running] = {}
        waiting = iter(requests)
        more = True
        try:
            while more or on_their_way:
                while more and len(on_their_way) < at_once:
                    wanted = next(waiting, None)
                    if wanted is None:
                        more = False
                        break
                    request = CurlRequest(wanted) if isinstance(wanted, str) else wanted
                    try:
                        running = self._begin(request, inbox)
                    except (ValueError, pycurl.error) as error:  # libcurl doesn't take it
                        yield request, error
                    else:
                        on_their_way[running.transfer] = running
                while on_their_way and not inbox:
                    self._channel.step(1)
                while inbox:
                    yield on_their_way.pop(inbox.popleft()).outcome()
        finally:
            for running in on_their_way.values():
                self._channel.give_up(running.transfer)
                running.close()

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

    def _begin(self, wanted: CurlRequest, inbox: deque[Transfer]) -> _Running:
        strategy = self._strategy if wanted.strategy is None else checked_strategy(wanted.strategy)
        sink = Sink(wanted.to)
        return _Running(wanted, sink, self._channel.begin(wanted, strategy, sink.receive, inbox))


class _Running:
    """A request of a session, where its body goes, and the transfer that brings it."""

    def __init__(self, wanted: CurlRequest, sink: Sink, transfer: Transfer) -> None:
        self.transfer = transfer
        self._wanted = wanted
        self._sink = sink

    def response(self) -> CurlResponse:
        """Return what came.

        Raises:
            BaseException: what ended it too early.
        """
        transfer = self.transfer
        transfer.check()
        assert transfer.head is not None
        assert transfer.report is not None
        self._sink.close(whole=True)
        return CurlResponse(
            url=transfer.easy.getinfo(pycurl.EFFECTIVE_URL),
            status=transfer.head.status,
            headers=httpx.Headers(transfer.head.fields),
            content=self._sink.content,
            http_version=transfer.head.version,
            report=transfer.report,
        )

    def outcome(self) -> Outcome:
        """Return the request with what came, or with the exception."""
        try:
            return self._wanted, self.response()
        except Exception as error:
            return self._wanted, error
        finally:
            self.close()

    def close(self) -> None:
        """Let go of everything."""
        self._sink.close(whole=False)
        self.transfer.easy.close()


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
