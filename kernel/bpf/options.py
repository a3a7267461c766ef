"""Options of one subflow, set and read by BPF (paper, section 3.5)."""

from __future__ import annotations

import errno
import socket
import sys

from ..errors import CallRefused, KernelError, NoSuchSubflow, NotSupported
from ..reading.info import TCP_INFO, subflow_tcp_info
from ..values import SubflowInfo
from .options_table import OPTIONS, Option, known_options
from .program import VALUE_ROOM, Answer, Request, carry_out

_SO_NETNS_COOKIE = 71  # include/uapi/asm-generic/socket.h, since 5.14
_SIZE_OF_INT = 4
_INTS = range(-(1 << 31), 1 << 31)

# How MPTCP sockets refuse options that they don't pass on (net/mptcp/sockopt.c).
_NOT_PASSED_ON = frozenset({errno.ENOPROTOOPT, errno.EOPNOTSUPP})


def set_option(
    sock: socket.socket, subflow: SubflowInfo, level: int, name: int, value: int | bytes
) -> None:
    """Set an option on one subflow alone.

    What is set on the connection later is set on this subflow as well.

    Args:
        sock: the connection's socket.
        subflow: the one.
        level: such as `socket.IPPROTO_IP`.
        name: such as `socket.IP_TOS`.
        value: an int of 32 bits, with a sign or without; or the bytes that the option takes.

    Raises:
        CallRefused: the kernel refused it; the hint says what it takes.
        NoSuchSubflow: it is gone.
        NotSupported: libbpf is missing, or this kernel has no BTF; or the socket is of another
            network namespace than this thread.
        NotPermitted: CAP_BPF or CAP_PERFMON is missing.
    """
    _ask(sock, subflow, level, name, option_bytes(value), setting=True)


def get_option(
    sock: socket.socket, subflow: SubflowInfo, level: int, name: int, size: int
) -> bytes:
    """Read an option of one subflow; TCP_INFO needs no privilege.

    Args:
        sock: the connection's socket.
        subflow: the one.
        level: such as `socket.IPPROTO_TCP`.
        name: such as `socket.TCP_CONGESTION`.
        size: bytes to read; the kernel insists on 4 for an int.

    Raises:
        The same as `set_option`.
    """
    if (level, name) == (socket.IPPROTO_TCP, TCP_INFO) and size > 0:
        return subflow_tcp_info(sock.fileno(), subflow.tuple, size)
    return _ask(sock, subflow, level, name, bytes(max(size, 0)), setting=False)


def only_on_subflows(level: int, name: int, number: int) -> bool:
    """Tell whether an option that a connection refused can be set on its subflows.

    Args:
        level: such as `socket.SOL_SOCKET`.
        name: such as 47, SO_MAX_PACING_RATE.
        number: errno of the refusal.
    """
    option = known_options().get((level, name))
    return number in _NOT_PASSED_ON and option is not None and option.sets


def option_bytes(value: int | bytes) -> bytes:
    """Write a value as the kernel takes it.

    Args:
        value: an int of 32 bits, with a sign or without; or the bytes that the option takes.

    Raises:
        CallRefused: it is neither.
    """
    try:
        if not isinstance(value, int):
            return bytes(value)
        return value.to_bytes(_SIZE_OF_INT, sys.byteorder, signed=value < 0)
    except (OverflowError, TypeError):
        what = f"a value is bytes or an int of 32 bits, not {value!r}"
        raise CallRefused(what, errno=errno.EINVAL) from None


def _ask(
    sock: socket.socket, subflow: SubflowInfo, level: int, name: int, value: bytes, *, setting: bool
) -> bytes:
    option = known_options().get((level, name), _unknown(level, name))
    what = f"{option.text} of subflow {subflow.id} was not {'set' if setting else 'read'}"
    if not 1 <= len(value) <= VALUE_ROOM:
        raise CallRefused(f"{what}: a value has 1 to {VALUE_ROOM} bytes", errno=errno.EINVAL)
    if level not in _INTS or name not in _INTS:
        raise CallRefused(f"{what}: these are no numbers of an option", errno=errno.EINVAL)
    answer = carry_out(Request(_namespace(sock), subflow.tuple, setting, level, name, value))
    if answer.errno is None:
        raise _not_found(sock, what)
    if answer.errno:
        raise _refused(answer, what, option, setting)
    return answer.value


def _unknown(level: int, name: int) -> Option:
    return Option(level, name, f"option {name} of level {level}")


def _refused(answer: Answer, what: str, option: Option, setting: bool) -> CallRefused:
    able = [o for o in OPTIONS if (o.sets if setting else o.gets)]
    if option in able:
        hint = "Linux 6.18 takes it: look at its value, its size (an int has 4 bytes), your kernel"
    else:
        of_level = [o for o in able if o.level == option.level] or able
        names = ", ".join(o.text for o in of_level)
        hint = f"what can be {'set' if setting else 'read'} on one subflow is: {names}"
    return CallRefused(what, errno=answer.errno or 0, hint=hint)


def _not_found(sock: socket.socket, what: str) -> KernelError:
    with socket.socket() as here:
        if _namespace(here) != _namespace(sock):
            return NotSupported(
                f"{what}: the connection is of another network namespace than this thread",
                hint="call from a thread that is in the connection's network namespace",
            )
    return NoSuchSubflow(f"{what}: it is gone")


def _namespace(sock: socket.socket) -> int:
    try:
        cookie = sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
    except OSError as error:
        raise NoSuchSubflow("the connection is gone", errno=error.errno or 0) from None
    return int.from_bytes(cookie, sys.byteorder)
