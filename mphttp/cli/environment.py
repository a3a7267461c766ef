"""All that a command reads from and writes to, in one object, so that tests bring their own."""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, TextIO, cast

from .exits import unwritable
from .printable import encoded, json_text, printable


@dataclass(frozen=True)
class Environment:
    """The outside of a command.

    Args:
        stdin: data in.
        stdout: data out, nothing else.
        stderr: words for people.
        environ: environment variables.
        ask_secret: asks on the terminal, without echo; takes the prompt.
        sleep: waits for so many seconds.
    """

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: TextIO
    environ: Mapping[str, str]
    ask_secret: Callable[[str], str]
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of_process(cls) -> Environment:
        """Return the environment of this process."""
        return cls(
            stdin=sys.stdin.buffer if sys.stdin else open(os.devnull, "rb"),
            stdout=_unbuffered(sys.stdout.buffer) if sys.stdout else _closed_stdout(),
            stderr=cast("TextIO", Words(sys.stderr or open(os.devnull, "w"))),
            environ=os.environ,
            ask_secret=_ask,
        )

    @property
    def colour(self) -> bool:
        """Whether colour is welcome (no-color.org)."""
        return not self.environ.get("NO_COLOR")

    @property
    def words_on_terminal(self) -> bool:
        """Whether a person reads stderr on a terminal that can move its cursor."""
        return self.stderr.isatty() and self.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        """Write a line of words to stderr; it may tell what others wrote."""
        self.stderr.write(printable(text) + "\n")
        self.stderr.flush()

    def write(self, text: str) -> None:
        """Write text for people, which was asked for, to stdout.

        Raises:
            Failure: it can't be written.
        """
        self._put(encoded(printable(text)))

    def write_json(self, value: object, indent: int | None = None) -> None:
        """Write a value to stdout as one JSON text, whole, which has no sign that a terminal heeds.

        Args:
            value: of what JSON knows.
            indent: spaces for each level; None for one line.

        Raises:
            Failure: it can't be written.
        """
        self._put(encoded(json_text(value, indent) + "\n"))

    def hand_out(self, text: str, *, own: bool, on_stderr: bool = False) -> None:
        """Write text for programs: the bytes that it was made of, but to no terminal.

        Args:
            text: what was asked for.
            own: whether it is the user's own, and may do with a terminal what it wants.
            on_stderr: where it is written; else on stdout.

        Raises:
            Failure: stdout can't be written.
        """
        stream = self.stderr if on_stderr else self.stdout
        shown = text if own or not stream.isatty() else printable(text)
        if on_stderr:
            self.stderr.write(shown)
            self.stderr.flush()
        else:
            self._put(encoded(shown))

    def abandon_stdout(self) -> None:
        """Stop writing to a stdout that can't be written, also when the process ends."""
        _let_go(self.stdout)

    def _put(self, data: bytes) -> None:
        try:
            write_all(self.stdout, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable("standard output", error) from error


def write_all(stream: BinaryIO | io.FileIO, data: bytes) -> None:
    """Write data, and have it out before this returns: nothing is left that could block later.

    Raises:
        OSError: it can't be written.
    """
    rest = memoryview(data)
    while rest:
        count = stream.write(rest)
        if count is None:  # non-blocking, as whoever shares it has set it
            waiting = select.poll()
            waiting.register(stream, select.POLLOUT)
            waiting.poll()
        else:
            rest = rest[count:]  # a pipe may take less at once
    stream.flush()


class Words(io.TextIOBase):
    """A stderr that never fails: words that nobody can read are no reason to stop.

    Args:
        stream: the process's.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._above: Callable[[str], None] | None = None

    @contextmanager
    def drawn(self, above: Callable[[str], None]) -> Iterator[TextIO]:
        """Hand words to who draws on the terminal while the block runs, and knows where they fit.

        Args:
            above: writes words above what is drawn.

        Yields:
            where that is drawn.
        """
        self._above = above
        try:
            yield cast("TextIO", Words(self._stream))
        finally:
            self._above = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What signs can be written (rich asks)."""
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        above = self._above
        if above is not None:
            above(text)
            return len(text)
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            _let_go(self._stream)
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            _let_go(self._stream)


def _let_go(stream: BinaryIO | TextIO) -> None:
    """Let what a stream still holds go nowhere, or Python would complain of it in the end.

    One that is closed holds nothing; it may be looked at last, when Python has taken `open` away.
    """
    if stream.closed:
        return
    with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _unbuffered(stream: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", getattr(stream, "raw", stream))


def _closed_stdout() -> BinaryIO:
    """Return a stdout that can't be written, so that data is never lost silently.

    It takes the descriptor that a socket would get otherwise.
    """
    return open(os.open(os.devnull, os.O_RDONLY), "wb", buffering=0)


def _ask(prompt: str) -> str:
    """Ask on the terminal.

    Raises:
        OSError: there is none; `getpass` would read the password from stdin then.
    """
    import getpass

    with open("/dev/tty", "rb"):
        return getpass.getpass(printable(prompt))
