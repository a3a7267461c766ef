"""What a process holds after it has done its work, and what the C library keeps for later.

Resident memory alone doesn't tell a leak. httpx's responses are in a cycle with their streams, so
that bodies stay until Python's collector comes; and glibc gives each thread's heap back only from
its end, so that what bodies of megabytes have once taken stays resident (mallopt(3),
M_MMAP_THRESHOLD). Both are bounded, and both take some hundred downloads to get there. So a process
is told twice here: as it is, and once what was freed is given back to the kernel.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

_FIELDS = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
_MIB = 2**20


class _Mallinfo2(ctypes.Structure):
    """glibc's struct mallinfo2 (malloc.h): sums over all threads' heaps."""

    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS.split()]


@dataclass(frozen=True)
class Held:
    """What a process holds.

    Args:
        resident: MiB, as the process is.
        trimmed: MiB of it once what was freed is given back.
        in_use: MiB that malloc has given out and that weren't freed.
        blocks: small blocks that Python's own allocator has given out: objects.
        threads: that run.
        descriptors: that are open.
    """

    resident: float
    trimmed: float
    in_use: float
    blocks: int
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return (
            f"{self.resident:.0f} MiB resident, {self.trimmed:.0f} of them once what was freed is "
            f"given back; malloc has {self.in_use:.1f} MiB in use, Python {self.blocks} blocks; "
            f"{self.threads} threads, {self.descriptors} descriptors"
        )

    def leaked(self, since: Held) -> list[str]:
        """Say what grew though it had no reason to, beyond what the heap's gaps explain."""
        limits = {
            "trimmed": since.trimmed * 1.15 + 8,
            "in_use": since.in_use * 1.15 + 1,
            "blocks": since.blocks * 1.05,
            "threads": since.threads,
            "descriptors": since.descriptors + 2,
        }
        return [name for name, most in limits.items() if getattr(self, name) > most]


def held() -> Held:
    """Look at this process when it rests."""
    libc = ctypes.CDLL("libc.so.6")
    libc.mallinfo2.restype = _Mallinfo2
    before = _resident()
    gc.collect()
    libc.malloc_trim(0)
    told = libc.mallinfo2()
    return Held(
        resident=before,
        trimmed=_resident(),
        in_use=(told.uordblks + told.hblkhd) / _MIB,
        blocks=sys.getallocatedblocks(),
        threads=threading.active_count(),
        descriptors=len(os.listdir("/proc/self/fd")),
    )


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB
