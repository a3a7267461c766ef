"""Transfers that share their connections: one loop, its sockets, and what is on its way."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import pycurl

from mphttp.engine import Engine, Request, engine
from mphttp.engine.request import Multipath, plain
from mphttp.strategies import Strategy

from .forked import know
from .loop import Loop
from .request import CurlRequest
from .settings import Settings
from .sockets import Sockets
from .stepping import Stepper
from .transfer import Transfer


class Channel:
    """Runs transfers; one thread at a time may call it.

    Args:
        settings: how connections are made.
        path_names: the interfaces that may be used, preferred first, or None for all.
        strict: whether a problem ends a transfer.
        multipath: what may bring a response by several paths.
        stepper: steps strategies in the write callback; None leaves that to the engine's thread.
    """

    def __init__(
        self,
        settings: Settings,
        path_names: tuple[str, ...] | None,
        *,
        strict: bool,
        multipath: Multipath = "auto",
        stepper: Stepper | None = None,
    ) -> None:
        chosen: Engine = engine if stepper is None else stepper
        self._loop = Loop()
        self._sockets = Sockets(chosen, path_names, plain=plain(multipath), hosts=settings.hosts)
        self._settings = settings
        self._strict = strict
        self._multipath = multipath
        self._stepper = stepper
        self._transfers: dict[pycurl.Curl, Transfer] = {}
        self._without_first: set[Transfer] = set()
        self._looks_up = False
        know(self)

    def after_fork(self) -> None:
        """Begin anew; the connections, and what is on its way, are the parent process's."""
        if self._stepper is not None:
            self._stepper.after_fork()
        for transfer in self._transfers.values():
            transfer.leave()
        self._transfers.clear()
        self._without_first.clear()
        self._sockets.leave()
        self._loop.leave()
        self._loop = Loop()

    @property
    def sound(self) -> bool:
        """Whether it can be relied on for another transfer."""
        return self._loop.sound

    def begin(
        self,
        wanted: CurlRequest,
        strategy: Strategy,
        receive: Callable[[bytes], object],
        inbox: deque[Transfer],
    ) -> Transfer:
        """Let a transfer begin.

        Args:
            wanted: what is asked for.
            strategy: what decides.
            receive: takes each piece of the body.
            inbox: where the transfer puts itself when it is done.

        Raises:
            pycurl.error: libcurl doesn't take an option.
        """
        if not self._loop.sound:
            self._lose(pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, "a callback was interrupted"))
        self._sockets.end_stranded()
        transfer = Transfer(
            wanted,
            Request(wanted.url, strategy, self._strict, self._multipath),
            self._settings,
            self._sockets,
            self._loop,
            stepper=self._stepper,
            receive=receive,
            inbox=inbox,
        )
        try:
            self._transfers[transfer.easy] = transfer
            self._loop.add(transfer.easy)
        except BaseException:
            self.dispose(transfer)
            raise
        return transfer

    def step(self, timeout: float) -> None:
        """Wait for something to do, and do it; transfers that are done put themselves away.

        Args:
            timeout: seconds to wait at most.
        """
        try:
            ended = self._loop.step(timeout)
        except BaseException as error:
            if not self._loop.sound:
                self._lose(error)
            raise
        for easy, code, words in ended:
            transfer = self._transfers.get(easy)
            if transfer is None:
                continue
            self._loop.remove(easy)
            if transfer.tries_again(code, words) or transfer.follows(code):
                self._loop.add(easy)
            elif transfer.goes_on(code, words):
                self._without_first.add(transfer)
                self._sockets.sweep(transfer.hop.attempt.copies)
            else:
                self._end(transfer, code, words)
        self._leave_dead_paths()
        for transfer in [one for one in self._without_first if one.overdue]:
            self._end(transfer, pycurl.E_OPERATION_TIMEDOUT, "the rest didn't come in time")

    def _leave_dead_paths(self) -> None:
        """Let transfers go on to the next path whose connection has no answer on this one."""
        now = time.monotonic()
        for easy, transfer in list(self._transfers.items()):
            if transfer.hop.connected or not self._sockets.waits_in_vain(transfer.hop.attempt, now):
                continue
            self._loop.remove(easy)
            self._sockets.sweep(transfer.hop.attempt.copies)
            if transfer.tries_again(pycurl.E_OPERATION_TIMEDOUT, "no answer in time"):
                self._loop.add(easy)
            else:
                self._end(transfer, pycurl.E_OPERATION_TIMEDOUT, "no answer in time")

    def _lose(self, error: BaseException) -> None:
        """Begin anew where libcurl and its loop have lost each other; what is on its way ends."""
        for transfer in list(self._transfers.values()):
            transfer.guard.fails(error)
            self._end(transfer, 0, "")
        lost, self._loop = self._loop, Loop()
        lost.close(self._sockets.sweep, looks_up=False)

    def _end(self, transfer: Transfer, code: int, words: str) -> None:
        self._looks_up |= transfer.hop.unresolved
        self._transfers.pop(transfer.easy, None)
        self._without_first.discard(transfer)
        transfer.end(code, words)
        # Those that are kept, libcurl may close at any time; that is seen when all is quiet.
        self._sockets.sweep(transfer.hop.attempt.copies if self._transfers else None)

    def give_up(self, transfer: Transfer) -> None:
        """End a transfer of which nobody wants the rest; its connection is reset."""
        if not transfer.done:
            self._looks_up |= transfer.hop.unresolved
            transfer.give_up()
            self._transfers.pop(transfer.easy, None)
            self._without_first.discard(transfer)
            self._loop.remove(transfer.easy)
            self._sockets.sweep()

    def dispose(self, transfer: Transfer) -> None:
        """Let go of a transfer, done or not, and of its handle."""
        self.give_up(transfer)
        self._loop.dispose(transfer.easy)

    def close(self) -> None:
        """Give up what is on its way, and close every connection."""
        for transfer in list(self._transfers.values()):
            self.give_up(transfer)
        self._loop.close(self._sockets.sweep, looks_up=self._looks_up)
