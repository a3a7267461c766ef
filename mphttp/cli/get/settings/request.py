"""What is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .option import Option, several, switch, value

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


def redirects(text: str) -> int:
    """Read how many redirects are followed; -1 is any number.

    Raises:
        ValueError: it is no number.
    """
    if not re.fullmatch(r"-1|[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is no number of redirects, such as 5; -1 is without end")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class RequestSettings:
    """What is sent."""

    url: tuple[str, ...] = several(
        Option(
            ("--url",),
            "what is asked for; the option may be left away, as may http://",
            "URL",
            str,
        )
    )
    globoff: bool = switch(
        "-g", "--globoff", means="take {a,b} and [1-9] in URLs as they are; else -o '#1' names each"
    )
    request: str | None = value(
        "-X",
        "--request",
        metavar="METHOD",
        parse=str,
        means="another method than the options imply, also after redirects",
    )
    header: tuple[str, ...] = several(
        Option(
            ("-H", "--header"),
            "send 'Name: value'; 'Name:' takes one away, 'Name;' sends it empty, @FILE reads lines "
            "from a file (@- from stdin)",
            "LINE",
            str,
        )
    )
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
    head: bool = switch("-I", "--head", means="ask for the head only")
    range: str | None = value(
        "-r", "--range", metavar="RANGE", parse=str, means="ask for these bytes: 0-99, 500-, -500"
    )
    user_agent: str | None = value(
        "-A", "--user-agent", metavar="NAME", parse=str, means="User-Agent; none if empty"
    )
    referer: str | None = value(
        "-e",
        "--referer",
        metavar="URL",
        parse=str,
        means="Referer; with ;auto behind it, each redirect names where it came from",
    )
    location: bool = switch("-L", "--location", means="follow redirects")
    post301: bool = switch("--post301", means="stay with POST after a redirect by status 301")
    post302: bool = switch("--post302", means="stay with POST after a redirect by status 302")
    post303: bool = switch("--post303", means="stay with POST after a redirect by status 303")
    max_redirs: int = value(
        "--max-redirs",
        metavar="N",
        parse=redirects,
        default=50,
        means="follow no more (default 50; -1 is without end)",
    )
    compressed: bool = switch(
        "--compressed", means="take the codings that can be undone here, and undo them"
    )
