"""Which version of an object a half-written file is of, kept beside it for the next `-C -`.

A file of its own, FILE.mphttp, and not an extended attribute: every file system has files, people
see it and may delete it, and it says by itself what it is about. It is written before the first
byte of the body and removed when the file is whole. A note that is damaged, of another URL or of
another file (one that was moved here, or written anew by `-o` alone) is no note: then nothing is
known of the bytes, and nothing is appended to them. What another program writes into the same file
can't be seen; --sha256 sees it.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from .resume import Version
from .target import said

SUFFIX = ".mphttp"


class Notes:
    """The note beside a file.

    Args:
        name: of the file.
        url: that was asked for.
    """

    def __init__(self, name: str, url: str) -> None:
        self._file = Path(name)
        self._path = Path(name + SUFFIX)
        self._asked = hashlib.sha256(url.encode()).hexdigest()  # a URL may have secrets in it

    def read(self) -> Version | None:
        """Return the version of the file's bytes, or None if it isn't known."""
        try:
            told = json.loads(self._path.read_bytes())
            ours = told["asked"] == self._asked and told["inode"] == self._file.stat().st_ino
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return _version(told) if ours else None

    def write(self, version: Version) -> None:
        """Note a version.

        Raises:
            Failure: it can't be written.
        """
        with said(str(self._path)):
            told = {
                "asked": self._asked,
                "inode": self._file.stat().st_ino,
                "source": version.source,
                "validator": version.validator,
                "length": version.length,
            }
            self._path.write_text(json.dumps(told) + "\n")

    def remove(self) -> None:
        """Forget what is noted.

        Raises:
            Failure: it can't be removed, so that it would be believed later.
        """
        with said(str(self._path)), suppress(FileNotFoundError):
            self._path.unlink()


def _version(told: dict[str, Any]) -> Version | None:
    match told:
        case {"source": str(source), "validator": str(validator), "length": int() | None as length}:
            return Version(source, validator, length)
    return None
