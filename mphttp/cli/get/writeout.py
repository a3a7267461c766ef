"""`-w FORMAT`: what is written about a transfer when it has ended, in curl's language."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from ..printable import json_text

_TOKEN = re.compile(r"%header\{(?P<header>[^}]*)\}|%\{(?P<name>[^}]*)\}|(?P<escape>%%|\\[nrt])")
_ESCAPES = {"%%": "%", "\\n": "\n", "\\r": "\r", "\\t": "\t"}

VARIABLES = (
    "content_type",
    "deadline_met",
    "errormsg",
    "exitcode",
    "filename_effective",
    "http_code",
    "http_version",
    "local_ip",
    "local_port",
    "mechanism",
    "method",
    "num_headers",
    "num_redirects",
    "num_retries",
    "problems",
    "protocol",
    "redirect_url",
    "remote_ip",
    "remote_port",
    "response_code",
    "scheme",
    "sha256",
    "size_download",
    "size_upload",
    "speed_download",
    "strategy",
    "subflows",
    "time_appconnect",
    "time_connect",
    "time_starttransfer",
    "time_total",
    "url",
    "url_effective",
    "urlnum",
)
"""curl's, with curl's meanings, and ours: deadline_met, mechanism, problems, protocol, sha256,
strategy and subflows."""

SWITCHES = ("json", "onerror", "stderr", "stdout")

Kind = Literal["text", "variable", "header", "switch"]
Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True)
class _Part:
    kind: Kind
    value: str


class Piece(NamedTuple):
    """Something that is written.

    Args:
        stream: "stdout" or "stderr".
        text: what.
        own: whether it is the user's or this program's own, and not what a server said.
    """

    stream: Stream
    text: str
    own: bool


class UnknownVariable(ValueError):
    """A format has a variable that there isn't.

    Args:
        name: the variable.

    Attributes:
        hint: what may have been meant.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no variable %{{{name}}}")
        close = difflib.get_close_matches(name, [*VARIABLES, *SWITCHES], n=1)
        guess = f"did you mean %{{{close[0]}}}? " if close else ""
        self.hint = f"{guess}mphttp get --help lists them all"


class Format:
    r"""A format, understood.

    Args:
        text: such as `%{http_code} %{time_total}\n`.

    Raises:
        UnknownVariable: it has a variable that there isn't.
    """

    def __init__(self, text: str) -> None:
        self._parts = tuple(_parts(text))

    def written(self, facts: Mapping[str, Any]) -> list[Piece]:
        """Return what is written, and where.

        Args:
            facts: a value for each of `VARIABLES` that is known, "headers" (by names in lower
                case), and what else `%{json}` is to tell.
        """
        stream: Stream = "stdout"
        pieces: list[Piece] = []
        for part in self._parts:
            match part:
                case _Part("switch", "onerror"):
                    if not facts.get("exitcode"):
                        break
                case _Part("switch", ("stdout" | "stderr") as stream):
                    pass
                case _:
                    own = part.kind in ("text", "switch")
                    pieces.append(Piece(stream, _written(part, facts), own))
        return pieces


def _parts(text: str) -> Iterable[_Part]:
    at = 0
    for match in _TOKEN.finditer(text):
        yield _Part("text", text[at : match.start()])
        at = match.end()
        if match["escape"] is not None:
            yield _Part("text", _ESCAPES[match["escape"]])
        elif match["header"] is not None:
            yield _Part("header", match["header"].strip().lower())
        else:
            yield _variable(match["name"])
    yield _Part("text", text[at:])


def _variable(name: str) -> _Part:
    if name in SWITCHES:
        return _Part("switch", name)
    if name in VARIABLES:
        return _Part("variable", name)
    raise UnknownVariable(name)


def _written(part: _Part, facts: Mapping[str, Any]) -> str:
    if part.kind == "text":
        return part.value
    if part.kind == "header":
        return str(facts.get("headers", {}).get(part.value, ""))
    if part.kind == "switch":
        return json_text({name: value for name, value in facts.items() if name != "headers"})
    return words(part.value, facts.get(part.value))


def words(name: str, value: Any) -> str:
    """Write one variable's value as curl does: times in microseconds, codes in three digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in {"http_code", "response_code"}:
        return f"{value:03d}"
    return f"{value:.6f}" if isinstance(value, float) else str(value)
