"""How the command line ends: a number for scripts, a sentence and a hint for people."""

from __future__ import annotations

import errno
import sys
from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """What the shell is told; curl's numbers where curl has one (man page of curl, EXIT CODES)."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Give each number its words for `--help`."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    OK = 0, "all is well"
    MISSING = 1, "neither http nor https, or no HTTP that is known; doctor, watch: what is missing"
    USAGE = 2, "the command line can't be understood"
    URL = 3, "the URL can't be used"
    PROXY = 5, "the proxy can't be used"
    RESOLVE = 6, "the host's name can't be resolved"
    CONNECT = 7, "no connection"
    WEIRD = 8, "the server's answer can't be understood"
    TRUNCATED = 18, "the connection ended before the body was whole"
    HTTP = 22, "the server's status is 400 or above (with -f)"
    WRITE = 23, "the data can't be written"
    UPLOAD = 25, "the server can't take what is to be sent"
    READ = 26, "the data to send can't be read"
    MEMORY = 27, "out of memory, or of threads"
    TIMEOUT = 28, "time-out"
    RANGE = 33, "the download can't go on where it stopped"
    TLS = 35, "the TLS handshake failed"
    INTERFACE = 45, "there is no such interface (with --interface)"
    REDIRECTS = 47, "too many redirects"
    SYNTAX = 49, "an option's value can't be understood (--resolve, --connect-to)"
    EMPTY = 52, "the server closed the connection without an answer"
    SEND = 55, "the request can't be sent"
    RECEIVE = 56, "the answer can't be received"
    OWN_CERTIFICATE = 58, "the certificate to show can't be used"
    CERTIFICATE = 60, "the server's certificate can't be trusted"
    ENCODING = 61, "the body's coding can't be undone (with --compressed)"
    LARGE = 63, "the body is larger than --max-filesize allows"
    REWIND = 65, "what was sent can't be sent once more"
    CA_FILE = 77, "the file of trusted certificates can't be read"
    BUG = 70, "a bug in mphttp"
    SOCKS = 97, "the SOCKS proxy refused, or isn't one"
    DIGEST = 110, "the body isn't the one that --sha256 names"
    STRATEGY = 111, "something that the strategy asked for didn't work (with --strict)"
    LATE = 112, "the body is whole but came after the deadline (with --fail-deadline)"
    INTERRUPTED = 130, "interrupted (128 and the signal's number)"

    PROTOCOL = MISSING


class Failure(Exception):
    """Why a command ends.

    Args:
        code: what the shell is told.
        what: one sentence.
        hint: what to do about it, or "".
    """

    def __init__(self, code: ExitCode, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        what, hint = (words.replace("\n", "\\n") for words in (self.what, self.hint))
        return f"error: {what}" + (f"\nhint: {hint}" if hint else "")


def usage(what: str, hint: str = "") -> Failure:
    """Return the failure for a command line that can't be understood."""
    return Failure(ExitCode.USAGE, what, hint)


_WRITE_HINTS = {
    errno.ENOSPC: "make room, or choose another place with -o",
    errno.EACCES: "choose a place where you may write with -o",
    errno.ENOENT: "make the folder first",
    errno.ENAMETOOLONG: "choose a shorter name with -o",
    errno.EISDIR: "name a file in it with -o",
}


def unwritable(name: str, error: OSError) -> Failure:
    """Return the failure for a file that the system doesn't let us write."""
    hint = _WRITE_HINTS.get(error.errno or 0, "")
    return Failure(ExitCode.WRITE, f"{name} can't be written: {error.strerror or error}", hint)


_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS)


def of_this_machine(error: BaseException) -> Failure | None:
    """Return the failure that lies in this machine's limits or settings, else None."""
    match error:
        case MemoryError():
            return Failure(ExitCode.MEMORY, "there is no memory left")
        case RuntimeError() if "can't start new thread" in str(error):
            return Failure(ExitCode.MEMORY, "no thread can be started", "ulimit -u tells the limit")
        case OSError(errno=number) if number in _LIMITS:
            return Failure(ExitCode.CONNECT, f"{error.strerror}", "ulimit -n 1024 allows more")
        case Exception(args=told) if type(error).__module__ == "pycurl" and _at_begin(told):
            return Failure(ExitCode.MEMORY, f"libcurl: {error}", "ulimit -n 1024 allows more")
        case UnicodeEncodeError() if error.encoding == sys.getfilesystemencoding():
            what = f"{error.object!r} can't be written in this locale's encoding"
            return Failure(ExitCode.WRITE, what, "LC_ALL=C.UTF-8 has every letter")
    return None


def _at_begin(told: tuple[object, ...]) -> bool:
    """Whether libcurl says that it can't even begin: without a number, or CURLE_FAILED_INIT."""
    return len(told) < 2 or told[0] == 2


def table() -> str:
    """Return the exit codes as `--help` lists them."""
    lines = [f"  {code.value:>3}  {code.meaning}" for code in sorted(ExitCode)]
    return "exit codes (curl's where curl has one):\n" + "\n".join(lines)
