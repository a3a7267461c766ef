"""One request through libcurl: its callbacks, and what the engine is told of it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pycurl

from mphttp.engine import Connection, Exchange, Request
from mphttp.engine.request import Parts
from mphttp.ranges.sharing import Shared
from mphttp.report import Report

from .deadlines import Deadlines
from .forked import leave
from .head import Head, HeadReader, TooManyTrailers
from .joined import Joined
from .loop import Loop
from .message import Message
from .parts import shared_by
from .request import CurlRequest
from .settings import Settings
from .sockets import Attempt, Sockets, four_tuple
from .stepping import Stepper

WEIRD_REPLY = 8  # libcurl-errors(3), CURLE_WEIRD_SERVER_REPLY; pycurl has only FTP's name for it
_REFUSED = -1
_DRAINED = 65536
"""Bytes of a redirect's body that are read, so that its connection can be used again."""


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
        self._sent = 0  # bytes of the request's body
        self.attempt = Attempt(request)
        self._active_at = time.monotonic()
        self._deadlines = Deadlines(wanted.limits)
        self._wanted = wanted
        self._message = Message.of(wanted)
        self._next: Message | None = None  # where a redirect leads
        self._redirects = 0
        self._drained = 0
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
        self._prepare()

    def _prepare(self) -> None:
        """Give the handle all that it needs to know.

        Raises:
            pycurl.error: libcurl doesn't take an option.
            ValueError: a header can't be sent.
        """
        self._request.url = str(self._message.url)
        self.easy.reset()
        self._settings.apply(self.easy)
        self._message.apply(self.easy, self._sending)
        self._deadlines.apply(self.easy)
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
        if not failed or self.failure or self.connected or not self.attempt.more:
            return False
        if not self._deadlines.connectable:
            return False
        self._deadlines.apply(self.easy)
        self._sockets.failed(self.attempt, words)
        return True

    def follows(self, code: int) -> bool:
        """Tell whether a redirect leads on, and make ready for it.

        Args:
            code: libcurl's error code for what pointed there.
        """
        following, self._next = self._next, None
        ended = not code or self._drained > _DRAINED  # which libcurl takes for an error
        if following is None or self.failure is not None or not ended:
            return False
        self._message = following
        self._redirects += 1
        self._drained = 0
        self.connected = False
        self._sent = 0
        self._sockets.sweep(self.attempt.copies)
        self.attempt = Attempt(self._request)
        self._request.sent_at, self._request.exchange = 0.0, None
        self._deadlines.connects()
        try:
            self._prepare()
        except Exception as error:
            self.failure = error
        return self.failure is None

    def goes_on(self, code: int, words: str) -> bool:
        """Tell whether libcurl is done with it and others bring the rest.

        Args:
            code: libcurl's error code, 0 for none.
            words: what it says of it.
        """
        if self._joined is None or self.failure is not None or self._deadlines.over:
            return False
        return self._joined.goes_on(code, words)

    @property
    def unresolved(self) -> bool:
        """Whether there was no address to connect to: its name may be looked up still."""
        return not self.connected and self.attempt.began_at == math.inf

    @property
    def overdue(self) -> bool:
        """Whether one of its limits is reached, where libcurl doesn't watch them any more."""
        if self._joined is not None and self._joined.overdue:
            return True
        return self._deadlines.overdue(self.heard_at)

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
        if self.failure is None and self._missing:
            self.failure = pycurl.error(pycurl.E_PARTIAL_FILE, f"{self._missing} bytes are missing")
        self._finish(whole=self.failure is None)
        self.done = True
        self._inbox.append(self)

    @property
    def _missing(self) -> int:
        """Bytes that the head promised and that didn't come, whatever libcurl made of it."""
        exchange = self._exchange
        if exchange is None or exchange.length is None:
            return 0
        return exchange.length - exchange.received

    def give_up(self) -> None:
        """Take that nobody wants the rest."""
        self._finish(whole=False)
        if self.failure is None:
            self.failure = pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, "the rest was given up")
        self.done = True

    def leave(self) -> None:
        """Leave it to the parent process."""
        leave(self.easy)
        self.easy = pycurl.Curl()
        words = "the connection is that of another process, before its fork"
        self._fails(pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, words))
        self._exchange = self._joined = None
        self.done = True
        self._inbox.append(self)

    def check(self) -> None:
        """Raise what ended it too early.

        Raises:
            pycurl.error: libcurl's reason.
            StrategyProblem: `strict`, and something didn't work.
            BaseException: whatever a callback of the caller's raised.
        """
        if self.failure is not None:
            self.tell(self.failure)
            raise self.failure

    def tell(self, error: BaseException) -> Report:
        """Let an exception carry what happened; return that, too."""
        self._request.tell(error)
        return self._request.report

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
        if whole and exchange.journal.failure is not None:
            self.failure = exchange.journal.failure

    def uploads(self) -> bool:
        """Look whether some of the request's body is still to be sent: then nobody has to answer.

        What libcurl has asked for may wait within it, and what was sent is a sign of life.
        """
        body = self._message.body
        if body is None or self.head is not None:
            return False
        sent = int(self.easy.getinfo(pycurl.SIZE_UPLOAD_T))
        if sent > self._sent:
            self._sent, self._active_at = sent, time.monotonic()
        return not body.over or sent < body.taken

    # The reader.

    @property
    def heard_at(self) -> float:
        """When something came or was sent last, or libcurl had something to tell."""
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
            try:
                self._active_at = time.monotonic()
                return function(*arguments)
            except BaseException as error:
                self._fails(error)
                return refusal

        return call

    def _fails(self, error: BaseException) -> None:
        """Keep what ended it; what follows from that is no news."""
        if self.failure is None:
            self.failure = error

    def _sending(self, function: Callable[..., Any], refusal: Any) -> Callable[..., Any]:
        """Do the same with a function that hands out the request's body."""

        def send(*arguments: Any) -> Any:
            answer = function(*arguments)
            self._stamp()
            if self._exchange is not None and isinstance(answer, bytes):
                self._wrote(self._exchange, answer)
            return answer

        return self._guarded(send, refusal)

    def _wrote(self, exchange: Exchange, part: bytes) -> None:
        if part:
            exchange.wrote(len(part))
        else:
            exchange.complete()
        if self._stepper is not None:
            self._stepper.step(exchange)

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
        self._finish(whole=False)  # of one that asked for authentication, or was sent in vain
        if self._connection is not None:
            body = self._message.body
            self._request.length = 0 if body is None else body.size
            self._exchange = self._connection.begin(self._request)
        return pycurl.PREREQFUNC_OK

    def _stamp(self) -> None:
        if self._connection is not None:
            with self._request:
                self._connection.sent()

    def _on_line(self, line: bytes) -> None:
        try:
            head = self._reader.line(line)
        except TooManyTrailers as error:
            raise pycurl.error(pycurl.E_RECV_ERROR, str(error)) from None
        if head is None or head.interim:
            return
        if self._connection is None:
            self.attempt.proxy_answer = head.raw  # to CONNECT
            return
        if self._wanted.follow_redirects and head.redirects:
            self._finish(whole=False)
            self._connection = None
            self._next = self._redirected(head)
            return
        self.head = head
        self._begin(head, self._connection)

    def _redirected(self, head: Head) -> Message:
        """Return what is sent where a response points.

        Raises:
            pycurl.error: it points nowhere, or there were too many.
        """
        most = self._wanted.max_redirects
        if 0 <= most <= self._redirects:
            words = f"there are more than {most} redirects"
            raise pycurl.error(pycurl.E_TOO_MANY_REDIRECTS, words)
        return self._message.redirected(head.status, head.value(b"location") or b"")

    def _begin(self, head: Head, connection: Connection) -> None:
        length = head.length(self._message.method)
        exchange = self._exchange
        if exchange is None:
            return
        self.report = self._request.report
        shared = self._shared(head, connection, length)
        if shared is None:
            exchange.respond(head.status, length)
        else:
            self._joined = Joined(shared.assembly, self.easy, self._loop, self._take, self._look)
            shared.respond(exchange, head.status)
        if self._stepper is not None:
            self._stepper.step(exchange)

    def _shared(self, head: Head, connection: Connection, length: int | None) -> Shared | None:
        """Let others help to bring the body, if they can."""
        if connection.parts_of(self._request, length) is Parts.NEVER:
            return None
        if self._stepper is not None:
            self._request.not_in_parts = "the strategy runs in libcurl's write callback"
            return None
        return shared_by(connection, self._request, self._message, head, self._settings)

    def _look(self) -> None:
        """Look what others brought."""
        if self._joined is None:
            return
        try:
            self._joined.look()
        except BaseException as error:
            self._fails(error)
            self._loop.end(self.easy)

    def _on_body(self, chunk: bytes) -> int | None:
        try:
            self._active_at = time.monotonic()
            if self._next is not None:
                self._drained += len(chunk)
                return _REFUSED if self._drained > _DRAINED else None
            if self._joined is None:
                self._take(chunk)
            else:
                self._joined.came(chunk)
        except BaseException as error:
            self._fails(error)
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
