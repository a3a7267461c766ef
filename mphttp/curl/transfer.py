"""One request through libcurl: its callbacks, and what the engine is told of it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pycurl

from mphttp.engine import Connection, Exchange, Request
from mphttp.engine.carrier import Carrier
from mphttp.ranges.carrier import wants_parts
from mphttp.report import Report

from .head import Head, HeadReader
from .joined import Joined
from .loop import Loop
from .parts import carrier_of_parts
from .request import CurlRequest
from .settings import Settings
from .sockets import Attempt, Sockets, four_tuple
from .stepping import Stepper

WEIRD_REPLY = 8  # libcurl-errors(3), CURLE_WEIRD_SERVER_REPLY; pycurl has only FTP's name for it
_REFUSED = -1


class Transfer:
    """A request on its way through libcurl.

    Args:
        wanted: what is asked for.
        request: the same, as the engine knows it.
        settings: how connections are made.
        sockets: makes them.
        loop: runs it.
        stepper: steps the strategy in the write callback; None leaves it to the engine's thread.
        receive: takes each piece of the body; what it raises ends the transfer.
        inbox: where the transfer puts itself when it is done.

    Attributes:
        easy: libcurl's handle.
        head: of the response, once it is there.
        report: what happens, once there is a head; None where the connection isn't known.
        failure: what ended it too early, or None.
        done: whether it has ended, well or not.
        connected: whether there was a connection.
        uploading: whether the request's body isn't sent yet.
    """

    def __init__(
        self,
        wanted: CurlRequest,
        request: Request,
        settings: Settings,
        sockets: Sockets,
        loop: Loop,
        *,
        stepper: Stepper | None,
        receive: Callable[[bytes], object],
        inbox: deque[Transfer],
    ) -> None:
        self.easy = pycurl.Curl()
        self.head: Head | None = None
        self.report: Report | None = None
        self.failure: BaseException | None = None
        self.done = False
        self.connected = False
        self.uploading = wanted.content is not None
        self.attempt = Attempt(request)
        self._active_at = self._began_at = time.monotonic()
        self._wanted = wanted
        self._request = request
        self._settings = settings
        self._sockets = sockets
        self._loop = loop
        self._stepper = stepper
        self._receive = receive
        self._inbox = inbox
        self._reader = HeadReader()
        self._connection: Connection | None = None
        self._exchange: Exchange | None = None
        self._joined: Joined | None = None
        settings.apply(self.easy)
        wanted.apply(self.easy, self._sending)
        self._listen()

    def _listen(self) -> None:
        callbacks = {
            pycurl.OPENSOCKETFUNCTION: self._guarded(self._on_socket, pycurl.SOCKET_BAD),
            pycurl.SOCKOPTFUNCTION: self._guarded(self._on_copy, pycurl.SOCKOPT_ERROR),
            pycurl.PREREQFUNCTION: self._guarded(self._on_connection, pycurl.PREREQFUNC_ABORT),
            pycurl.HEADERFUNCTION: self._guarded(self._on_line, _REFUSED),
            pycurl.WRITEFUNCTION: self._on_body,
        }
        for option, function in callbacks.items():
            self.easy.setopt(option, function)

    # The end.

    def tries_again(self, code: int, words: str) -> bool:
        """Tell whether the connection failed where another path is left, and go on to that one.

        Args:
            code: libcurl's error code.
            words: what it says of it.
        """
        failed = code in (pycurl.E_COULDNT_CONNECT, pycurl.E_OPERATION_TIMEDOUT)
        left = self._time_left()
        if not failed or self.failure or self.connected or not self.attempt.more:
            return False
        if left is not None:
            if left <= 0:
                return False
            self.easy.setopt(pycurl.TIMEOUT_MS, max(1, round(left * 1e3)))
        self._sockets.failed(self.attempt, words)
        return True

    def _time_left(self) -> float | None:
        total = self._wanted.limits.total
        return None if total is None else self._began_at + total - time.monotonic()

    def goes_on(self, code: int, words: str) -> bool:
        """Tell whether libcurl is done with it and others bring the rest.

        Args:
            code: libcurl's error code, 0 for none.
            words: what it says of it.
        """
        left = self._time_left()
        late = left is not None and left <= 0
        if self._joined is None or self.failure is not None or late:
            return False
        return self._joined.goes_on(code, words)

    @property
    def overdue(self) -> bool:
        """Whether one of its limits is reached, where libcurl doesn't watch them any more."""
        left, silence = self._time_left(), self._wanted.limits.silence
        silent = time.monotonic() - self.heard_at
        if self._joined is not None and self._joined.overdue:
            return True
        return (left is not None and left <= 0) or (silence is not None and silent >= silence)

    def end(self, code: int, words: str) -> None:
        """Take that libcurl is done with it, and so is everyone else.

        Args:
            code: libcurl's error code, 0 for none.
            words: what it says of it.
        """
        if self._joined is not None:
            code, words = self._joined.outcome(code, words)
        if self.failure is None and code:
            if code == pycurl.E_COULDNT_CONNECT and self.attempt.error is not None:
                words = self.attempt.error.strerror or words
            self.failure = pycurl.error(code, words)
        if self.failure is None and self.head is None:
            self.failure = pycurl.error(WEIRD_REPLY, "the answer was no response to the request")
        self._finish(whole=self.failure is None)
        self.done = True
        self._inbox.append(self)

    def give_up(self) -> None:
        """Take that nobody wants the rest."""
        self._finish(whole=False)
        if self.failure is None:
            self.failure = pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, "the rest was given up")
        self.done = True

    def check(self) -> None:
        """Raise what ended it too early.

        Raises:
            pycurl.error: libcurl's reason.
            StrategyProblem: `strict`, and something didn't work.
            BaseException: whatever a callback of the caller's raised.
        """
        if self.failure is not None:
            raise self.failure

    def _finish(self, *, whole: bool) -> None:
        exchange, self._exchange = self._exchange, None
        joined, self._joined = self._joined, None
        if joined is not None:
            joined.close()
        if exchange is None:
            return
        exchange.finish(whole=whole)
        if self._stepper is not None:
            self._stepper.settle(exchange)
        if whole and exchange.failure is not None:
            self.failure = exchange.failure

    # The reader.

    @property
    def heard_at(self) -> float:
        """When something came last, or libcurl had something to tell, of `time.monotonic`."""
        joined = self._joined
        return self._active_at if joined is None else max(self._active_at, joined.heard_at)

    def waits(self) -> None:
        """Take that the caller waits for more."""
        if self._joined is not None:
            self._joined.wait()

    def rests(self) -> None:
        """Take that the caller does something with what it was given."""
        if self._joined is not None:
            self._joined.rest()

    # What libcurl calls. It prints what these raise, and drops it.

    def _guarded(self, function: Callable[..., Any], refusal: Any) -> Callable[..., Any]:
        """Keep what a function raises for the caller, and give libcurl a refusal."""

        def call(*arguments: Any) -> Any:
            self._active_at = time.monotonic()
            try:
                return function(*arguments)
            except BaseException as error:
                self.failure = error
                return refusal

        return call

    def _sending(self, function: Callable[..., Any], refusal: Any) -> Callable[..., Any]:
        """Do the same with a function that hands out the request's body."""

        def send(*arguments: Any) -> Any:
            answer = function(*arguments)
            self.uploading = answer != b""
            self._stamp()
            return answer

        return self._guarded(send, refusal)

    def _on_socket(self, _purpose: int, address: Any) -> Any:
        self._connection = None
        return self._sockets.make(self.attempt, address)

    def _on_copy(self, copy: int, _purpose: int) -> int:
        self._sockets.adopt(self.attempt, copy)
        return pycurl.SOCKOPT_OK

    def _on_connection(self, *addresses: Any) -> int:
        """Take that the request is about to be sent; if it can't be, libcurl finds out."""
        self.connected = True
        self._connection = self._sockets.connection(self.attempt, four_tuple(*addresses))
        self._stamp()
        return pycurl.PREREQFUNC_OK

    def _stamp(self) -> None:
        if self._connection is not None:
            with self._request:
                self._connection.sent()

    def _on_line(self, line: bytes) -> None:
        head = self._reader.line(line)
        # Without a connection it is a proxy's answer to CONNECT.
        if head is None or head.interim or self._connection is None:
            return
        self._finish(whole=True)  # of one that asked for authentication
        if self._wanted.follow_redirects and head.redirects:
            self._go_to(head)
            return
        self.head = head
        self._begin(head, self._connection)

    def _go_to(self, head: Head) -> None:
        """Take that libcurl goes on to where a response points."""
        location = head.value(b"location") or b""
        self._request.url = urljoin(self._request.url, location.decode("latin-1"))
        self._connection = None

    def _begin(self, head: Head, connection: Connection) -> None:
        length = head.length(self._wanted.method)
        carrier = self._carrier(head, connection)
        exchange = Exchange(carrier, self._request, status=head.status, length=length)
        self._exchange, self.report = exchange, Report(exchange)
        exchange.begin()
        if self._stepper is not None:
            self._stepper.step(exchange)

    def _carrier(self, head: Head, connection: Connection) -> Carrier:
        """Return what the response comes over: its connection, or several."""
        if not wants_parts(connection, self._request):
            return connection
        if self._stepper is not None:
            self._request.not_in_parts = "the strategy runs in libcurl's write callback"
            return connection
        request, wanted = self._request, self._wanted
        shared = carrier_of_parts(connection, request, wanted, head, self._settings)
        if shared is None:
            return connection
        self._joined = Joined(shared.assembly, self.easy, self._loop, self._take, self._look)
        return shared

    def _look(self) -> None:
        """Look what others brought."""
        if self._joined is None:
            return
        try:
            self._joined.look()
        except BaseException as error:
            self.failure = error
            self._loop.end(self.easy)

    def _on_body(self, chunk: bytes) -> int | None:
        self._active_at = time.monotonic()
        try:
            if self._joined is None:
                self._take(chunk)
            else:
                self._joined.came(chunk)
        except BaseException as error:
            self.failure = error
            return _REFUSED
        return None

    def _take(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        exchange = self._exchange
        if exchange is not None and self._stepper is not None:
            self._stepper.count(exchange, len(chunk))
        elif exchange is not None:
            exchange.received += len(chunk)
            if exchange.received >= exchange.threshold:
                exchange.crossed()
        self._receive(chunk)
