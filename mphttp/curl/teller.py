"""What the engine is told of a request of libcurl's; knows nothing of libcurl itself."""

from __future__ import annotations

from mphttp.engine import Connection, Exchange, Request
from mphttp.engine.request import Parts
from mphttp.report import Report

from .stepping import Stepper


class Teller:
    """One request, its connection and its response, as the engine hears of them.

    Args:
        request: what is asked for, as the engine knows it.
        stepper: steps the strategy where the body is read; None leaves it to the engine's thread.

    Attributes:
        connection: what the request was sent over; None where it isn't known.
        exchange: what the engine makes of the request; None before it is sent, and after its end.
        report: what happens, once there is a head; None where the connection isn't known.
    """

    def __init__(self, request: Request, stepper: Stepper | None) -> None:
        self.request = request
        self.stepper = stepper
        self.connection: Connection | None = None
        self.exchange: Exchange | None = None
        self.report: Report | None = None

    def connected(self, connection: Connection | None) -> None:
        """Record what the request is about to be sent over."""
        self.connection = connection
        self._stamp()

    def begin(self, length: int | None) -> None:
        """Let the engine know the request.

        Args:
            length: bytes of its body, or None if nobody knows.
        """
        if self.connection is not None:
            self.request.length = length
            self.exchange = self.connection.begin(self.request)

    def leads_to(self, url: str) -> None:
        """Record where the request goes, first or by a redirect."""
        self.request.url = url
        self.request.sent_at, self.request.exchange = 0.0, None

    def wrote(self, part: object) -> None:
        """Record what libcurl was given: of the body, b"" at its end, or a number for none."""
        self._stamp()
        if self.exchange is None or not isinstance(part, bytes):
            return
        if part:
            self.exchange.wrote(len(part))
        else:
            self.exchange.complete()
        self.step()

    def _stamp(self) -> None:
        if self.connection is not None:
            with self.request:
                self.connection.sent()

    def step(self) -> None:
        """Let the strategy decide, where it does so in libcurl's callbacks."""
        if self.exchange is not None and self.stepper is not None:
            self.stepper.step(self.exchange)

    def came(self, size: int) -> None:
        """Record that so many bytes of the body came."""
        exchange = self.exchange
        if exchange is not None and self.stepper is not None:
            self.stepper.count(exchange, size)
        elif exchange is not None:
            exchange.received += size
            if exchange.received >= exchange.threshold:
                exchange.crossed()

    def may_share(self, connection: Connection, length: int | None) -> bool:
        """Return whether others may help to bring the body of the response.

        Args:
            connection: of the response.
            length: bytes of the body, or None if nobody knows.
        """
        if connection.parts_of(self.request, length) is Parts.NEVER:
            return False
        if self.stepper is not None:
            self.request.not_in_parts = "the strategy runs in libcurl's write callback"
        return self.stepper is None

    @property
    def missing(self) -> int:
        """Bytes that the head promised and that didn't come, whatever libcurl made of it."""
        exchange = self.exchange
        if exchange is None or exchange.length is None:
            return 0
        return exchange.length - exchange.received

    def finish(self, *, whole: bool) -> BaseException | None:
        """Record that the response is over; return what a strict strategy failed with."""
        exchange, self.exchange = self.exchange, None
        if exchange is None:
            return None
        exchange.finish(whole=whole)
        if self.stepper is not None:
            self.stepper.settle(exchange)
        return exchange.journal.failure if whole else None
