"""Which options of one subflow the broker sets: those that any user may set on a socket. Pure.

BPF asks nobody's privilege once it is loaded, so what the kernel would ask for is asked here
(net/core/sock.c, sk_setsockopt; net/ipv4/tcp_cong.c, tcp_set_congestion_control). A mark
(SO_MARK) or another device would lead packets around the machine's rules: never.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Collection

_TCP, _IP, _IPV6, _SOCKET = (
    socket.IPPROTO_TCP,
    socket.IPPROTO_IP,
    socket.IPPROTO_IPV6,
    socket.SOL_SOCKET,
)
_SO_MAX_PACING_RATE = 47
_TCP_NOTSENT_LOWAT = 25
_HIGHEST_PRIORITY = 6  # a higher one asks for CAP_NET_ADMIN

_CONGESTION = (_TCP, socket.TCP_CONGESTION)
_PRIORITY = (_SOCKET, socket.SO_PRIORITY)
_HARMLESS = frozenset(
    {
        (_IP, socket.IP_TOS),
        (_IPV6, socket.IPV6_TCLASS),
        (_SOCKET, socket.SO_KEEPALIVE),
        (_SOCKET, _SO_MAX_PACING_RATE),
        (_TCP, socket.TCP_NODELAY),
        (_TCP, socket.TCP_MAXSEG),
        (_TCP, socket.TCP_KEEPIDLE),
        (_TCP, socket.TCP_KEEPINTVL),
        (_TCP, socket.TCP_KEEPCNT),
        (_TCP, socket.TCP_SYNCNT),
        (_TCP, socket.TCP_USER_TIMEOUT),
        (_TCP, _TCP_NOTSENT_LOWAT),
    }
)


def may_set(level: int, name: int, value: bytes, congestion_controls: Collection[str]) -> bool:
    """Tell whether any user may set this on a socket.

    Args:
        level: such as `socket.IPPROTO_IP`.
        name: such as `socket.IP_TOS`.
        value: as the kernel takes it.
        congestion_controls: those that any user may choose
            (`net.ipv4.tcp_allowed_congestion_control`).
    """
    option = (level, name)
    if option == _CONGESTION:
        return value.rstrip(b"\0").decode("ascii", "replace") in congestion_controls
    if option == _PRIORITY:
        number = int.from_bytes(value, sys.byteorder, signed=True)
        return len(value) == 4 and 0 <= number <= _HIGHEST_PRIORITY
    return option in _HARMLESS
