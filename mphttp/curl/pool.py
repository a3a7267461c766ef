"""Channels that httpx's requests take turns on; each keeps the connection to one origin."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import httpx
import pycurl

from mphttp.strategies import Strategy

from .channel import Channel
from .request import CurlRequest
from .transfer import Transfer

Origin = tuple[bytes, bytes, int | None]


class Lane:
    """A channel that one response uses at a time, and any thread may close.

    Args:
        channel: libcurl's side of it.
        origin: whom its connection goes to.
    """

    def __init__(self, channel: Channel, origin: Origin) -> None:
        self.origin = origin
        self.free_since = 0.0
        self._channel = channel
        self._lock = threading.Lock()
        self._closed = False

    def begin(
        self, wanted: CurlRequest, strategy: Strategy, receive: Callable[[bytes], object]
    ) -> Transfer:
        """Let a transfer begin; the arguments are those of `Channel.begin`.

        Raises:
            pycurl.error: libcurl doesn't take an option, or the transport was closed.
        """
        with self._lock:
            self._check()
            return self._channel.begin(wanted, strategy, receive, deque())

    def step(self, timeout: float) -> None:
        """Wait for something to do, and do it.

        Raises:
            pycurl.error: the transport was closed.
        """
        with self._lock:
            self._check()
            self._channel.step(timeout)

    def end(self, transfer: Transfer) -> None:
        """Let go of a transfer, done or not."""
        with self._lock:
            if not self._closed:
                self._channel.give_up(transfer)
            transfer.easy.close()

    def close(self) -> None:
        """Give up what is on its way, and close the connection."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._channel.close()

    def _check(self) -> None:
        if self._closed:
            raise pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, "the transport was closed")


class Pool:
    """The lanes of a transport; any thread may call it.

    Args:
        make: makes a channel.
        limits: how many lanes there may be, how many free ones are kept, and for how long.
    """

    def __init__(self, make: Callable[[], Channel], limits: httpx.Limits) -> None:
        self._make = make
        self._keep = limits.max_keepalive_connections
        self._expiry = limits.keepalive_expiry
        most = limits.max_connections
        self._room = None if most is None else threading.Semaphore(most)
        self._lock = threading.Lock()
        self._free: list[Lane] = []  # the one that was used last is the last
        self._taken: set[Lane] = set()

    def take(self, origin: Origin, timeout: float | None) -> Lane:
        """Take a lane, one that is connected to the origin if there is any.

        Args:
            origin: whom a request goes to.
            timeout: seconds to wait for one, where there are as many as there may be.

        Raises:
            httpx.PoolTimeout: none became free.
        """
        if self._room is not None and not self._room.acquire(timeout=timeout):
            raise httpx.PoolTimeout("every connection is in use")
        with self._lock:
            stale = self._stale()
            lane = next((lane for lane in reversed(self._free) if lane.origin == origin), None)
            if lane is None:
                lane = Lane(self._make(), origin)
            else:
                self._free.remove(lane)
            self._taken.add(lane)
        for other in stale:
            other.close()
        return lane

    def give_back(self, lane: Lane) -> None:
        """Take a lane back, which nobody uses now."""
        lane.free_since = time.monotonic()
        with self._lock:
            if lane not in self._taken:  # the pool was closed
                return
            self._taken.remove(lane)
            self._free.append(lane)
            stale = self._stale()
        for other in stale:
            other.close()
        if self._room is not None:
            self._room.release()

    def close(self) -> None:
        """Close all lanes, those in use, too."""
        with self._lock:
            lanes, self._free = [*self._free, *self._taken], []
            if self._room is not None and self._taken:
                self._room.release(len(self._taken))
            self._taken = set()
        for lane in lanes:
            lane.close()

    def _stale(self) -> list[Lane]:
        """Take out the free lanes that are too many, or too old."""
        most = len(self._free) if self._keep is None else self._keep
        too_many = len(self._free) - most
        oldest = -1.0 if self._expiry is None else time.monotonic() - self._expiry
        stale = [
            lane
            for place, lane in enumerate(self._free)
            if place < too_many or lane.free_since < oldest
        ]
        self._free = [lane for lane in self._free if lane not in stale]
        return stale
