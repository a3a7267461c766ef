"""A file that grows beside another, whose name it takes when it is whole.

Until then `ls` shows it, NAME.1a2b3c4d.part: one that a kill leaves behind is found.

Whether there may be one is the kernel's to say: the name is opened first, as any program would open
it, so that links are followed, or not, by the kernel's rules (fs.protected_symlinks and the like).
What takes the place of a file has its owner, mode and attributes before it has a byte. Where that
can't be had, or where the file has other names too, it has to be written in place.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

LONGEST_NAME = 255
"""Bytes; NAME_MAX of Linux."""
_LOST_BY_WRITING = ("security.capability", "security.ima", "security.evm", "security.selinux")
"""Attributes that writing takes from a file, or that a new one has by a rule of its own."""


@dataclass(frozen=True)
class Beside:
    """A new file in the folder of another one; whoever has it closes it by `drop` or `replace`.

    Args:
        folder: descriptor of the folder.
        name: of the file whose name it takes.
        own: its name until then.
        descriptor: of itself, to read and to write.
    """

    folder: int
    name: str
    own: str
    descriptor: int

    @classmethod
    def new(cls, path: str) -> Self:
        """Make one for a name that isn't there yet, with the mode that the umask leaves.

        Raises:
            OSError: it can't be made.
        """
        folder, name = os.path.split(path)
        if not name:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return cls._made(folder or ".", name, 0o666)

    @classmethod
    def of(cls, there: int) -> Self | None:
        """Make one for a file that is open for writing; None if it has to be written in place.

        Args:
            there: its descriptor.
        """
        try:
            folder, name = os.path.split(os.readlink(f"/proc/self/fd/{there}"))
            made = cls._made(folder, name, 0o600)
        except OSError:
            return None
        try:
            now = os.stat(name, dir_fd=made.folder, follow_symlinks=False)
            if os.path.samestat(now, os.fstat(there)) and now.st_nlink == 1:
                _dress(made.descriptor, there)
                return made
        except OSError:
            pass
        made.drop()
        return None

    @classmethod
    def _made(cls, path: str, name: str, mode: int) -> Self:
        folder = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        ending = f".{secrets.token_hex(4)}.part"
        own = f"{shortened(name, LONGEST_NAME - len(ending))}{ending}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return cls(folder, name, own, os.open(own, flags, mode, dir_fd=folder))
        except BaseException:
            os.close(folder)
            raise

    def replace(self) -> None:
        """Take the name.

        Raises:
            OSError: that can't be had.
        """
        os.close(os.dup(self.descriptor))  # some file systems tell only now that a disk is full
        os.replace(self.own, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def link(self, name: str) -> None:
        """Take another name, which nothing has.

        Raises:
            OSError: something has it.
        """
        os.link(self.own, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def drop(self) -> None:
        """Close it; without the other's name, nothing of it is left."""
        with suppress(OSError):
            os.unlink(self.own, dir_fd=self.folder)
        os.close(self.descriptor)
        os.close(self.folder)


def shortened(name: str, most: int) -> str:
    """Return the beginning of a name that has at most so many bytes."""
    return os.fsdecode(os.fsencode(name)[:most])


def _dress(new: int, there: int) -> None:
    """Give a file the owner, mode and attributes of another one.

    Raises:
        OSError: not all of them can be given.
    """
    wanted = os.fstat(there)
    if (wanted.st_uid, wanted.st_gid) != (os.fstat(new).st_uid, os.fstat(new).st_gid):
        os.fchown(new, wanted.st_uid, wanted.st_gid)
    # Never S_ISUID and S_ISGID: writing takes them from a file, too.
    os.fchmod(new, stat.S_IMODE(wanted.st_mode) & 0o777)
    names = {name for name in _attributes(there) if name not in _LOST_BY_WRITING}
    for name in _attributes(new) - names - set(_LOST_BY_WRITING):  # by the folder's default ACL
        os.removexattr(new, name)
    for name in names:
        os.setxattr(new, name, os.getxattr(there, name))


def _attributes(descriptor: int) -> set[str]:
    try:
        return set(os.listxattr(descriptor))
    except OSError:  # a file system without any
        return set()
