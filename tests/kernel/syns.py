"""Which SYNs left by which interface, as a capture sees them: what no report can embellish."""

from __future__ import annotations

import ipaddress
import socket
from collections import Counter
from collections.abc import Iterable

_ALL = 0x0003  # ETH_P_ALL
_IPV4, _IPV6 = 0x0800, 0x86DD
_SYN, _ACK = 0x02, 0x10


class Syns:
    """Captures what leaves by some interfaces from now on.

    Args:
        names: of the interfaces.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._sockets = {name: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) for name in names}
        for name, sock in self._sockets.items():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            sock.bind((name, _ALL))
            sock.setblocking(False)

    def take(self) -> Counter[tuple[str, str]]:
        """Return how many SYNs have left since the last call, by interface and source address."""
        return Counter(
            (name, source) for name, sock in self._sockets.items() for source in _sources(sock)
        )

    def by_interface(self) -> Counter[str]:
        """Do the same, by interface alone."""
        counted = Counter[str]()
        for (name, _), number in self.take().items():
            counted[name] += number
        return counted

    def close(self) -> None:
        """Let go of the descriptors."""
        for sock in self._sockets.values():
            sock.close()


def _sources(sock: socket.socket) -> Iterable[str]:
    while True:
        try:
            packet, (_, kind, direction, *_) = sock.recvfrom(100)
        except BlockingIOError:
            return
        if direction == socket.PACKET_OUTGOING and (source := _source_of_syn(kind, packet)):
            yield source


def _source_of_syn(kind: int, packet: bytes) -> str:
    """Return the source of a SYN that begins a connection or a subflow, "" of anything else."""
    if kind == _IPV4:
        header, protocol, source = (packet[0] & 15) * 4, packet[9], packet[12:16]
    elif kind == _IPV6:
        header, protocol, source = 40, packet[6], packet[8:24]
    else:
        return ""
    if protocol != socket.IPPROTO_TCP or packet[header + 13] & (_SYN | _ACK) != _SYN:
        return ""
    return str(ipaddress.ip_address(source))
