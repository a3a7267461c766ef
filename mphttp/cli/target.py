"""Where data goes: a file that appears only when it is whole, or a stream."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Literal

import httpx

from .environment import Environment
from .exits import unwritable, usage


class Sink:
    """A stream with a name, whose errors are this command's failures.

    Args:
        name: for people.
        stream: takes the data.
    """

    def __init__(self, name: str, stream: BinaryIO | FileIO) -> None:
        self._name = name
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Write data so that whoever reads the stream has it at once.

        Raises:
            Failure: it can't be written.
            BrokenPipeError: nobody reads it any more.
        """
        rest = memoryview(data)
        with _said(self._name):
            while rest:  # a pipe may take less at once
                rest = rest[self._stream.write(rest) :]
            self._stream.flush()


@contextmanager
def target(name: str, environment: Environment) -> Iterator[Sink]:
    """Open what `-o NAME` means: "-" is stdout, a device or pipe is written as it is, else a file.

    Raises:
        Failure: it can't be written.
    """
    if name == "-":
        yield Sink("standard output", environment.stdout)
    elif os.path.exists(name) and not os.path.isfile(name):
        with _opened(name, name, "wb") as stream:
            yield Sink(name, stream)
    else:
        with _whole_file(name) as sink:
            yield sink


@contextmanager
def _whole_file(name: str) -> Iterator[Sink]:
    path = Path(os.path.realpath(name))  # a link stays a link, what it leads to is replaced
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with _said(name):
        mode = _mode_of(path)
    try:
        with _opened(name, beside, "xb") as stream:
            yield Sink(name, stream)
            with _said(name):
                stream.close()  # some file systems tell only now
                if mode is not None:
                    beside.chmod(mode)
                beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _opened(name: str, path: str | Path, mode: Literal["wb", "xb"]) -> FileIO:
    with _said(name):
        return FileIO(path, mode)


def _mode_of(path: Path) -> int | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if not os.access(path, os.W_OK):  # renaming would get around it
        raise PermissionError(13, os.strerror(13))
    return stat.S_IMODE(mode)


def name_from_url(url: httpx.URL) -> str:
    """Return the file name that `-O` takes: the last segment of the URL's path.

    Raises:
        Failure: there is none.
    """
    name = url.path.rsplit("/", 1)[-1]
    if name in {"", ".", ".."} or "\0" in name:
        raise usage(f"the URL {url} doesn't end in a file name", "name the file with -o FILE")
    return name


@contextmanager
def _said(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(name, error) from error
