"""What is said where an option of one subflow can't be set."""

from __future__ import annotations

import ipaddress
import os
import platform
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mphttp.kernel import (
    CallRefused,
    FourTuple,
    NetlinkMechanism,
    NoSuchSubflow,
    NotPermitted,
    NotSupported,
    SocketAddress,
    Subflows,
    capture,
    findings,
)
from mphttp.kernel.bpf.options_table import OPTIONS
from mphttp.kernel.bpf.program import Request, carry_out

from ..namespaces import Net
from ..two_subflows import IP, IPV6, SO_NETNS_COOKIE, SOCKET, TCP, integer, ss, two_subflows

VALUES = [struct.pack("=i", value) for value in (1, 100, 1000, 200_000)] + [b"reno", b"lo"]


@pytest.mark.slow
def test_the_table_is_what_the_kernel_says(root_net: Net) -> None:
    """Asked for each option of each level, it takes those of the table on a subflow, no other."""
    listener = root_net.listen("::")
    numbers = {SOCKET: range(1, 90), TCP: [*range(1, 60), *range(1000, 1012)]}
    numbers |= {IP: range(1, 60), IPV6: range(1, 100)}
    took = set[tuple[int, int, str]]()
    for level, names in numbers.items():
        host = "fd00:1::2" if level == IPV6 else "10.0.1.2"
        for name in names:
            client, served = root_net.connect(listener, host)
            if accepts(client, level, name, [bytes(4)], setting=False):
                took.add((level, name, "get"))
            if accepts(client, level, name, VALUES, setting=True):
                took.add((level, name, "set"))
            client.close()
            served.close()
    table = {(o.level, o.number, "get") for o in OPTIONS if o.gets}
    table |= {(o.level, o.number, "set") for o in OPTIONS if o.sets}
    table -= {(TCP, 28, "get")}  # no SYN was saved here
    version = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    assert version > (6, 18) or took <= table
    assert version < (6, 18) or took >= table


def accepts(
    sock: socket.socket, level: int, name: int, values: list[bytes], *, setting: bool
) -> bool:
    """Ask whether one of these values is taken."""
    pair = capture(sock.fileno()).decode().subflows[0].tuple
    requests = (Request(cookie(sock), pair, setting, level, name, value) for value in values)
    return any(carry_out(request).errno == 0 for request in requests)


def cookie(sock: socket.socket) -> int:
    return integer(sock.getsockopt(SOCKET, SO_NETNS_COOKIE, 8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "value", "what", "hint"),
    [
        ((IP, socket.IP_TTL), 9, "option 2 of level 0", "on one subflow is: IP_TOS"),
        ((socket.IPPROTO_UDP, 1), 1, "option 1 of level 17", "IP_TOS, IPV6_TCLASS"),
        ((TCP, 28), 1, "TCP_SAVED_SYN", "TCP_USER_TIMEOUT"),
        ((IP, socket.IP_TOS), b"1", "IP_TOS", "size"),
        ((TCP, socket.TCP_CONGESTION), b"nobodys", "TCP_CONGESTION", "value"),
        ((IP, socket.IP_TOS), b"", "1 to 256 bytes", ""),
        ((IP, socket.IP_TOS), bytes(257), "1 to 256 bytes", ""),
        ((IP, socket.IP_TOS), 1 << 32, "32 bits", ""),
        ((TCP, socket.TCP_CONGESTION), "reno", "not 'reno'", ""),
        ((1 << 31, 1), 1, "no numbers", ""),
        ((1, 1 << 31), 1, "no numbers", ""),
    ],
)
def test_a_refusal_says_what_can_be_done(
    root_net: Net, option: tuple[int, int], value: Any, what: str, hint: str
) -> None:
    """Unknown here, or a wrong value: the kernel's errno, and a hint that helps."""
    client, _ = root_net.connection()
    with Subflows(client) as subflows:
        with pytest.raises(CallRefused, match=what) as refused:
            subflows.setsockopt(1, *option, value)
        assert refused.value.errno
        assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("option", "size", "hint"),
    [
        ((IP, socket.IP_TOS), 0, ""),
        ((IP, socket.IP_TOS), 257, ""),
        ((TCP, socket.TCP_INFO), 0, ""),
        ((SOCKET, socket.SO_BINDTODEVICE), 16, "read on one subflow is: SO_REUSEADDR"),
    ],
)
def test_a_refused_reading(root_net: Net, option: tuple[int, int], size: int, hint: str) -> None:
    client, _ = root_net.connection()
    with Subflows(client) as subflows:
        with pytest.raises(CallRefused, match="was not read") as refused:
            subflows.getsockopt(1, *option, size)
        assert hint in refused.value.hint


