"""Which options of one subflow the kernel lets a BPF program set and read.

Everything else is refused with EINVAL. Kernels before 6.18 know fewer of them.

Source: net/core/filter.c, sol_socket_sockopt, sol_tcp_sockopt, sol_ip_sockopt, sol_ipv6_sockopt;
numbers from include/uapi: asm-generic/socket.h, linux/tcp.h, linux/in.h, linux/in6.h, linux/bpf.h.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Mapping
from typing import NamedTuple


class Option(NamedTuple):
    """A socket option.

    Args:
        level: such as `socket.SOL_SOCKET`.
        number: its number there.
        text: its name.
        sets: whether it can be set on one subflow.
        gets: whether it can be read on one subflow.
    """

    level: int
    number: int
    text: str
    sets: bool = True
    gets: bool = True


OPTIONS = (
    Option(socket.SOL_SOCKET, 2, "SO_REUSEADDR"),
    Option(socket.SOL_SOCKET, 7, "SO_SNDBUF"),
    Option(socket.SOL_SOCKET, 8, "SO_RCVBUF"),
    Option(socket.SOL_SOCKET, 9, "SO_KEEPALIVE"),
    Option(socket.SOL_SOCKET, 12, "SO_PRIORITY"),
    Option(socket.SOL_SOCKET, 15, "SO_REUSEPORT"),
    Option(socket.SOL_SOCKET, 18, "SO_RCVLOWAT", sets=False),  # it is set on plain TCP only
    Option(socket.SOL_SOCKET, 25, "SO_BINDTODEVICE", gets=False),
    Option(socket.SOL_SOCKET, 36, "SO_MARK"),
    Option(socket.SOL_SOCKET, 47, "SO_MAX_PACING_RATE"),
    Option(socket.SOL_SOCKET, 62, "SO_BINDTOIFINDEX"),
    Option(socket.SOL_SOCKET, 74, "SO_TXREHASH"),
    Option(socket.IPPROTO_TCP, 1, "TCP_NODELAY"),
    Option(socket.IPPROTO_TCP, 2, "TCP_MAXSEG"),
    Option(socket.IPPROTO_TCP, 4, "TCP_KEEPIDLE"),
    Option(socket.IPPROTO_TCP, 5, "TCP_KEEPINTVL"),
    Option(socket.IPPROTO_TCP, 6, "TCP_KEEPCNT"),
    Option(socket.IPPROTO_TCP, 7, "TCP_SYNCNT"),
    Option(socket.IPPROTO_TCP, 10, "TCP_WINDOW_CLAMP"),
    Option(socket.IPPROTO_TCP, 13, "TCP_CONGESTION"),
    Option(socket.IPPROTO_TCP, 16, "TCP_THIN_LINEAR_TIMEOUTS"),
    Option(socket.IPPROTO_TCP, 18, "TCP_USER_TIMEOUT"),
    Option(socket.IPPROTO_TCP, 25, "TCP_NOTSENT_LOWAT"),
    Option(socket.IPPROTO_TCP, 27, "TCP_SAVE_SYN"),
    Option(socket.IPPROTO_TCP, 28, "TCP_SAVED_SYN", sets=False),
    Option(socket.IPPROTO_TCP, 44, "TCP_RTO_MAX_MS"),
    Option(socket.IPPROTO_TCP, 1001, "TCP_BPF_IW", gets=False),
    Option(socket.IPPROTO_TCP, 1002, "TCP_BPF_SNDCWND_CLAMP", gets=False),
    Option(socket.IPPROTO_TCP, 1003, "TCP_BPF_DELACK_MAX"),
    Option(socket.IPPROTO_TCP, 1004, "TCP_BPF_RTO_MIN"),
    Option(socket.IPPROTO_TCP, 1008, "TCP_BPF_SOCK_OPS_CB_FLAGS"),
    Option(socket.IPPROTO_IP, 1, "IP_TOS"),
    Option(socket.IPPROTO_IPV6, 67, "IPV6_TCLASS"),
    Option(socket.IPPROTO_IPV6, 70, "IPV6_AUTOFLOWLABEL"),
)


@functools.cache
def known_options() -> Mapping[tuple[int, int], Option]:
    """The table by level and number."""
    return {(option.level, option.number): option for option in OPTIONS}
