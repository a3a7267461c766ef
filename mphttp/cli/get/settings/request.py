"""What is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from .option import Option, several, switch, value


@dataclass(frozen=True, kw_only=True)
class RequestSettings:
    """What is sent."""

    url: tuple[str, ...] = several(
        Option(("--url",), "http:// or https://; the option may be left away", "URL", str)
    )
    request: str | None = value(
        "-X", "--request", metavar="METHOD", parse=str, means="another method than GET"
    )
    header: tuple[str, ...] = several(Option(("-H", "--header"), "send 'Name: value'", "LINE", str))
    data: tuple[str, ...] = several(
        Option(
            ("-d", "--data"),
            "send this as a form by POST; @FILE reads it from a file, @- from stdin",
            "DATA",
            str,
        )
    )
    head: bool = switch("-I", "--head", means="ask for the head only")
    location: bool = switch("-L", "--location", means="follow redirects")
    user: str | None = value(
        "-u", "--user", metavar="USER[:PASSWORD]", parse=str, means="Basic authentication"
    )
    compressed: bool = switch(
        "--compressed", means="take the codings that can be undone here, and undo them"
    )
