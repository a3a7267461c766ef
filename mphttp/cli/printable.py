"""Text as a person may see it: what others wrote can't move a cursor, hide, or tell a password.

Bytes from outside become text by UTF-8 with surrogates for what isn't UTF-8 (PEP 383), as Python
does it with file names. So `encoded` gives the bytes that came, and `printable` shows each byte.
"""

from __future__ import annotations

import json
import re
from typing import Any

_LONGEST = 8192
"""Characters of a line that are shown, those of its escapes counted."""
_USERINFO = re.compile(
    r"(?<=://)(?:[^\s/?#]*@|[^\s/?#@:\[]*:(?!\d*(?:[/?#]|$))[^\s@]*@)"
    # The second: what follows a colon and is no port is a password, badly encoded.
)
_HIDDEN = "***@"


def printable(text: str, *, breaks: bool = True) -> str:
    r"""Return text that is safe on a terminal; only its line breaks and tabs are left.

    Controls (C0, C1, DEL), what changes the direction or has no width, and bytes that aren't UTF-8
    are written as escapes such as `\x1b`. A backslash stays as it is: this is for people. Lines
    that are too long are cut, and userinfo is taken out of URLs.

    Args:
        text: from anywhere.
        breaks: whether it may have several lines; else line breaks are escaped, too.
    """
    shown = _USERINFO.sub(_HIDDEN, text)
    return "\n".join(map(_line, shown.split("\n"))) if breaks else _line(shown)


def decoded(data: bytes) -> str:
    """Make text of bytes from outside, whatever they are."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Return the bytes that text was made of; what no bytes stand for becomes a question mark."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate of JSON's, such as \ud800
        return text.encode("utf-8", "replace")


def json_text(value: Any, indent: int | None = None) -> str:
    """Write JSON in ASCII without any control character, DEL neither."""
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def _line(line: str) -> str:
    if len(line) <= _LONGEST and line.isprintable():
        return line
    shown = "".join(map(_sign, line[:_LONGEST]))
    left = max(len(line), len(shown)) - _LONGEST
    return shown if left <= 0 else f"{shown[:_LONGEST]}… ({left} more characters)"


def _sign(sign: str) -> str:
    if sign.isprintable() or sign == "\t":
        return sign
    code = ord(sign)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that isn't UTF-8
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
