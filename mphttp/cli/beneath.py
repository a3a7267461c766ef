"""Files of root's beneath a folder: no link leads out of it, and nobody else may change them."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

_MOST_LINKS = 40  # as the kernel's own (path_resolution(7))
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write(root: str, path: str, text: str, mode: int = 0o644) -> None:
    """Write a file that its owner alone may change, in place of what is there.

    Args:
        root: the folder that stands for "/".
        path: absolute, in it; folders that are missing are made.
        text: what to write.
        mode: of the file; others than its owner may not write it.

    Raises:
        OSError: it can't be written, or others may change its folder.
    """
    with _parent(root, path, make=True) as (folder, name):
        _check_owned(folder)
        new = f".{name}.{secrets.token_hex(8)}"
        descriptor = os.open(new, _NEW, 0o600, dir_fd=folder)
        try:
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(text)
                os.fchmod(descriptor, mode)
            os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(new, dir_fd=folder)
            raise


def remove(root: str, path: str) -> None:
    """Remove a file, if it is there; of a link, the link.

    Args:
        root: the folder that stands for "/".
        path: absolute, in it.

    Raises:
        OSError: it can't be removed.
    """
    with suppress(FileNotFoundError), _parent(root, path, make=False) as (folder, name):
        os.unlink(name, dir_fd=folder)


def _check_owned(folder: int) -> None:
    told = os.fstat(folder)
    by_group = told.st_mode & stat.S_IWGRP and told.st_gid != 0
    if by_group or told.st_mode & stat.S_IWOTH or told.st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, "others may change what is in its folder")


@contextmanager
def _parent(root: str, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
    """Open the folder of a file, where a link, absolute or not, is read as if `root` were "/"."""
    *folders, name = path.split("/")
    with ExitStack() as opened:
        way = [_open(root, None, opened)]
        left, links = deque(folders), 0
        while left:
            part = left.popleft()
            if part == "..":
                way = way[:-1] or way  # above "/" is "/"
            elif part not in ("", "."):
                target = _link(part, way[-1])
                if target is None:
                    way.append(_enter(part, way[-1], opened, make=make))
                    continue
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                left.extendleft(reversed(target.split("/")))
                way = way[:1] if target.startswith("/") else way
        yield way[-1], name


def _link(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:  # it is none, or isn't there
        return None


def _enter(name: str, folder: int, opened: ExitStack, *, make: bool) -> int:
    made = False
    if make:
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
            made = True
    descriptor = _open(name, folder, opened)
    if made:
        os.fchmod(descriptor, 0o755)  # whatever the umask is
    return descriptor


def _open(name: str, folder: int | None, opened: ExitStack) -> int:
    # The root itself may be named by a link: that is the caller's word.
    flags = _FOLDER if folder is not None else _FOLDER & ~os.O_NOFOLLOW
    descriptor = os.open(name, flags, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor
