"""libcurl's multi interface, stepped by whoever waits: no thread, and no limit of select(2)."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import ParamSpec

import pycurl

from .forked import leave

_Arguments = ParamSpec("_Arguments")
_LONGEST = 0.25
"""Seconds that one step may last, so that another thread can close the transport in between."""


_kept: list[BaseException] = []
"""What was raised in the main thread as a callback began."""


def _keep(_: object, error: BaseException, __: object) -> None:
    _kept.append(error)


@contextlib.contextmanager
def _signals_kept() -> Iterator[list[BaseException]]:
    """Keep what pycurl would print; only the main thread handles signals."""
    if threading.current_thread() is not threading.main_thread():
        yield []
        return
    hook = sys.excepthook
    _kept.clear()
    try:
        sys.excepthook = _keep
        yield _kept
    finally:
        sys.excepthook = hook


class Loop:
    """A `CurlMulti` and the descriptors that it wants watched.

    One thread at a time may call it.

    Attributes:
        sound: whether libcurl and this agree on what is watched.
    """

    def __init__(self) -> None:
        self.sound = True
        self._failure: BaseException | None = None
        self._multi = pycurl.CurlMulti()
        self._poll = select.epoll()
        self._due: float | None = None
        self._watched: set[int] = set()
        self._handles: set[pycurl.Curl] = set()
        self._others: dict[int, Callable[[], None]] = {}
        self._soon: list[Callable[[], None]] = []
        self._ended: list[pycurl.Curl] = []
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    def add(self, easy: pycurl.Curl) -> None:
        """Let a handle begin."""
        self._handles.add(easy)
        self._act(self._multi.add_handle, easy)

    def remove(self, easy: pycurl.Curl) -> None:
        """Take a handle out, if it is in; if it isn't done, its connection is closed."""
        if easy in self._handles:
            with contextlib.suppress(pycurl.error):  # an interrupted removal may have removed it
                self._act(self._multi.remove_handle, easy)
            self._handles.discard(easy)

    def dispose(self, easy: pycurl.Curl) -> None:
        """Take a handle out, if it is in, and close it."""
        self.remove(easy)
        self._act(easy.close)

    def end(self, easy: pycurl.Curl) -> None:
        """Take a handle for done, whatever libcurl would do with it."""
        self._ended.append(easy)

    def watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Call a function when a descriptor, which isn't libcurl's, is readable."""
        self._others[descriptor] = callback
        self._poll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Call it no more."""
        if self._others.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def soon(self, callback: Callable[[], None]) -> None:
        """Call a function before this step ends, or else in the next."""
        if callback not in self._soon:
            self._soon.append(callback)

    def step(self, timeout: float) -> list[tuple[pycurl.Curl, int, str]]:
        """Wait for something to do, and do it.

        Args:
            timeout: seconds to wait at most.

        Returns:
            the handles that are done since, each with libcurl's error code (0: none) and its words;
            one may be told of twice.

        Raises:
            BaseException: what was raised while libcurl called back, such as by a signal's handler.
        """
        for descriptor, events in self._poll.poll(self._wait(timeout)):
            if descriptor in self._others:
                self._others[descriptor]()
                continue
            # What isn't the one is the other, or an error, which reading finds.
            ready = pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
            if events & ~select.EPOLLOUT:
                ready |= pycurl.CSELECT_IN
            self._act(self._multi.socket_action, descriptor, ready)
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self._act(self._multi.socket_action, pycurl.SOCKET_TIMEOUT, 0)
        soon, self._soon = self._soon, []
        for callback in soon:
            callback()
        return self._done()

    def close(self, then: Callable[[], None], *, looks_up: bool) -> None:
        """Close every connection.

        Args:
            then: what is to be done after that.
            looks_up: whether a name may still be looked up. libcurl waits for that, however long it
                takes, so a thread does in place of the caller, whose time is over.
        """

        def close() -> None:
            self._multi.close()
            self._poll.close()
            then()

        if looks_up:
            with contextlib.suppress(RuntimeError):  # no thread is to be had
                threading.Thread(target=close, name="mphttp-libcurl", daemon=True).start()
                return
        close()

    def leave(self) -> None:
        """Leave everything to the parent process."""
        leave(self._multi)
        self._poll.close()  # this process's descriptor of it

    def _wait(self, timeout: float) -> float:
        if self._soon or self._ended:
            return 0.0
        longest = max(0.0, min(timeout, _LONGEST))
        if self._due is None:
            return longest
        return min(longest, max(0.0, self._due - time.monotonic()))

    def _done(self) -> list[tuple[pycurl.Curl, int, str]]:
        ended, self._ended = self._ended, []
        done = [(easy, 0, "") for easy in ended]
        left = 1
        while left:
            left, well, failed = self._multi.info_read()
            done += [(easy, 0, "") for easy in well]
            done += failed
        return done

    def _act(
        self,
        function: Callable[_Arguments, object],
        *arguments: _Arguments.args,
        **named: _Arguments.kwargs,
    ) -> None:
        """Call libcurl, and raise what its callbacks of ours couldn't.

        A signal that comes while libcurl is at work is handled as the next callback begins, before
        that can catch anything; pycurl would print the exception, and libcurl takes the callback
        for failed. Signals are the main thread's.
        """
        with _signals_kept() as kept:
            try:
                function(*arguments, **named)
            except pycurl.error:
                self.sound = False
                raise
            finally:
                failure, self._failure = self._failure, None
                if kept:
                    self.sound = False
                    failure = kept.pop()
                if failure is not None:
                    raise failure

    def _on_watch(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        try:
            self._watch(what, descriptor)
        except BaseException as error:
            self._failure = error
            self._watch(what, descriptor)  # libcurl won't say it again

    def _watch(self, what: int, descriptor: int) -> None:
        """Watch a descriptor as libcurl wants it; twice does no harm."""
        if what == pycurl.POLL_REMOVE:
            if descriptor in self._watched:
                with contextlib.suppress(FileNotFoundError):
                    self._poll.unregister(descriptor)
                self._watched.discard(descriptor)
            return
        wanted = select.EPOLLIN if what & pycurl.POLL_IN else 0
        wanted |= select.EPOLLOUT if what & pycurl.POLL_OUT else 0
        self._watched.add(descriptor)
        try:
            self._poll.register(descriptor, wanted)
        except FileExistsError:
            self._poll.modify(descriptor, wanted)

    def _on_timer(self, milliseconds: int) -> None:
        try:
            self._set_timer(milliseconds)
        except BaseException as error:
            self._failure = error
            self._set_timer(milliseconds)

    def _set_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1e3
