"""One program for the whole process: threads, children, descriptors."""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import suppress
from itertools import count

import pytest

from mphttp.kernel import FourTuple, SocketAddress, Subflows
from mphttp.kernel.bpf.program import Request, carry_out, decode_answer
from mphttp.kernel.errors import KernelError

from ..namespaces import Net, in_child
from ..two_subflows import SO_MARK, SO_NETNS_COOKIE, SOCKET, TCP, integer


def marked_right(subflows: Subflows, value: int) -> bool:
    """Mark the first subflow, and read the mark again."""
    subflows.setsockopt(1, SOCKET, SO_MARK, value)
    return integer(subflows.getsockopt(1, SOCKET, SO_MARK, 4)) == value


def held_programs() -> int:
    """Count this process's descriptors of attached programs."""
    held = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the listing's own
            held += os.readlink(f"/proc/self/fd/{name}") == "anon_inode:bpf_link"
    return held


def test_threads_share_the_program(root_net: Net) -> None:
    """Each thread sets and reads its own subflow, and never another's value."""
    clients = [root_net.connection()[0] for _ in range(6)]
    wrong: list[int] = []

    def work(number: int, client: socket.socket) -> None:
        with Subflows(client) as subflows:
            values = range(number * 1000, number * 1000 + 20)
            wrong.extend(value for value in values if not marked_right(subflows, value))

    threads = [threading.Thread(target=work, args=each) for each in enumerate(clients, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert held_programs() == 1


@pytest.mark.slow
def test_children_load_their_own(root_net: Net) -> None:
    """Forked in the middle of a request, a child neither hangs nor meddles with its parent's."""
    mine, childs = root_net.connection()[0], root_net.connection()[0]
    stop = threading.Event()
    wrong: list[int] = []

    def work() -> None:
        with Subflows(mine) as subflows:
            for value in count(1):
                if not marked_right(subflows, value):
                    wrong.append(value)
                if stop.is_set():
                    return

    def child() -> None:
        with Subflows(childs) as subflows:
            assert all(marked_right(subflows, value) for value in range(20))
        assert held_programs() == 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            in_child(child)
    finally:
        stop.set()
        worker.join()
    assert wrong == []
    assert held_programs() == 1


def test_without_a_descriptor_left(root_net: Net) -> None:
    """That is an error of this layer too, and goes by."""
    client, _ = root_net.connection()
    with Subflows(client) as subflows:
        assert marked_right(subflows, 8)
        namespace = integer(client.getsockopt(SOCKET, SO_NETNS_COOKIE, 8))
        request = Request(namespace, subflows.tuple_of(1), False, SOCKET, SO_MARK, bytes(4))
        taken = []
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        with pytest.raises(KernelError, match="Too many open files"):
            carry_out(request)
        for descriptor in taken:
            os.close(descriptor)
        assert carry_out(request).value == struct.pack("=i", 8)


def test_an_answer_is_told_from_a_request() -> None:
    """An untouched request means that no socket was found; 0 and errors come from the kernel."""
    pair = FourTuple(SocketAddress("10.0.0.1", 1), SocketAddress("10.0.0.2", 2))
    request = Request(0, pair, False, TCP, socket.TCP_CONGESTION, bytes(16)).encode()
    assert decode_answer(request, 16).errno is None
    value = b"bbr".ljust(16, b"\0")
    for result, number in ((0, 0), (-22, 22)):
        answered = request[: -len(value) - 4] + struct.pack("=i", result) + value
        answer = decode_answer(answered, 16)
        assert (answer.errno, answer.value) == (number, value)
