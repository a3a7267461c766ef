"""libcurl's multi interface, stepped by whoever waits: no thread, and no limit of select(2)."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Any

import pycurl

_LONGEST = 0.25
"""Seconds that one step may last, so that another thread can close the transport in between."""


class Loop:
    """A `CurlMulti` and the descriptors that it wants watched.

    One thread at a time may call it.
    """

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._poll = select.epoll()
        self._due: float | None = None
        self._watched: set[int] = set()
        self._handles: set[pycurl.Curl] = set()
        self._others: dict[int, Callable[[], None]] = {}
        self._soon: list[Callable[[], None]] = []
        self._ended: list[pycurl.Curl] = []
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    def add(self, easy: pycurl.Curl) -> None:
        """Let a handle begin."""
        self._handles.add(easy)
        self._multi.add_handle(easy)

    def remove(self, easy: pycurl.Curl) -> None:
        """Take a handle out, if it is in; if it isn't done, its connection is closed."""
        if easy in self._handles:
            self._handles.remove(easy)
            self._multi.remove_handle(easy)

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
        """
        for descriptor, events in self._poll.poll(self._wait(timeout)):
            if descriptor in self._others:
                self._others[descriptor]()
                continue
            # What isn't the one is the other, or an error, which reading finds.
            ready = pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
            if events & ~select.EPOLLOUT:
                ready |= pycurl.CSELECT_IN
            self._multi.socket_action(descriptor, ready)
        if self._due is not None and time.monotonic() >= self._due:
            self._due = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        soon, self._soon = self._soon, []
        for callback in soon:
            callback()
        return self._done()

    def close(self) -> None:
        """Close every connection."""
        self._multi.close()
        self._poll.close()

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

    def _watch(self, what: int, descriptor: int, _multi: Any, _data: Any) -> None:
        if what == pycurl.POLL_REMOVE:
            if descriptor in self._watched:
                self._watched.remove(descriptor)
                self._poll.unregister(descriptor)
            return
        wanted = select.EPOLLIN if what & pycurl.POLL_IN else 0
        wanted |= select.EPOLLOUT if what & pycurl.POLL_OUT else 0
        if descriptor in self._watched:
            self._poll.modify(descriptor, wanted)
        else:
            self._watched.add(descriptor)
            self._poll.register(descriptor, wanted)

    def _set_timer(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1e3
