"""Loads the program by libbpf 1.x, which finds where this kernel's structures have their fields."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from ..errors import KernelError, NotPermitted, NotSupported
from ..hints import GRANT_BPF, INSTALL_LIBBPF, NEEDS_BPF, OTHER_VERIFIER

_LIBRARY = "libbpf.so.1"
_BTF = Path("/sys/kernel/btf/vmlinux")
_WHAT = "options of one subflow are out of reach"

_pointer = ctypes.c_void_p
_PROTOTYPES = {
    "libbpf_set_print": (_pointer, _pointer),
    "bpf_object__open_mem": (_pointer, ctypes.c_char_p, ctypes.c_size_t, _pointer),
    "bpf_object__load": (ctypes.c_int, _pointer),
    "bpf_object__close": (None, _pointer),
    "bpf_object__find_program_by_name": (_pointer, _pointer, ctypes.c_char_p),
    "bpf_object__find_map_fd_by_name": (ctypes.c_int, _pointer, ctypes.c_char_p),
    "bpf_program__attach_iter": (_pointer, _pointer, _pointer),
    "bpf_link__fd": (ctypes.c_int, _pointer),
    "bpf_link__destroy": (ctypes.c_int, _pointer),
    "bpf_iter_create": (ctypes.c_int, ctypes.c_int),
}


class Attached(NamedTuple):
    """Descriptors that keep a loaded program alive; who gets them closes them.

    Args:
        link: of the attached iterator.
        memory: of the map with its variables, which can be mapped.
    """

    link: int
    memory: int


def attach_iterator(elf: bytes, program: str, memory: str) -> Attached:
    """Load an object into the kernel and attach its iterator.

    Args:
        elf: the object.
        program: name of the iterator's function.
        memory: name of the section with its variables.

    Raises:
        NotSupported: libbpf is missing, or this kernel has no BTF, or no such iterator.
        NotPermitted: CAP_BPF or CAP_PERFMON is missing.
        OSError: there is no descriptor left.
    """
    library = _library()
    with ExitStack() as stack:
        # What is wrong is told by our errors; libbpf would write it to standard error.
        stack.callback(library.libbpf_set_print, library.libbpf_set_print(None))
        loaded = _made(library.bpf_object__open_mem(elf, len(elf), None))
        stack.callback(library.bpf_object__close, loaded)
        _done(library.bpf_object__load(loaded))
        function = library.bpf_object__find_program_by_name(loaded, program.encode())
        link = _made(library.bpf_program__attach_iter(function, None))
        stack.callback(library.bpf_link__destroy, link)
        variables = _done(library.bpf_object__find_map_fd_by_name(loaded, memory.encode()))
        return _kept(library.bpf_link__fd(link), variables)


def make_pass(link: int) -> None:
    """Call the program for each socket of this thread's network namespace, until it returns 1.

    Raises:
        OSError: there is no memory, or no descriptor left.
    """
    iterator = _library().bpf_iter_create(link)
    if iterator < 0:
        raise OSError(-iterator, os.strerror(-iterator))
    try:
        os.read(iterator, 1)
    except BlockingIOError:
        pass  # what a read gives whose pass was ended by the program
    finally:
        os.close(iterator)


def _kept(link: int, memory: int) -> Attached:
    kept = os.dup(link)
    try:
        return Attached(kept, os.dup(memory))
    except OSError:
        os.close(kept)
        raise


@functools.cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY, use_errno=True)
    except OSError as error:
        raise NotSupported(f"{_WHAT}: {error}", hint=INSTALL_LIBBPF) from None
    for name, (result, *arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _made(pointer: int | None) -> int:
    if pointer is None:
        raise _refusal(ctypes.get_errno())
    return pointer


def _done(result: int) -> int:
    if result < 0:
        raise _refusal(-result)
    return result


def _refusal(number: int) -> KernelError:
    if number == errno.EPERM:
        what = f"{_WHAT}: CAP_BPF and CAP_PERFMON are needed, in the initial user namespace"
        return NotPermitted(what, errno=number, hint=GRANT_BPF)
    if number == errno.EACCES:
        what = f"{_WHAT}: this kernel's verifier refuses the program"
        return NotSupported(what, errno=number, hint=OTHER_VERIFIER)
    what = _WHAT if _BTF.exists() else f"{_WHAT}: this kernel has no BTF"
    return NotSupported(what, errno=number, hint=NEEDS_BPF)
