"""Who one is: users, passwords and cookies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .option import Option, several, switch, value

Scheme = Literal["basic", "digest", "any"]


@dataclass(frozen=True, kw_only=True)
class SessionSettings:
    """Who one is to servers and proxies."""

    user: str | None = value(
        "-u",
        "--user",
        metavar="USER[:PASSWORD]",
        parse=str,
        means="Basic authentication, or Digest with --digest",
    )
    scheme: tuple[Scheme, ...] = several(
        Option(("--basic",), "authenticate by Basic, the default", constant="basic"),
        Option(
            ("--digest",),
            "authenticate by Digest; of several, the server chooses",
            constant="digest",
        ),
        Option(
            ("--anyauth",),
            "authenticate by what the server offers, and ask without at first",
            constant="any",
        ),
    )
    oauth2_bearer: str | None = value(
        "--oauth2-bearer", metavar="TOKEN", parse=str, means="authenticate by this token"
    )
    location_trusted: bool = switch(
        "--location-trusted", means="as -L, and tell user and password wherever redirects lead"
    )
    netrc: bool = switch("-n", "--netrc", means="without -u, take user and password from ~/.netrc")
    netrc_optional: bool = switch(
        "--netrc-optional", means="the same; those of the URL count before"
    )
    netrc_file: str | None = value(
        "--netrc-file", metavar="FILE", parse=str, means="the same, from this file"
    )
    cookie: tuple[str, ...] = several(
        Option(
            ("-b", "--cookie"),
            "send these cookies ('a=b; c=d'), or those of a file, and keep what servers set",
            "COOKIES|FILE",
            str,
        )
    )
    junk_session_cookies: bool = switch(
        "-j", "--junk-session-cookies", means="leave cookies without an expiry out of -b's files"
    )
    cookie_jar: str | None = value(
        "-c",
        "--cookie-jar",
        metavar="FILE",
        parse=str,
        means="keep what servers set, and write it there in the end (- is stdout)",
    )
