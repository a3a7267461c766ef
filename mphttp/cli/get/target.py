"""Where data goes: a file that appears only when it is whole, one that grows, or a stream."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Literal

from mphttp.ranges.store import Place

from ..environment import Environment
from ..exits import ExitCode, Failure, unwritable


class Sink:
    """A stream with a name, whose errors are this command's failures.

    Args:
        name: for people.
        stream: takes the data.
        rewindable: whether what was written can be taken back.
        place: the file, where each byte of a body may be put in its place before its turn.
    """

    def __init__(
        self,
        name: str,
        stream: BinaryIO | FileIO,
        *,
        rewindable: bool = False,
        place: Place | None = None,
    ) -> None:
        self.name = name
        self.rewindable = rewindable
        self.place = place
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Write data so that whoever reads the stream has it at once.

        Raises:
            Failure: it can't be written.
            BrokenPipeError: nobody reads it any more.
        """
        rest = memoryview(data)
        with said(self.name):
            while rest:  # a pipe may take less at once
                rest = rest[self._stream.write(rest) :]
            self._stream.flush()

    def cut(self, size: int) -> None:
        """Take back what was written beyond a size, and go on there; only if `rewindable`.

        Raises:
            Failure: it can't be done.
        """
        with said(self.name):
            self._stream.truncate(size)
            self._stream.seek(size)


def is_stream(name: str) -> bool:
    """Whether `-o NAME` means stdout, or a device or pipe, where nothing can be taken back."""
    return name == "-" or (os.path.exists(name) and not os.path.isfile(name))


@contextmanager
def target(name: str, environment: Environment) -> Iterator[Sink]:
    """Open what `-o NAME` means: "-" is stdout, a device or pipe is written as it is, else a file.

    Raises:
        Failure: it can't be written.
    """
    if name == "-":
        yield Sink("standard output", environment.stdout)
    elif is_stream(name):
        with _opened(name, name, "wb") as stream:
            yield Sink(name, stream)
    else:
        with _whole_file(name) as sink:
            yield sink


@contextmanager
def _whole_file(name: str) -> Iterator[Sink]:
    path = Path(os.path.realpath(name))  # a link stays a link, what it leads to is replaced
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with said(name):
        mode = _mode_of(path)
    try:
        with _opened(name, beside, "xb+") as stream:
            yield Sink(name, stream, rewindable=True, place=Place(stream.fileno(), 0))
            with said(name):
                stream.close()  # some file systems tell only now
                if mode is not None:
                    beside.chmod(mode)
                beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


@contextmanager
def growing_file(name: str) -> Iterator[Sink]:
    """Open a file that is there under its name while it grows; an empty one isn't left behind.

    Raises:
        Failure: it can't be written, or another process is writing it.
    """
    path = Path(name)
    with said(name):
        stream = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            what = f"{name} is being written by another download"
            raise Failure(ExitCode.WRITE, what, "let that one end") from error
        try:
            yield Sink(name, stream, rewindable=True)
        except BaseException:
            with suppress(OSError):
                if not path.stat().st_size:
                    path.unlink()
            raise


def _opened(name: str, path: str | Path, mode: Literal["wb", "xb+"]) -> FileIO:
    with said(name):
        return FileIO(path, mode)


def _mode_of(path: Path) -> int | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not os.access(path, os.W_OK):  # renaming would get around it
        raise PermissionError(13, os.strerror(13))
    return stat.S_IMODE(mode)


@contextmanager
def said(name: str) -> Iterator[None]:
    """Turn the system's refusal to write a file into a failure.

    Raises:
        Failure: it refused.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(name, error) from error
