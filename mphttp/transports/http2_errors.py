"""What goes wrong in HTTP/2, and whom it concerns: a request, a stream, or the whole connection."""

from __future__ import annotations

import enum


class Code(enum.IntEnum):
    """Why a stream or a connection is ended (RFC 9113, section 7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


def words(code: int) -> str:
    """Return what RFC 9113 calls an error code."""
    try:
        return Code(code).name
    except ValueError:
        return f"error {code}"


class Ended(Exception):
    """A stream, or the whole connection, came to an end before a response was whole.

    Args:
        what: one sentence.
        untouched: the server did nothing with the request, and may do so over a new connection.
        lost: the connection ended without a word of the server.
        broken: it wasn't closed, but broke.
    """

    def __init__(
        self, what: str, *, untouched: bool = False, lost: bool = False, broken: bool = False
    ) -> None:
        super().__init__(what)
        self.untouched = untouched
        self.lost = lost
        self.broken = broken


class Unsendable(Exception):
    """A request that can't be said in HTTP/2, or whose body isn't what its head says."""


class Malformed(Exception):
    """A response that is none: its stream's error, and no other's (RFC 9113, section 8.1.1).

    Args:
        what: a part of a sentence.
        code: for the server.
    """

    def __init__(self, what: str, code: Code = Code.PROTOCOL_ERROR) -> None:
        super().__init__(what)
        self.code = code


class Broken(Malformed):
    """What the whole connection ends for (RFC 9113, section 5.4.1)."""
