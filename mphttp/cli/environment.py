"""All that a command reads from and writes to, in one object, so that tests bring their own."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, TextIO


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
            # A closed stdout: what is opened here can't be written, so data is never lost silently,
            # and it takes the descriptor that a socket would get otherwise.
            stdout=sys.stdout.buffer if sys.stdout else open(os.devnull, "rb"),
            stderr=sys.stderr or open(os.devnull, "w"),
            environ=os.environ,
            ask_secret=getpass.getpass,
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
        """Write a line of words to stderr."""
        self.stderr.write(text + "\n")
        self.stderr.flush()

    def write(self, text: str) -> None:
        """Write text that was asked for to stdout."""
        self.stdout.write(text.encode())
        self.stdout.flush()

    def abandon_stdout(self) -> None:
        """Stop writing to a stdout that nobody reads any more, also when the process ends."""
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self.stdout.fileno())
