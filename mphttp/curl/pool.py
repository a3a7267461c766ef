"""Channels that httpx's requests take turns on; each keeps the connection to one origin."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import pycurl

from mphttp.strategies import Strategy

from .channel import Channel
from .forked import know
from .request import CurlRequest
from .transfer import Transfer

if TYPE_CHECKING:
    from mphttp.transports.protocols import Limits

Origin = tuple[bytes, bytes, int | None]


class NoPlace(Exception):
    """Every connection that there may be is in use."""


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
        self._ended = True  # what began was ended, too, and nothing interrupted that
        know(self)

    def after_fork(self) -> None:
        """Forget whoever was at work; the channel itself begins anew."""
        self._lock = threading.Lock()
        self._ended = True

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
            ended, self._ended = self._ended, False
            if not self._closed:
                self._channel.dispose(transfer)
            self._ended = ended

    @property
    def sound(self) -> bool:
        """Whether it can carry another transfer."""
        return self._ended and not self._closed and self._channel.sound

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

    A place belongs to a holder, from before it is taken, and as long as there is that holder: so
    none is lost, whatever is raised meanwhile, a signal's exception too.

    Args:
        make: makes a channel.
        limits: how many lanes there may be, how many free ones are kept, and for how long.
    """

    def __init__(self, make: Callable[[], Channel], limits: Limits) -> None:
        self._make = make
        self._keep = limits.max_keepalive_connections
        self._expiry = limits.keepalive_expiry
        self._most = limits.max_connections
        self._room = threading.Condition()
        self._free: list[Lane] = []  # the one that was used last is the last
        self._taken = weakref.WeakKeyDictionary[object, Lane | None]()
        know(self)

    def after_fork(self) -> None:
        """Begin anew: those who had places are in the parent process."""
        self._room = threading.Condition()
        self._free = []
        self._taken = weakref.WeakKeyDictionary()

    def take(self, holder: object, origin: Origin, timeout: float | None) -> Lane:
        """Take a lane, one that is connected to the origin if there is any.

        Args:
            holder: whose it is until `give_back`, which has to follow even if this raises.
            origin: whom a request goes to.
            timeout: seconds to wait for one, where there are as many as there may be.

        Raises:
            NoPlace: none became free.
        """
        with self._room:
            if not self._room.wait_for(self._has_room, timeout):
                raise NoPlace("every connection is in use")
            self._taken[holder] = None
            stale = self._stale()
            lane = next((lane for lane in reversed(self._free) if lane.origin == origin), None)
            if lane is None:
                lane = Lane(self._make(), origin)
            else:
                self._free.remove(lane)
            self._taken[holder] = lane
        for other in stale:
            other.close()
        return lane

    def _has_room(self) -> bool:
        # By those who live: what a signal raises as one ends may leave its entry behind, and len()
        # would count that.
        return self._most is None or sum(1 for _ in self._taken) < self._most

    def give_back(self, holder: object) -> None:
        """Take back what a holder has, if anything; nobody uses it now."""
        with self._room:
            lane = self._taken.pop(holder, None)
            if lane is not None:
                lane.free_since = time.monotonic()
                self._free.append(lane)
            stale = self._stale()
            self._room.notify()
        for other in stale:
            other.close()

    def close(self) -> None:
        """Close all lanes, those in use, too."""
        with self._room:
            lanes = [*self._free, *(lane for lane in self._taken.values() if lane is not None)]
            self._free = []
            self._taken.clear()
            self._room.notify_all()
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
            if place < too_many or lane.free_since < oldest or not lane.sound
        ]
        self._free = [lane for lane in self._free if lane not in stale]
        return stale
