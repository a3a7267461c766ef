"""Which version of an object a half-written file is of, kept beside it for the next `-C -`.

A file of its own, FILE.mphttp, and not an extended attribute: every file system has files, people
see it and may delete it, and it says by itself what it is about. It is written before the first
byte of the body and removed when the file is whole. A note that is damaged, of another URL, another
user or another file (one that was moved here, or written anew by `-o` alone) is no note: then
nothing is known of the bytes, and nothing is appended to them. So is whatever else has its name: it
is opened so that no link is followed and no pipe waited for. What another program writes into the
file is seen by its time and size, unless the run before was killed; --sha256 sees it always.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress

from mphttp.ranges.fields import strong_validator

from .beside import LONGEST_NAME, shortened
from .resume import Version
from .sink import said

SUFFIX = ".mphttp"
_LONGEST = 16 * 1024
"""Bytes of a note; servers take URLs of half of that."""
_SECOND = 10**9
_FS_IOC_GETVERSION = 2 << 30 | struct.calcsize("l") << 16 | ord("v") << 8 | 1
"""_IOR('v', 1, long) of linux/fs.h: a number that differs where an inode is used again."""
_DATE = re.compile(r"[A-Za-z0-9:, +-]{1,64}", re.ASCII)


class Notes:
    """The note beside a file.

    Args:
        name: of the file.
        descriptor: of the file.
        url: that was asked for.

    Attributes:
        kept: whether a note of the bytes that come is there for the next run.
    """

    def __init__(self, name: str, descriptor: int, url: str) -> None:
        self.kept = False
        self._path = side_name(name)
        self._asked = hashlib.sha256(url.encode()).hexdigest()  # a URL may have secrets in it
        self._descriptor = descriptor
        self._inode = _inode(descriptor)
        self._noted: Version | None = None

    def settle(self) -> None:
        """Note that nothing more is written into the file for now."""
        if self._noted is not None:
            self._write(self._noted, _stamp(self._descriptor))

    def read(self) -> Version | None:
        """Return the version of the file's bytes, or None if it isn't known."""
        version = self._read()
        self.kept = version is not None
        return version

    def _read(self) -> Version | None:
        try:
            told = json.loads(_content(self._path))
            ours = told.pop("digest") == _digest(told)
            ours = ours and (told["asked"], told["inode"]) == (self._asked, self._inode)
            ours = ours and _untouched(told["stamp"], _stamp(self._descriptor))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return _version(told) if ours else None

    def write(self, version: Version) -> None:
        """Note a version; where that can't be, another run has nothing to go on from."""
        self._noted = version
        self._write(version, None)

    def _write(self, version: Version, stamp: list[int] | None) -> None:
        told = {
            "asked": self._asked,
            "inode": self._inode,
            "source": version.source,
            "validator": version.validator,
            "length": version.length,
            "stamp": stamp,
        }
        text = json.dumps({**told, "digest": _digest(told)}) + "\n"
        with suppress(OSError):
            _replace(self._path, text.encode())
            self.kept = True

    def remove(self) -> None:
        """Forget what is noted.

        Raises:
            Failure: it can't be removed, so that it would be believed later.
        """
        self.kept, self._noted = False, None
        with said(self._path):
            try:
                os.unlink(self._path)
            except FileNotFoundError:
                pass
            except OSError:
                if self._read() is not None:
                    raise


def side_name(name: str) -> str:
    """Return the name of a file's note, which has room for it whatever the file is called."""
    folder, base = os.path.split(name)
    if len(os.fsencode(base + SUFFIX)) > LONGEST_NAME:
        tail = f".{hashlib.sha256(os.fsencode(base)).hexdigest()[:16]}{SUFFIX}"
        base = shortened(base, LONGEST_NAME - len(tail)) + tail
        return os.path.join(folder, base)
    return name + SUFFIX


def _content(path: str) -> bytes:
    """Read a file of this user's own, or root's, and no other thing.

    Raises:
        OSError: it is none.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    with open(os.open(path, flags), "rb") as file:
        here = os.fstat(file.fileno())
        if not stat.S_ISREG(here.st_mode) or here.st_uid not in (0, os.geteuid()):
            raise OSError("this is no note of one's own")
        return file.read(_LONGEST)


def _replace(path: str, data: bytes) -> None:
    """Write a file anew, whatever had its name.

    Raises:
        OSError: it can't be written.
    """
    new = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}{SUFFIX}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(new, flags, 0o600), "wb") as file:
            file.write(data)
        os.replace(new, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(new)
        raise


def _inode(descriptor: int) -> list[int]:
    """Return a file's number, and what tells it from others that had it before (0: unknown)."""
    generation = bytearray(8)
    with suppress(OSError):
        fcntl.ioctl(descriptor, _FS_IOC_GETVERSION, generation)
    return [os.fstat(descriptor).st_ino, int.from_bytes(generation[:4], sys.byteorder)]


def _stamp(descriptor: int) -> list[int]:
    """Return what every writer changes of a file: its size, and its time in nanoseconds."""
    here = os.fstat(descriptor)
    return [here.st_size, here.st_mtime_ns]


def _untouched(before: list[int] | None, now: list[int]) -> bool:
    """Whether nobody has written since; without a stamp, the last run was killed while it wrote."""
    if before is None:
        return True
    (size, time), (size_now, time_now) = before, now
    # FAT keeps every second second.
    coarse = not time_now % _SECOND and abs(time - time_now) <= 2 * _SECOND
    return size == size_now and (time == time_now or coarse)


def _digest(told: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _version(told: dict[str, object]) -> Version | None:
    match told:
        case {"source": str(source), "validator": str(validator), "length": int() | None as length}:
            sound = strong_validator({"etag": validator}) or _DATE.fullmatch(validator)
            return Version(source, validator, length) if sound else None
    return None
