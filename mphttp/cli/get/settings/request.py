"""What is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .option import Option, several, switch, value


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
    compressed: bool = switch(
        "--compressed", means="take the codings that can be undone here, and undo them"
    )
