"""The file of rules as it is now: read again when it is another than it was."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from pathlib import Path

from .rules import Rule
from .rules_file import read_rules


class RulesFile:
    """A file of rules, which may be absent.

    Args:
        file: where.
        log: takes one line: what is wrong with it, and how many rules hold.
    """

    def __init__(self, file: Path, log: Callable[[str], None]) -> None:
        self._file = file
        self._log = log
        self._was: object = None

    def changed(self) -> list[Rule] | None:
        """Return the rules, if the file is another than at the last look; else None."""
        try:
            is_now, text = self._read()
        except (OSError, ValueError) as error:
            if repr(error) != self._was:
                self._was = repr(error)
                self._log(f"error: {self._file}: the rules can't be read: {error}")
            return None  # those from before hold
        if is_now == self._was:
            return None
        self._was = is_now
        rules, complaints = read_rules(text, str(self._file), _user_id)
        for complaint in complaints:
            self._log(f"error: {complaint}")
        self._log(f"{len(rules)} rules hold, of {self._file}")
        return rules

    def _read(self) -> tuple[object, str]:
        """Return what tells the file from another one, and what it holds if that is new."""
        try:
            stat = self._file.stat()
        except FileNotFoundError:
            return None, ""
        is_now = stat.st_mtime_ns, stat.st_size, stat.st_ino
        return is_now, "" if is_now == self._was else self._file.read_text()


def _user_id(name: str) -> int:
    return pwd.getpwnam(name).pw_uid
