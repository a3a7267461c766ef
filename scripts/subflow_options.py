"""Ask this kernel which options can be set on one subflow, and what that costs.

As root: unshare --net .venv/bin/python scripts/subflow_options.py
"""

from __future__ import annotations

import errno
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from mphttp.kernel import (
    FourTuple,
    NoSuchSubflow,
    NotSupported,
    ReadonlyMechanism,
    Subflows,
)
from mphttp.kernel.bpf.options import get_option
from mphttp.kernel.bpf.options_table import OPTIONS, Option
from mphttp.kernel.reading.info import IPPROTO_MPTCP

OTHERS = (
    Option(socket.SOL_SOCKET, 13, "SO_LINGER"),
    Option(socket.SOL_SOCKET, 49, "SO_INCOMING_CPU"),
    Option(socket.IPPROTO_TCP, 3, "TCP_CORK"),
    Option(socket.IPPROTO_TCP, 11, "TCP_INFO"),
    Option(socket.IPPROTO_TCP, 12, "TCP_QUICKACK"),
    Option(socket.IPPROTO_IP, 2, "IP_TTL"),
    Option(socket.IPPROTO_IP, 10, "IP_MTU_DISCOVER"),
    Option(socket.IPPROTO_IPV6, 16, "IPV6_UNICAST_HOPS"),
)
"""What one might want, and the table of what BPF can set hasn't."""

VALUES: dict[str, int | bytes] = {
    "SO_BINDTODEVICE": b"lo",
    "SO_LINGER": bytes(8),
    "TCP_BPF_DELACK_MAX": 200_000,
    "TCP_BPF_RTO_MIN": 200_000,
    "TCP_CONGESTION": b"reno",
    "TCP_MAXSEG": 1000,
    "TCP_RTO_MAX_MS": 1000,
}
"""What an option is set to where 1 won't do."""

PASSES = 200


@contextmanager
def connection(family: socket.AddressFamily) -> Iterator[tuple[socket.socket, Subflows]]:
    """Connect over the loopback interface."""
    with ExitStack() as stack:

        def made() -> socket.socket:
            return stack.enter_context(socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP))

        listener, client = made(), made()
        listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listener.listen()
        client.connect(listener.getsockname()[:2])
        stack.enter_context(listener.accept()[0])
        nothing = ReadonlyMechanism(NotSupported("no paths are managed here"))
        yield client, stack.enter_context(Subflows(client, nothing))


def outcome(call: Callable[[], object]) -> str:
    """Say "yes", or the name of the error."""
    try:
        call()
    except OSError as error:
        return (
            "EOPNOTSUPP" if error.errno == errno.EOPNOTSUPP else errno.errorcode[error.errno or 0]
        )
    return "yes"


def row(option: Option) -> str:
    """Ask for one option, on a connection of its own for each of the three questions."""
    family = socket.AF_INET6 if option.level == socket.IPPROTO_IPV6 else socket.AF_INET
    which = (option.level, option.number)
    value = VALUES.get(option.text, 1)
    with connection(family) as (client, _):
        on_all = outcome(partial(client.setsockopt, *which, value))
    with connection(family) as (_, subflows):
        setting = outcome(partial(subflows.setsockopt, *subflows.ids(), *which, value))
    with connection(family) as (_, subflows):
        reading = outcome(partial(subflows.getsockopt, *subflows.ids(), *which, 4))
    return f"| {option.text} | {on_all} | {setting} | {reading} |"


def milliseconds(*, gone: bool = False) -> float:
    """Time one request for a subflow that is somewhere in the kernel's table, or is nowhere."""
    with connection(socket.AF_INET) as (client, subflows):
        (subflow,) = subflows.info().subflows
        if gone:
            there = subflow.tuple.remote
            subflow = replace(subflow, tuple=FourTuple(there, there))
        began = time.perf_counter()
        with suppress(NoSuchSubflow):
            get_option(client, subflow, socket.SOL_SOCKET, socket.SO_PRIORITY, 4)
        return 1e3 * (time.perf_counter() - began)


def costs() -> Iterator[str]:
    """Time the first request, which loads the program, and later ones."""
    yield f"first request, which loads the program: {milliseconds():.1f} ms"
    for name, gone in (("found", False), ("not found", True)):
        times = [milliseconds(gone=gone) for _ in range(PASSES)]
        yield f"{name}: median {statistics.median(times):.2f} ms, longest {max(times):.2f} ms"


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    told = list(costs())  # before anything has loaded the program
    print("| option | on the connection | set on one subflow | read on one subflow |")
    print("|---|---|---|---|")
    for each in (*OPTIONS, *OTHERS):
        print(row(each))
    print("", *told, sep="\n")
