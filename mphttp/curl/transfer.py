"""One request through libcurl: its callbacks, and what the engine is told of it."""

from __future__ import annotations

import math
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pycurl

from mphttp.engine import Connection, Request
from mphttp.report import Report

from .deadlines import Deadlines
from .forked import leave
from .guard import Guard
from .head import Head, HeadReader, TooManyTrailers
from .joined import Alone, Joined
from .loop import Loop
from .message import Answer, Arguments, Message, Refusal
from .parts import shared_by
from .redirects import Redirects
from .request import CurlRequest
from .settings import Settings
from .sockets import Address, Attempt, Sockets, four_tuple
from .stepping import Stepper
from .teller import Teller

WEIRD_REPLY = 8  # libcurl-errors(3), CURLE_WEIRD_SERVER_REPLY; pycurl has only FTP's name for it
_REFUSED = -1


@dataclass(eq=False, slots=True)
class Hop:
    """A request to one URL, of those that redirects lead along.

    Args:
        message: what is sent.
        attempt: the tries to connect.
        connected: whether there was a connection.
        sent: bytes of the request's body, as libcurl counts them.
        reader: puts the response's head together.
    """

    message: Message
    attempt: Attempt
    connected: bool = False
    sent: int = 0
    reader: HeadReader = field(default_factory=HeadReader)

    @property
    def unresolved(self) -> bool:
        """Whether there was no address to connect to: its name may be looked up still."""
        return not self.connected and self.attempt.began_at == math.inf


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
        hop: what was sent last.
        head: of the response, once it is there.
        body: puts it in order.
        guard: keeps what ended it too early.
        done: whether it has ended, well or not.
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
        self.guard = Guard()
        self.done = False
        self.hop = Hop(Message.of(wanted), Attempt(request))
        self.body: Alone = Alone(self._take)
        self._deadlines = Deadlines(wanted.limits)
        self._redirects = Redirects(wanted)
        self._teller = Teller(request, stepper)
        self._settings = settings
        self._sockets = sockets
        self._loop = loop
        self._receive = receive
        self._inbox = inbox
        self._prepare()

    def _prepare(self) -> None:
        """Give the handle all that it needs to know.

        Raises:
            pycurl.error: libcurl doesn't take an option.
            ValueError: a header can't be sent.
        """
        self._teller.leads_to(str(self.hop.message.url))
        self.easy.reset()
        self._settings.apply(self.easy)
        self.hop.message.apply(self.easy, self._sending)
        self._deadlines.apply(self.easy)
        setopt = self.easy.setopt
        setopt(pycurl.MAXREDIRS, 0)  # so that it doesn't send what 417 refused once more by itself
        setopt(pycurl.OPENSOCKETFUNCTION, self.guard(self._on_socket, pycurl.SOCKET_BAD))
        setopt(pycurl.SOCKOPTFUNCTION, self.guard(self._on_copy, pycurl.SOCKOPT_ERROR))
        setopt(pycurl.PREREQFUNCTION, self.guard(self._on_sending, pycurl.PREREQFUNC_ABORT))
        setopt(pycurl.HEADERFUNCTION, self.guard(self._on_line, _REFUSED))
        setopt(pycurl.WRITEFUNCTION, self.guard(self._on_body, _REFUSED))

    # The end.

    def tries_again(self, code: int, words: str) -> bool:
        """Tell whether the connection failed where another path is left, and go on to that one.

        Args:
            code: libcurl's error code.
            words: what it says of it.
        """
        failed = code in (pycurl.E_COULDNT_CONNECT, pycurl.E_OPERATION_TIMEDOUT)
        if not failed or self.guard.failure or self.hop.connected or not self.hop.attempt.more:
            return False
        if not self._deadlines.connectable:
            return False
        self._deadlines.apply(self.easy)
        self._sockets.failed(self.hop.attempt, words)
        return True

    def follows(self, code: int) -> bool:
        """Tell whether a redirect leads on, and make ready for it.

        Args:
            code: libcurl's error code for what pointed there.
        """
        following = self._redirects.follow(code)
        if following is None or self.guard.failure is not None:
            return False
        self._sockets.sweep(self.hop.attempt.copies)
        self.hop = Hop(following, Attempt(self._teller.request))
        self._deadlines.connects()
        try:
            self._prepare()
        except Exception as error:
            self.guard.fails(error)
        return self.guard.failure is None

    def goes_on(self, code: int, words: str) -> bool:
        """Tell whether libcurl is done with it and others bring the rest.

        Args:
            code: libcurl's error code, 0 for none.
            words: what it says of it.
        """
        if self.guard.failure is not None or self._deadlines.over:
            return False
        return self.body.goes_on(code, words)

    @property
    def overdue(self) -> bool:
        """Whether one of its limits is reached, where libcurl doesn't watch them any more."""
        return self.body.overdue or self._deadlines.overdue(self.heard_at)

    def end(self, code: int, words: str) -> None:
        """Take that libcurl is done with it, and so is everyone else.

        Args:
            code: libcurl's error code, 0 for none.
            words: what it says of it.
        """
        code, words = self.body.outcome(code, words)
        if (
            code == pycurl.E_TOO_MANY_REDIRECTS
            and self.head is not None
            and self.head.status == 417
        ):
            code = 0
        if self.guard.failure is None:
            self.guard.failure = self._fault(code, words)
        self._finish(whole=self.guard.failure is None)
        self.done = True
        self._inbox.append(self)

    def _fault(self, code: int, words: str) -> pycurl.error | None:
        """Return what is wrong with what came, or None."""
        if code == pycurl.E_COULDNT_CONNECT and self.hop.attempt.error is not None:
            words = self.hop.attempt.error.strerror or words
        if code:
            return pycurl.error(code, words)
        if self.head is None:
            return pycurl.error(WEIRD_REPLY, "the answer was no response to the request")
        if missing := self._teller.missing:
            return pycurl.error(pycurl.E_PARTIAL_FILE, f"{missing} bytes are missing")
        return None

    def give_up(self) -> None:
        """Take that nobody wants the rest."""
        self._finish(whole=False)
        self.guard.fails(pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, "the rest was given up"))
        self.done = True

    def leave(self) -> None:
        """Leave it to the parent process."""
        leave(self.easy)
        self.easy = pycurl.Curl()
        words = "the connection is that of another process, before its fork"
        self.guard.fails(pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, words))
        self._teller.exchange, self.body = None, Alone(self._take)
        self.done = True
        self._inbox.append(self)

    def check(self) -> None:
        """Raise what ended it too early.

        Raises:
            pycurl.error: libcurl's reason.
            StrategyProblem: `strict`, and something didn't work.
            BaseException: whatever a callback of the caller's raised.
        """
        if self.guard.failure is not None:
            self.tell(self.guard.failure)
            raise self.guard.failure

    def tell(self, error: BaseException) -> Report:
        """Let an exception carry what happened; return that, too."""
        self._teller.request.tell(error)
        return self._teller.request.report

    def _finish(self, *, whole: bool) -> None:
        body, self.body = self.body, Alone(self._take)
        body.close()
        self.guard.failure = self._teller.finish(whole=whole) or self.guard.failure

    def uploads(self) -> bool:
        """Look whether some of the request's body is still to be sent: then nobody has to answer.

        What libcurl has asked for may wait within it, and what was sent is a sign of life.
        """
        body = self.hop.message.body
        if body is None or self.head is not None:
            return False
        sent = int(self.easy.getinfo(pycurl.SIZE_UPLOAD_T))
        if sent > self.hop.sent:
            self.hop.sent, self.guard.active_at = sent, time.monotonic()
        return not body.over or sent < body.taken

    # The reader.

    @property
    def report(self) -> Report | None:
        """What happens, once there is a head; None where the connection isn't known."""
        return self._teller.report

    @property
    def heard_at(self) -> float:
        """When something came or was sent last, or libcurl had something to tell."""
        return max(self.guard.active_at, self.body.heard_at)

    # What libcurl calls. It prints what these raise, and drops it.

    def _sending(
        self, function: Callable[Arguments, Answer], refusal: Refusal
    ) -> Callable[Arguments, Answer | Refusal]:
        """Guard a function that hands out the request's body, and tell of that."""

        def send(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
            answer = function(*arguments, **named)
            self._teller.wrote(answer)
            return answer

        return self.guard(send, refusal)

    def _on_socket(self, _purpose: int, address: Address) -> socket.socket | int:
        self._teller.connection = None
        return self._sockets.make(self.hop.attempt, address)

    def _on_copy(self, copy: int, _purpose: int) -> int:
        self._sockets.adopt(self.hop.attempt, copy)
        return pycurl.SOCKOPT_OK

    def _on_sending(self, remote: str, local: str, remote_port: int, local_port: int) -> int:
        """Take that the request is about to be sent; if it can't be, libcurl finds out."""
        self.hop.connected = True
        addresses = four_tuple(remote, local, remote_port, local_port)
        self._teller.connected(self._sockets.connection(self.hop.attempt, addresses))
        self._finish(whole=False)  # of one that asked for authentication, or was sent in vain
        body = self.hop.message.body
        self._teller.begin(0 if body is None else body.size)
        return pycurl.PREREQFUNC_OK

    def _on_line(self, line: bytes) -> None:
        try:
            head = self.hop.reader.line(line)
        except TooManyTrailers as error:
            raise pycurl.error(pycurl.E_RECV_ERROR, str(error)) from None
        if head is None or head.interim:
            return
        connection = self._teller.connection
        if connection is None:
            self.hop.attempt.proxy_answer = head.raw  # to CONNECT
            return
        if self._redirects.take(self.hop.message, head):
            self._finish(whole=False)
            self._teller.connection = None
            return
        self.head = head
        self._begin(head, connection)

    def _begin(self, head: Head, connection: Connection) -> None:
        exchange = self._teller.exchange
        if exchange is None:
            return
        self._teller.report = self._teller.request.report
        length = head.length(self.hop.message.method)
        asked, shared = self._teller.request, None
        if self._teller.may_share(connection, length):
            shared = shared_by(connection, asked, self.hop.message, head, self._settings)
        if shared is None:
            exchange.respond(head.status, length)
        else:
            self.body = Joined(shared.assembly, self.easy, self._loop, self._take, self._look)
            shared.respond(exchange, head.status)
        self._teller.step()

    def _look(self) -> None:
        """Look what others brought."""
        try:
            self.body.look()
        except BaseException as error:
            self.guard.fails(error)
            self._loop.end(self.easy)

    def _on_body(self, chunk: bytes) -> int | None:
        if self._redirects.pending:
            return None if self._redirects.drains(len(chunk)) else _REFUSED
        self.body.came(chunk)
        return None

    def _take(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._teller.came(len(chunk))
        self._receive(chunk)
