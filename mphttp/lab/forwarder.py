"""Moves packets along the links: packet sockets in, shapers, packet sockets out.

A thin shell around `Shaper`. One turn reads what has arrived, sends what is due, and sleeps until
the next packet is.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import linux
from .shaper import Shaper
from .spec import Link

_ETHERNET = 14  # bytes of header; a link's rate counts IP packets, as Mahimahi does
_ETH_P_ALL = 3
_TCP = b"\x06"
_SO_RCVBUFFORCE = 33
_BUFFER = 4 << 20  # bytes

# A turn costs some 30 µs whatever it moves. At most one in this many seconds leaves 100 Mbit/s on a
# third of a core (two thirds without), and adds at most this much to a packet's delay.
_TURN = 0.0002


@dataclass(slots=True)
class Counters:
    """What one direction of a link has seen.

    Args:
        packets: that came to the link.
        bytes: of those, IP header included.
        syns: TCP segments among them that ask for a connection or a subflow (SYN without ACK).
        dropped: packets that found the queue full.
        lost: packets that were lost on the way, or in flight when the link was cut.
    """

    packets: int = 0
    bytes: int = 0
    syns: int = 0
    dropped: int = 0
    lost: int = 0


class Direction:
    """One direction of a link.

    Args:
        source: packet socket that hears the sender.
        sink: packet socket that the receiver hears.
        link: how fast, how late, how lossy.
        seed: for the random losses.
    """

    def __init__(
        self, source: socket.socket, sink: socket.socket, link: Link, *, seed: int
    ) -> None:
        self.source = source
        self._sink = sink
        self._counters = Counters()
        self.shaper: Shaper[bytes] = Shaper(link, seed=seed, now=time.monotonic())

    def take_in(self, now: float) -> None:
        """Read what has arrived; the kernel's buffer holds the rest till the next turn."""
        counters = self._counters
        for _ in range(256):
            try:
                frame = self.source.recv(65535)
            except BlockingIOError:
                return
            size = len(frame) - _ETHERNET
            counters.packets += 1
            counters.bytes += size
            counters.syns += is_syn(frame)
            counters.dropped += not self.shaper.push(now, size, frame)

    def let_out(self, now: float) -> None:
        """Send what is due."""
        for frame in self.shaper.pop(now):
            try:
                self._sink.send(frame)
            except OSError:  # the interface is down, or its buffer is full
                self._counters.lost += 1

    def read_counters(self) -> Counters:
        """Return the counters with what the shaper lost."""
        self._counters.lost += self.shaper.lost
        self.shaper.lost = 0
        return self._counters

    def clear_counters(self) -> None:
        """Start counting anew."""
        self.shaper.lost = 0
        self._counters = Counters()


class Forwarder:
    """All links, both directions, and the sockets that somebody else wants served in between.

    Args:
        directions: every direction of every link.
    """

    def __init__(self, directions: Sequence[Direction]) -> None:
        self._directions = {direction.source: direction for direction in directions}
        self._handlers: dict[socket.socket, Callable[[], None]] = {}

    def watch(self, sock: socket.socket, handler: Callable[[], None]) -> None:
        """Call the handler whenever the socket is readable."""
        self._handlers[sock] = handler

    def forget(self, sock: socket.socket) -> None:
        """Stop watching a socket."""
        del self._handlers[sock]

    def run(self) -> None:
        """Move packets until a handler raises."""
        linux.wake_up_exactly()
        next_turn = 0.0
        while True:
            time.sleep(max(0.0, next_turn - time.monotonic()))
            readable, _, _ = select.select(
                [*self._directions, *self._handlers], [], [], self._time_left()
            )
            now = time.monotonic()
            next_turn = now + _TURN
            for sock in readable:
                if sock in self._directions:
                    self._directions[sock].take_in(now)
                elif sock in self._handlers:
                    self._handlers[sock]()
            for direction in self._directions.values():
                direction.let_out(now)

    def _time_left(self) -> float | None:
        """Return the seconds till the next packet is due; None when there is none."""
        releases = [direction.shaper.next_release() for direction in self._directions.values()]
        due = [release for release in releases if release is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None


def packet_socket(device: str) -> socket.socket:
    """Open a socket that hears and speaks on one device (packet(7)); it doesn't hear itself."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    except PermissionError:  # in a user namespace: what net.core.rmem_max allows
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    sock.setblocking(False)
    sock.bind((device, _ETH_P_ALL))
    return sock


def is_syn(frame: bytes) -> bool:
    """Tell whether an Ethernet frame carries a SYN without ACK, over IPv4 or over bare IPv6."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == 0x0800 and frame[23:24] == _TCP:
        flags = _ETHERNET + (frame[14] & 15) * 4 + 13
    elif kind == 0x86DD and frame[20:21] == _TCP:
        flags = _ETHERNET + 40 + 13
    else:
        return False
    return flags < len(frame) and frame[flags] & 0x12 == 0x02
