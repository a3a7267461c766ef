"""What is sent as a body, or in the URL in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .option import Option, several, switch

Kind = Literal["form", "raw", "binary", "encoded", "json"]


@dataclass(frozen=True)
class Data:
    """A part of the body.

    Args:
        kind: what is done with it: as curl's --data, --data-raw, --data-binary, --data-urlencode
            and --json.
        text: as it stands on the command line.
    """

    kind: Kind
    text: str


def _data(kind: Kind) -> Callable[[str], Data]:
    return lambda text: Data(kind, text)


def _query(text: str) -> Data:
    return Data("raw", text[1:]) if text.startswith("+") else Data("encoded", text)


def _form(text: str) -> tuple[bool, str]:
    return False, text


def _plain_form(text: str) -> tuple[bool, str]:
    return True, text


@dataclass(frozen=True, kw_only=True)
class BodySettings:
    """What is sent as a body."""

    data: tuple[Data, ...] = several(
        Option(
            ("-d", "--data"),
            "send this as a form by POST, several joined by &; @FILE reads it from a file without "
            "its CR, LF and NUL, @- from stdin",
            "DATA",
            _data("form"),
        ),
        Option(("--data-ascii",), "the same", "DATA", _data("form")),
        Option(("--data-raw",), "the same, and @ is a letter like others", "DATA", _data("raw")),
        Option(("--data-binary",), "the same, every byte of a file", "DATA", _data("binary")),
        Option(
            ("--data-urlencode",),
            "the same, percent-encoded: TEXT, =TEXT, NAME=TEXT, @FILE or NAME@FILE",
            "DATA",
            _data("encoded"),
        ),
        Option(
            ("--json",),
            "send this as JSON by POST, several joined by nothing; @FILE reads a file",
            "DATA",
            _data("json"),
        ),
    )
    form: tuple[tuple[bool, str], ...] = several(
        Option(
            ("-F", "--form"),
            "send a form of several parts by POST: NAME=TEXT, NAME=@FILE as a file, NAME=<FILE as "
            "text; with ;type=TYPE and ;filename=NAME; further files behind commas",
            "PART",
            _form,
        ),
        Option(("--form-string",), "the same, and every letter is meant", "PART", _plain_form),
    )
    form_escape: bool = switch(
        "--form-escape", means="with -F, write quotes in names with a backslash, not in percents"
    )
    get: bool = switch("-G", "--get", means="send -d's data in the URL, by GET")
    url_query: tuple[Data, ...] = several(
        Option(
            ("--url-query",),
            "put this into the URL's query, as --data-urlencode writes it; +TEXT as it is",
            "DATA",
            _query,
        )
    )
    upload_file: tuple[str, ...] = several(
        Option(
            ("-T", "--upload-file"),
            "send this file, or those of {a,b}, by PUT, the name behind a URL that ends in /; "
            "- is stdin, as it comes",
            "FILE",
            str,
        )
    )
