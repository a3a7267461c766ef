"""`-w FORMAT`: what is written about a transfer when it has ended, in curl's language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..printable import json_text

_TOKEN = re.compile(
    r"%header\{(?P<header>[^}]*)\}|%output\{(?P<output>[^}]*)\}|%\{(?P<name>[^}]*)\}"
    r"|(?P<escape>%%|\\[nrt])"
)
_ESCAPES = {"%%": "%", "\\n": "\n", "\\r": "\r", "\\t": "\t"}

VARIABLES = (
    "content_type",
    "deadline_met",
    "errormsg",
    "exitcode",
    "filename_effective",
    "ftp_entry_path",
    "header_json",
    "http_code",
    "http_connect",
    "http_version",
    "local_ip",
    "local_port",
    "mechanism",
    "method",
    "num_connects",
    "num_headers",
    "num_redirects",
    "num_retries",
    "problems",
    "protocol",
    "proxy_ssl_verify_result",
    "redirect_url",
    "referer",
    "remote_ip",
    "remote_port",
    "response_code",
    "scheme",
    "sha256",
    "size_download",
    "size_header",
    "size_request",
    "size_upload",
    "speed_download",
    "speed_upload",
    "ssl_verify_result",
    "strategy",
    "subflows",
    "time_appconnect",
    "time_connect",
    "time_pretransfer",
    "time_redirect",
    "time_starttransfer",
    "time_total",
    "url",
    "url_effective",
    "urlnum",
)
"""curl's, with curl's meanings, and ours: deadline_met, mechanism, problems, protocol, sha256,
strategy and subflows."""

_OF_CURL = {
    "certs",
    "num_certs",
    "time_namelookup",
}

SWITCHES = ("json", "onerror", "stderr", "stdout")

Kind = Literal["text", "variable", "header", "switch", "output"]
Stream = Literal["stdout", "stderr", "file"]


@dataclass(frozen=True, slots=True)
class _Part:
    kind: Kind
    value: str


class Piece(NamedTuple):
    """Something that is written.

    Args:
        stream: "stdout", "stderr", or "file".
        text: what.
        own: whether it is the user's or this program's own, and not what a server said.
        file: where a "file" is, after ">>" if it grows.
    """

    stream: Stream
    text: str
    own: bool
    file: str = ""


class Unknown(NamedTuple):
    """A variable that there isn't; nothing is written for it.

    Args:
        name: of the variable.
    """

    name: str

    def __str__(self) -> str:
        return f"there is no variable %{{{self.name}}}"

    @property
    def hint(self) -> str:
        """What may have been meant."""
        if self.name in _OF_CURL:
            return "curl has it, and nobody knows it here"
        import difflib

        close = difflib.get_close_matches(self.name, [*VARIABLES, *SWITCHES], n=1)
        guess = f"did you mean %{{{close[0]}}}? " if close else ""
        return f"{guess}mphttp get --help lists them all"


class Format:
    r"""A format, understood.

    Args:
        text: such as `%{http_code} %{time_total}\n`.

    Attributes:
        unknown: variables that there aren't.
    """

    def __init__(self, text: str) -> None:
        parts = tuple(_parts(text))
        self.unknown = tuple(part for part in parts if isinstance(part, Unknown))
        self._parts = tuple(part for part in parts if isinstance(part, _Part))

    def written(self, facts: Mapping[str, object]) -> list[Piece]:
        """Return what is written, and where.

        Args:
            facts: a value for each of `VARIABLES` that is known, "headers" (by names in lower
                case), and what else `%{json}` is to tell.
        """
        stream: Stream = "stdout"
        file = ""
        pieces: list[Piece] = []
        for part in self._parts:
            match part:
                case _Part("switch", "onerror"):
                    if not facts.get("exitcode"):
                        break
                case _Part("switch", ("stdout" | "stderr") as stream):
                    file = ""
                case _Part("output", file):
                    stream = "file"
                case _:
                    own = part.kind in ("text", "switch")
                    pieces.append(Piece(stream, _written(part, facts), own, file))
        return pieces


def _parts(text: str) -> Iterable[_Part | Unknown]:
    at = 0
    for match in _TOKEN.finditer(text):
        yield _Part("text", text[at : match.start()])
        at = match.end()
        if match["escape"] is not None:
            yield _Part("text", _ESCAPES[match["escape"]])
        elif match["output"] is not None:
            yield _Part("output", match["output"])
        elif match["header"] is not None:
            yield _Part("header", match["header"].strip().lower())
        else:
            yield _variable(match["name"])
    yield _Part("text", text[at:])


def _variable(name: str) -> _Part | Unknown:
    if name in SWITCHES:
        return _Part("switch", name)
    if name in VARIABLES:
        return _Part("variable", name)
    return Unknown(name)


def _written(part: _Part, facts: Mapping[str, object]) -> str:
    if part.kind == "text":
        return part.value
    if part.kind == "header":
        return str(_fields(facts, "headers").get(part.value, ""))
    if part.value == "header_json":
        return _header_json(_fields(facts, "header_lists"))
    if part.kind == "switch":
        return json_text({name: value for name, value in facts.items() if name not in _APART})
    return words(part.value, facts.get(part.value))


def _fields(facts: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = facts.get(name)
    return found if isinstance(found, Mapping) else {}


_APART = ("headers", "header_lists")
"""What stands beside the variables for %header{} and %{header_json}."""


def _header_json(fields: Mapping[str, object]) -> str:
    """Write header fields as curl does: each with a list of its values, a line each."""
    lines = (
        f"{json_text(name)}:[{','.join(map(json_text, values))}]"
        for name, values in fields.items()
        if isinstance(values, list)
    )
    return "{" + ",\n".join(lines) + "\n}"


def words(name: str, value: object) -> str:
    """Write one variable's value as curl does: times in microseconds, codes in three digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if name in {"http_code", "http_connect", "response_code"}:
        return f"{value:03d}"
    return f"{value:.6f}" if isinstance(value, float) else str(value)
