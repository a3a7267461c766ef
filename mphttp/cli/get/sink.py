"""What takes the data of a body: a stream with a name, whose errors are failures of the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from typing import BinaryIO

from mphttp.ranges.store import Place

from ..environment import write_all
from ..exits import ExitCode, Failure, unwritable
from .beside import Beside


class Sink:
    """A stream with a name, whose errors are this command's failures.

    Args:
        name: for people.
        stream: takes the data.
        rewindable: whether what was written can be taken back.
        place: the file, where each byte of a body may be put in its place before its turn.

    Attributes:
        unwanted: whether what is under the name stays as it is, for nothing has come.
        renamed: another name in the same folder that it has in the end, which must be new; or None.
        modified: the time of its last change, in seconds since 1970, if it isn't now.
        beside: the file that grows beside the one with the name, or None.
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
        self.unwanted = False
        self.renamed: str | None = None
        self.modified: float | None = None
        self.beside: Beside | None = None
        self._stream = stream

    def write(self, data: bytes) -> None:
        """Write data so that whoever reads the stream has it at once.

        Raises:
            Failure: it can't be written.
            BrokenPipeError: nobody reads it any more.
        """
        try:  # not `said`: for each piece of a body, a generator costs as much as the rest
            write_all(self._stream, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable(self.name, error) from error

    @property
    def descriptor(self) -> int:
        """Of the file; only if `rewindable`."""
        return self._stream.fileno()

    def cut(self, size: int) -> None:
        """Take back what was written beyond a size, and go on there; only if `rewindable`.

        Raises:
            Failure: it can't be done.
        """
        with said(self.name):
            self._stream.truncate(size)
            self._stream.seek(size)

    def rename(self, name: str) -> None:
        """Choose another name in the same folder.

        Raises:
            Failure: there is such a file already, or what is written has no place of its own.
        """
        self.name = os.path.join(os.path.dirname(self.name), name)
        if os.path.lexists(self.name):
            what = f"{self.name} is there already, and the server chose that name"
            raise Failure(ExitCode.WRITE, what, "-o FILE names it")
        self.renamed = name

    def keep(self) -> str | None:
        """Give what there is of a file a name to go on from, and return that; None if it can't be.

        It is the file's own, or with .part behind it where that is taken.
        """
        if self.beside is None:
            return self.name if self.rewindable else None
        with suppress(OSError, Failure):
            taken = os.path.lexists(self.name)
            name = free_name(f"{self.name}.part" if taken else self.name)
            self.beside.link(os.path.basename(name))
            return name
        return None

    def date(self) -> None:
        """Give it the time of its last change, if there is one to give."""
        if self.modified is not None and self.rewindable:
            with suppress(OSError):
                os.utime(self.descriptor, (self.modified, self.modified))


def free_name(name: str) -> str:
    """Return a name that nothing has: this one, or one with .1, .2 ... behind it.

    Raises:
        Failure: a hundred are taken.
    """
    for candidate in (name, *(f"{name}.{number}" for number in range(1, 100))):
        if not os.path.lexists(candidate):
            return candidate
    what = f"{name} is there already, as are 99 others with a number behind it"
    raise Failure(ExitCode.WRITE, what, "-o FILE names another")


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
