"""What a session has on its way: one request, or many that end in any order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import pycurl

from mphttp.engine.request import checked_strategy
from mphttp.strategies import Strategy

from .channel import Channel
from .request import CurlRequest
from .response import CurlResponse, Sink
from .transfer import Transfer

Outcome = tuple[CurlRequest, CurlResponse | Exception]
"""A request, and what came of it."""


class Running:
    """A request on its way, where its body goes, and the transfer that brings it.

    Args:
        channel: what it goes over.
        wanted: what is asked for.
        strategy: decides where the request has none of its own.
        inbox: where the transfer puts itself when it is done.

    Raises:
        ValueError: its strategy is none, or libcurl can't be told of it.
        pycurl.error: libcurl doesn't take it.
    """

    def __init__(
        self,
        channel: Channel,
        wanted: CurlRequest,
        strategy: Strategy,
        inbox: deque[Transfer],
    ) -> None:
        chosen = strategy if wanted.strategy is None else checked_strategy(wanted.strategy)
        self._channel = channel
        self._wanted = wanted
        self._sink = Sink(wanted.to)
        self.transfer = channel.begin(wanted, chosen, self._sink.receive, inbox)

    def response(self) -> CurlResponse:
        """Return what came.

        Raises:
            BaseException: what ended it too early.
        """
        import httpx  # only whoever has a response needs it

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
        """Let go of everything; what is still to come is given up."""
        self._sink.close(whole=False)
        self._channel.dispose(self.transfer)


class Batch:
    """Many requests, of which some are on their way.

    Args:
        channel: what they go over.
        strategy: decides where a request has none of its own.
        waiting: URLs and requests.

    Attributes:
        running: those on their way.
        more: whether any may be waiting.
    """

    def __init__(
        self, channel: Channel, strategy: Strategy, waiting: Iterator[str | CurlRequest]
    ) -> None:
        self.running: dict[Transfer, Running] = {}
        self.more = True
        self._channel = channel
        self._strategy = strategy
        self._waiting = waiting
        self._inbox: deque[Transfer] = deque()

    def fill(self, at_once: int) -> Iterator[Outcome]:
        """Send requests on their way; yield those that libcurl doesn't take.

        Args:
            at_once: how many there may be.
        """
        while self.more and len(self.running) < at_once:
            wanted = next(self._waiting, None)
            if wanted is None:
                self.more = False
                return
            request = CurlRequest(wanted) if isinstance(wanted, str) else wanted
            try:
                running = Running(self._channel, request, self._strategy, self._inbox)
            except (ValueError, pycurl.error) as error:
                yield request, error
            else:
                self.running[running.transfer] = running

    def wait(self) -> Iterator[Outcome]:
        """Wait until some are done, if any are on their way, and yield them."""
        while self.running and not self._inbox:
            self._channel.step(1)
        while self._inbox:
            yield self.running.pop(self._inbox.popleft()).outcome()

    def close(self) -> None:
        """Give up those on their way."""
        for running in self.running.values():
            running.close()
        self.running = {}
