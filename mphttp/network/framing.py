"""How a request's body is framed: in one way, or server and proxy may disagree on its end."""

from __future__ import annotations

from collections.abc import Iterable


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


def _quoted(*values: bytes) -> str:
    return repr(", ".join(value.decode("latin-1") for value in values))
