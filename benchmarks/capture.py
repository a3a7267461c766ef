"""What went over the links, seen on the wire: segments, and the subflows that they are of.

`Capture` is the thin shell around a packet socket; the rest is pure.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

_ETH_P_ALL, _SOL_PACKET, _PACKET_STATISTICS, _TIMESTAMP_NS = 3, 263, 6, 35
_RCVBUFFORCE = 33
_ROOM = 1 << 26
_END_OF_OPTIONS, _NO_OPERATION, _MPTCP, _MP_JOIN, _SYN, _ACK = 0, 1, 30, 1, 2, 16
_HEAD = 1024


class Unseen(RuntimeError):
    """Packets went by that the capture was too slow for."""


class Segment(NamedTuple):
    """A TCP segment over IPv4.

    Args:
        at: when the kernel had it, in seconds.
        interface: its name.
        outgoing: whether the client sent it.
        port: the client's.
        flags: SYN, ACK and so on (RFC 9293, 3.1).
        join: whether it has MP_JOIN (RFC 8684, 3.2).
        sequence: its sequence number.
        length: bytes of payload.
        head: the first bytes of the payload.
    """

    at: float
    interface: str
    outgoing: bool
    port: int
    flags: int
    join: bool
    sequence: int
    length: int
    head: bytes

    @property
    def opens(self) -> bool:
        """Whether the client asks for a connection or a subflow with it."""
        return self.outgoing and self.flags & (_SYN | _ACK) == _SYN


class Flow(NamedTuple):
    """A TCP connection, or a subflow of an MPTCP connection.

    Args:
        at: when its SYN left, in seconds.
        interface: name of the one that it left by.
        join: whether it joined a connection that was there already.
        received: bytes of payload that came, retransmitted ones too.
    """

    at: float
    interface: str
    join: bool
    received: int


class Capture:
    """Keeps the TCP segments of some interfaces while a block runs.

    Args:
        interfaces: their names.

    Raises:
        Unseen: at the end of the block, if some are missing.

    Attributes:
        segments: what was seen, in order; complete when the block is over.
    """

    def __init__(self, interfaces: Sequence[str]) -> None:
        self.segments: list[Segment] = []
        self._interfaces = frozenset(interfaces)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._done = os.eventfd(0)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _ROOM)
        except PermissionError:  # an ordinary user has to do with what the machine allows
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._done, 1)
        self._thread.join()
        told = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._socket.close()
        os.close(self._done)
        _, dropped = struct.unpack("=II", told)
        if dropped:
            raise Unseen(f"{dropped} packets went by unseen: the machine is too busy")

    def _run(self) -> None:
        while True:
            ready = select.select([self._socket, self._done], [], [])[0]
            if self._socket in ready:
                self._take()
            elif self._done in ready:  # and nothing is left to read
                return

    def _take(self) -> None:
        packet, (stamp, *_), _, address = self._socket.recvmsg(65536, 64)
        interface, _, kind, *_ = address
        if interface in self._interfaces and packet[0] >> 4 == 4 and packet[9] == 6:
            seconds, nanoseconds = struct.unpack("=qq", stamp[2])
            at, outgoing = seconds + nanoseconds / 1e9, kind == socket.PACKET_OUTGOING
            self.segments.append(parse(packet, at, interface, outgoing=outgoing))


def parse(packet: bytes, at: float, interface: str, *, outgoing: bool) -> Segment:
    """Read an IPv4 packet with a TCP segment."""
    total = int.from_bytes(packet[2:4], "big")
    segment = packet[(packet[0] & 15) * 4 : total]
    source, destination, sequence = struct.unpack("!HHI", segment[:8])
    length = (segment[12] >> 4) * 4
    payload = segment[length:]
    port = source if outgoing else destination
    join = any(value[0] >> 4 == _MP_JOIN for value in _mptcp_options(segment[20:length]))
    flags, head = segment[13], payload[:_HEAD]
    return Segment(at, interface, outgoing, port, flags, join, sequence, len(payload), head)


def _mptcp_options(left: bytes) -> Iterator[bytes]:
    while left and left[0] != _END_OF_OPTIONS:
        length = 1 if left[0] == _NO_OPERATION else left[1]
        if left[0] == _MPTCP:
            yield left[2:length]
        left = left[length:]


def flows(segments: Iterable[Segment]) -> list[Flow]:
    """Return what was opened, in order; a SYN that was sent again counts once."""
    found: list[Flow] = []
    current: dict[tuple[str, int], tuple[int, int]] = {}  # by port: its SYN's number, its place
    for segment in segments:
        key = segment.interface, segment.port
        syn, place = current.get(key, (-1, -1))
        if segment.opens and segment.sequence != syn:  # else it was sent again
            current[key] = segment.sequence, len(found)
            found.append(Flow(segment.at, segment.interface, segment.join, 0))
        elif not segment.outgoing and segment.length and place >= 0:
            flow = found[place]
            found[place] = flow._replace(received=flow.received + segment.length)
    return found
