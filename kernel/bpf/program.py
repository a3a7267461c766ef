"""One request at a time to the program: which socket, which option, and what came of it."""

from __future__ import annotations

import ipaddress
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import htons

from ..errors import KernelError
from ..values import FourTuple
from .libbpf import attach_iterator, make_pass

VALUE_ROOM = 256
"""Bytes that a value may have."""

_OBJECT = Path(__file__).with_name("subflow_option.bpf.o")
# The variable `request` of subflow_option.bpf.c.
_REQUEST = struct.Struct("=Q16s16sHHIiiIi")
_NOT_FOUND = 1  # what no helper returns
_MAPPED = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96


@dataclass(frozen=True, slots=True)
class Request:
    """An option to set or to get.

    Args:
        namespace: cookie of the socket's network namespace.
        tuple: the socket's addresses.
        set: whether to set it.
        level: such as `socket.IPPROTO_IP`.
        name: such as `socket.IP_TOS`.
        value: what to set, or as many bytes as to get; 1 to `VALUE_ROOM`.
    """

    namespace: int
    tuple: FourTuple
    set: bool
    level: int
    name: int
    value: bytes

    def encode(self) -> bytes:
        """Write it as the program reads it."""
        local, remote = self.tuple
        addresses = _sixteen_bytes(local.host), _sixteen_bytes(remote.host)
        ports = htons(remote.port), local.port
        option = self.set, self.level, self.name, len(self.value)
        return _REQUEST.pack(self.namespace, *addresses, *ports, *option, _NOT_FOUND) + self.value


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request.

    Args:
        errno: the kernel's refusal, 0 if there was none; None if no such socket was found.
        value: as long as the request's; what was got.
    """

    errno: int | None
    value: bytes


def decode_answer(memory: bytes, size: int) -> Answer:
    """Read what the program left.

    Args:
        memory: a request, changed.
        size: bytes of its value.
    """
    result: int = _REQUEST.unpack_from(memory)[-1]
    value = memory[_REQUEST.size : _REQUEST.size + size]
    return Answer(None if result == _NOT_FOUND else -result, value)


class Program:
    """The program, loaded and attached; for one thread at a time.

    Raises:
        KernelError: it can't be loaded; says why.
    """

    def __init__(self) -> None:
        self._link, memory = attach_iterator(_OBJECT.read_bytes(), "subflow_option", ".bss")
        try:
            self._memory = mmap.mmap(memory, _REQUEST.size + VALUE_ROOM)
        except OSError:
            os.close(self._link)
            raise
        finally:
            os.close(memory)

    def carry_out(self, request: Request) -> Answer:
        """Pass over the sockets of this thread's network namespace until the one that is meant.

        The kernel looks at each bucket of its table, also at the empty ones: 1.8 ms for 262,144 of
        them, and half of that on average until the socket is found.
        """
        asked = request.encode()
        self._memory[: len(asked)] = asked
        make_pass(self._link)
        return decode_answer(self._memory[: len(asked)], len(request.value))

    def close(self) -> None:
        """Let go of the program."""
        self._memory.close()
        os.close(self._link)


class _Shared:
    """The one program of this process, loaded when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._program: Program | None = None

    def carry_out(self, request: Request) -> Answer:
        with self._lock:
            return self._loaded().carry_out(request)

    def load(self) -> None:
        with self._lock:
            self._loaded()

    def _loaded(self) -> Program:
        if self._program is None:
            self._program = Program()
        return self._program

    def forget(self) -> None:
        """Start anew in a child process: the memory is the parent's, and the lock may be taken."""
        program, self._program, self._lock = self._program, None, threading.Lock()
        if program is not None:
            program.close()


_shared = _Shared()
os.register_at_fork(after_in_child=_shared.forget)


def carry_out(request: Request) -> Answer:
    """Carry out a request with the one program of this process; any thread may call it.

    Raises:
        NotSupported: libbpf is missing, or this kernel has no BTF, or no such iterator.
        NotPermitted: CAP_BPF or CAP_PERFMON is missing.
        KernelError: there is no memory, or no descriptor left.
    """
    with _translated():
        return _shared.carry_out(request)


def check() -> None:
    """Load the program, if it isn't, to learn whether that is possible.

    Raises:
        The same as `carry_out`.
    """
    with _translated():
        _shared.load()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except KernelError:
        raise
    except OSError as error:
        what = "options of one subflow can't be reached now"
        raise KernelError(what, errno=error.errno or 0) from None


def _sixteen_bytes(host: str) -> bytes:
    address = ipaddress.ip_address(host)
    return address.packed if address.version == 6 else _MAPPED + address.packed
