"""Whose connections `mphttp watch` shows: everybody's, a process's, or those to a host."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mphttp.kernel.addresses import unmapped
from mphttp.kernel.reading.listing import Listing
from mphttp.kernel.values import SocketAddress

from ..exits import usage
from ..printable import decoded, printable
from ..url import parse_url, resolved

_PROC = Path("/proc")
_PROCESS = re.compile(r"[0-9]{1,10}")
_SOCKET = re.compile(r"socket:\[(\d+)\]")


@dataclass(frozen=True)
class Choice:
    """Which connections to show.

    Args:
        process: only those that this process holds, or None.
        remotes: only those to one of these addresses, or None.
    """

    process: int | None = None
    remotes: frozenset[SocketAddress] | None = None

    def of(self, listings: Iterable[Listing]) -> list[Listing]:
        """Take those that are to be shown.

        Raises:
            ProcessLookupError: the process has ended.
        """
        inodes = None if self.process is None else sockets_of(self.process)
        return [
            listing
            for listing in listings
            if (inodes is None or listing.connection.inode in inodes)
            and (self.remotes is None or unmapped(listing.connection.tuple.remote) in self.remotes)
        ]


def parse_choice(text: str | None) -> Choice:
    """Read what stands on the command line.

    Args:
        text: a process's number, a URL, or None for everything.

    Raises:
        Failure: there is no such process, its sockets can't be seen from here, or the URL can't be
            used or resolved.
    """
    if text is None:
        return Choice()
    if _PROCESS.fullmatch(text):
        return _choose_process(int(text))
    return _choose_server(text)


def sockets_of(process: int) -> set[int]:
    """Tell the inodes of the sockets that a process holds.

    Raises:
        ProcessLookupError: there is no such process.
        PermissionError: it is another user's.
    """
    found: set[int] = set()
    try:
        with os.scandir(_PROC / str(process) / "fd") as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # closed meanwhile
                    if match := _SOCKET.fullmatch(os.readlink(entry.path)):
                        found.add(int(match[1]))
    except FileNotFoundError:
        raise ProcessLookupError(f"there is no process {process}") from None
    return found


class Owners:
    """Finds the processes that hold sockets; searches only for sockets that it doesn't know."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    def of(self, inodes: Iterable[int]) -> dict[int, str]:
        """Name the process of each socket, such as "curl[123]"; those that may not be seen lack."""
        wanted = {inode for inode in inodes if inode}
        self._names = {inode: name for inode, name in self._names.items() if inode in wanted}
        if not wanted <= self._names.keys():
            for inode in wanted:
                self._names.setdefault(inode, "")
            self._search()
        return {inode: name for inode, name in self._names.items() if name}

    def _search(self) -> None:
        for entry in _processes():
            if entry.name.isdecimal():
                with suppress(OSError):  # ended meanwhile, or another user's
                    for inode in sockets_of(int(entry.name)) & self._names.keys():
                        name = decoded((entry / "comm").read_bytes().removesuffix(b"\n"))
                        self._names[inode] = f"{printable(name, breaks=False)}[{entry.name}]"


def _processes() -> list[Path]:
    try:
        return list(_PROC.iterdir())
    except OSError:  # there is no /proc, or not for us
        return []


def _choose_process(process: int) -> Choice:
    ours, theirs = _PROC / "self/ns/net", _PROC / str(process) / "ns/net"
    try:
        sockets_of(process)
        same = os.path.samefile(ours, theirs)
    except ProcessLookupError as error:
        raise usage(str(error)) from None
    except PermissionError:
        what = f"the sockets of process {process} may not be seen by this user"
        raise usage(what, f"sudo mphttp watch {process}") from None
    if not same:
        what = f"process {process} is in another network namespace"
        raise usage(what, f"sudo nsenter --target {process} --net mphttp watch {process}")
    return Choice(process=process)


def _choose_server(text: str) -> Choice:
    found = resolved(parse_url(text))
    addresses = (SocketAddress(str(where[0]), int(where[1])) for *_, where in found)
    return Choice(remotes=frozenset(map(unmapped, addresses)))