def test_a_subflow_that_is_gone(root_net: Net) -> None:
    """Also if it goes between being listed and being asked."""
    with two_subflows(root_net) as on:
        control = NetlinkMechanism().control(on.client)
        gone = on.subflows.info().subflows[1]
        on.subflows.close(on.second)
        with pytest.raises(NoSuchSubflow):
            on.subflows.setsockopt(on.second, IP, socket.IP_TOS, 8)
        deadline = time.monotonic() + 20
        while on.second in {s.id for s in control.info().subflows}:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        with pytest.raises(NoSuchSubflow, match="it is gone"):
            control.setsockopt(gone, IP, socket.IP_TOS, 8)
        with pytest.raises(NoSuchSubflow):
            control.getsockopt(gone, TCP, socket.TCP_INFO, 8)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.1.2",
        *(pytest.param(host, marks=pytest.mark.slow) for host in ("fd00:1::2", "::ffff:10.0.1.2")),
    ],
)
def test_each_bit_of_the_tuple_counts(root_net: Net, host: str) -> None:
    """With any bit of an address or a port turned, it is another socket, which isn't there."""
    client, _ = root_net.connection(host)
    with Subflows(client) as subflows:
        pair = subflows.tuple_of(1)
    value = struct.pack("=i", 8)
    request = Request(cookie(client), pair, True, SOCKET, socket.SO_PRIORITY, value)
    turned = [pair._replace(local=side) for side in with_a_bit_turned(pair.local)]
    turned += [pair._replace(remote=side) for side in with_a_bit_turned(pair.remote)]
    for other in (*turned, FourTuple(pair.remote, pair.local)):
        assert carry_out(replace(request, tuple=other)).errno is None, other
    assert carry_out(request).errno == 0


def with_a_bit_turned(side: SocketAddress) -> Iterator[SocketAddress]:
    address = ipaddress.ip_address(side.host)
    for bit in range(address.max_prefixlen):
        host = type(address)(int(address) ^ 1 << bit)
        yield SocketAddress(str(host), side.port)
    for bit in range(16):
        yield SocketAddress(side.host, side.port ^ 1 << bit)


def test_a_twin_in_another_namespace_is_left_alone(root_net: Net) -> None:
    """The same addresses and ports in two namespaces: the one that was meant is found, or none."""
    client, served = root_net.connection()
    with Subflows(client) as subflows:
        with root_net.server(), pytest.raises(NotSupported, match="namespace"):
            subflows.setsockopt(1, IP, socket.IP_TOS, 8)
        twin = subflows.tuple_of(1)
        value = struct.pack("=i", 8)
        request = Request(cookie(served), twin, True, IP, socket.IP_TOS, value)
        assert carry_out(request).errno is None
        assert "tos:0 " in ss(subflows, 1)


def test_without_privilege(net: Net) -> None:
    """Root of a user namespace isn't enough; the error says what is, and so does `doctor`."""
    client, _ = net.connection()
    with Subflows(client) as subflows, pytest.raises(NotPermitted, match="CAP_BPF") as refused:
        subflows.setsockopt(1, IP, socket.IP_TOS, 8)
    assert "+bpf,+perfmon" in refused.value.hint
    (found,) = [finding for finding in findings() if finding.name == "subflow options"]
    assert (found.ok, found.needed) == (False, False)
    assert (found.meaning, found.mend) == (refused.value.what, refused.value.hint)


def test_with_the_privilege(root_net: Net) -> None:
    (found,) = [finding for finding in findings() if finding.name == "subflow options"]
    assert (found.ok, found.mend) == (True, "")


@pytest.mark.parametrize(
    ("hidden", "what", "hint"),
    [
        ("/sys/kernel/btf", "no BTF", "CONFIG_DEBUG_INFO_BTF"),
        ("libbpf.so.1", r"libbpf\.so\.1", "install libbpf1"),
    ],
)
def test_what_is_missing_is_named(root_net: Net, hidden: str, what: str, hint: str) -> None:
    """Without BTF in the kernel, or without libbpf, the error says so and what helps."""
    hide(hidden)
    client, _ = root_net.connection()
    with Subflows(client) as subflows, pytest.raises(NotSupported, match=what) as refused:
        subflows.setsockopt(1, IP, socket.IP_TOS, 8)
    assert hint in refused.value.hint


def hide(name: str) -> None:
    """Cover a folder, or every copy of a library, in this mount namespace."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    if name.startswith("/"):
        subprocess.run(["mount", "-t", "tmpfs", "none", name], check=True)
        return
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        if line.strip().startswith(name):
            copy = os.path.realpath(line.rpartition("=> ")[2])
            subprocess.run(["mount", "--bind", "/dev/null", copy], check=True)
