"""How bodies are framed: in one way, or server and proxy may disagree on their end."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST_FRAMES = 100 * 1024
"""Bytes of chunks' own lines and of trailers, beyond what each chunk allows for: they have no
other limit (RFC 9112, sections 7.1.1 and 7.1.2)."""
FRAME = 64
"""Bytes that a chunk's own line may take, beyond two for each byte in it."""
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\x00\r\n]*)?")
_MOST_IN_CHUNK = 2**63 - 1


def length_of_body(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the bytes of the body that a request's fields promise, 0 for none, None if unknown.

    Args:
        headers: of the request, names and values.

    See RFC 9112, section 6.3.
    """
    length: int | None = 0
    for name, value in headers:
        match name.lower():
            case b"transfer-encoding":
                return None
            case b"content-length" if value.strip().isdigit():
                length = int(value)
            case _:
                pass
    return length


def fault_of_framing(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Say what keeps a request from having one clear end, or return None.

    Args:
        headers: of the request, names and values.

    See RFC 9112, sections 6.1 to 6.3 and 11.2 (request smuggling).
    """
    told = [(name.lower(), value.strip()) for name, value in headers]
    lengths = [value for name, value in told if name == b"content-length"]
    codings = [value for name, value in told if name == b"transfer-encoding"]
    if lengths and codings:
        return "a request can't have Transfer-Encoding beside Content-Length"
    if len(lengths) > 1:
        return "a request can't have several Content-Lengths"
    if lengths and not lengths[0].isdigit():
        return f"{_quoted(lengths[0])} is no Content-Length: digits are wanted"
    if codings and [coding.lower() for coding in codings] != [b"chunked"]:
        return f"a request's Transfer-Encoding can only be chunked, not {_quoted(*codings)}"
    return None


def size_of_chunk(line: bytes) -> int:
    """Return how many bytes a chunk has; the last one has none.

    Args:
        line: before it, without its end.

    Raises:
        ValueError: it doesn't say so in hexadecimal digits alone, or they are too many
            (RFC 9112, section 7.1; what `int` makes of signs and underscores is another size).
    """
    found = _CHUNK.fullmatch(line)
    size = -1 if found is None else int(found[1], 16)
    if not 0 <= size <= _MOST_IN_CHUNK:
        raise ValueError(f"illegal chunk header: {line[:40]!r}")
    return size


def _quoted(*values: bytes) -> str:
    return repr(", ".join(value.decode("latin-1") for value in values))
