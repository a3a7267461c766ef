"""Where data goes: a file that appears only when it is whole, one that grows, or a stream."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO

from mphttp.ranges.store import Place

from ..environment import Environment, write_all
from ..exits import ExitCode, Failure
from .beside import Beside
from .sink import Sink, said

_BLOCK = 1 << 20
_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def is_stream(name: str) -> bool:
    """Whether `-o NAME` means stdout, or a device or pipe, where nothing can be taken back."""
    if _is_stdout(name):
        return True
    return os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name)


@contextmanager
def target(name: str, environment: Environment) -> Iterator[Sink]:
    """Open what `-o NAME` means: "-" is stdout, a device or pipe is written as it is, else a file.

    Raises:
        Failure: it can't be written.
    """
    if _is_stdout(name):
        yield Sink("standard output", environment.stdout)
        return
    with said(name):
        leads_nowhere = not os.path.exists(name)
        there = _open_there(name)
    if there is None:
        with _new_file(name) as sink:
            yield sink
        return
    with there:
        try:
            with _written(name, there) as sink:
                yield sink
        except BaseException:
            if leads_nowhere:
                remove_if_empty(os.path.realpath(name), there.fileno())
            raise


def _open_there(name: str) -> FileIO | None:
    """Open a name if there is something; a link to nothing becomes a file, if the kernel lets it.

    With O_CREAT, since the kernel refuses files and pipes of others in /tmp only then
    (fs.protected_regular, fs.protected_fifos).
    """
    try:
        os.lstat(name)
    except FileNotFoundError:
        if not name.endswith("/"):
            os.stat(os.path.dirname(name) or ".")  # whose error names what is missing
            return None
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    return FileIO(os.open(name, flags, 0o666), "w")


@contextmanager
def _new_file(name: str) -> Iterator[Sink]:
    with said(name):
        beside = Beside.new(name)
    with _grown(name, beside) as sink:
        yield sink
        with said(sink.name):
            _settle(beside, sink)


@contextmanager
def _written(name: str, there: FileIO) -> Iterator[Sink]:
    """Write what is there: a device or pipe as it is, a file by another one in its place or not."""
    if not stat.S_ISREG(os.fstat(there.fileno()).st_mode):
        yield Sink(name, there)
        return
    with said(name):
        beside = None if _is_descriptor(name) else Beside.of(there.fileno())
    if beside is None:
        with _in_place(name, there) as sink:
            yield sink
        return
    with _grown(name, beside) as sink:
        yield sink
        with said(sink.name):
            try:
                _settle(beside, sink)
            except FileExistsError:
                raise
            except OSError:  # such as a file that something is mounted on
                _copy(beside.descriptor, there)


def _settle(beside: Beside, sink: Sink) -> None:
    """Give what has grown its name."""
    sink.date()
    if sink.unwanted:
        return
    if sink.renamed is None:
        beside.replace()
    else:
        beside.link(sink.renamed)


@contextmanager
def _grown(name: str, beside: Beside) -> Iterator[Sink]:
    try:
        with FileIO(beside.descriptor, "r+", closefd=False) as stream:
            sink = Sink(name, stream, rewindable=True, place=Place(beside.descriptor, 0))
            sink.beside = beside
            yield sink
    finally:
        beside.drop()


@contextmanager
def _in_place(name: str, there: FileIO) -> Iterator[Sink]:
    with said(name):
        _lock(name, there)
    sink = Sink(name, there, rewindable=True)
    yield sink
    with said(name):
        if sink.renamed is not None:
            what = f"{name} can't be written under another name"
            raise Failure(ExitCode.WRITE, what, "-o FILE names it")
        if not sink.unwanted:
            there.truncate()
        sink.date()


def _copy(source: int, there: FileIO) -> None:
    there.seek(0)
    offset = 0
    while block := os.pread(source, _BLOCK, offset):
        offset += len(block)
        write_all(there, block)
    there.truncate()


@contextmanager
def growing_file(name: str, *, appends: bool = False) -> Iterator[Sink]:
    """Open a file that is there under its name while it grows; no empty one is left behind.

    Args:
        name: of the file.
        appends: whether what is written stands at its end, and isn't taken back.

    Raises:
        Failure: it can't be written, or another process is writing it.
    """
    with said(name):
        stream, made = _open_growing(name)
    with stream:
        try:
            if appends:
                stream.seek(0, os.SEEK_END)
            sink = Sink(name, stream, rewindable=not appends)
            yield sink
            sink.date()
        except BaseException:
            if made:
                remove_if_empty(name, stream.fileno())
            raise


def _open_growing(name: str) -> tuple[FileIO, bool]:
    """Open a file to read and write; return also whether it is new."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor, made = os.open(name, flags | os.O_EXCL, 0o666), True
    except FileExistsError:
        descriptor, made = os.open(name, flags, 0o666), False
    stream = FileIO(descriptor, "r+")
    try:
        _lock(name, stream)
        if not os.path.samestat(os.stat(name), os.fstat(descriptor)):  # it went before the lock
            raise _busy(name)
    except BaseException:
        stream.close()
        raise
    return stream, made


def remove_if_empty(name: str, descriptor: int) -> None:
    """Remove a file without a byte, if it still is what the name stands for."""
    with suppress(OSError):
        here = os.fstat(descriptor)
        if not here.st_size and os.path.samestat(os.lstat(name), here):
            os.unlink(name)


def _lock(name: str, stream: FileIO) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _busy(name) from error
    except OSError:  # a file system without locks
        pass


def _busy(name: str) -> Failure:
    what = f"{name} is being written by another download"
    return Failure(ExitCode.WRITE, what, "let that one end")


def _is_stdout(name: str) -> bool:
    """Whether a name stands for standard output, also for a file where that goes."""
    if name in _STDOUT:
        return True
    try:
        out = os.fstat(1)
        return stat.S_ISREG(out.st_mode) and os.path.samestat(os.stat(name), out)
    except OSError:
        return False


def _is_descriptor(name: str) -> bool:
    """Whether a name leads to an open file of a process, such as /dev/fd/5: it has no place."""
    for _ in range(40):  # links that the kernel follows
        folder = os.path.realpath(os.path.dirname(name))
        if folder.startswith("/proc/"):
            return True
        path = os.path.join(folder, os.path.basename(name))
        if not os.path.islink(path):
            return False
        name = os.path.join(folder, os.readlink(path))
    return False
