"""Who one is: users, passwords and cookies."""

from __future__ import annotations

from dataclasses import dataclass

from .option import Option, several, switch, value


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
    digest: bool = switch("--digest", means="authenticate by Digest")
    netrc: bool = switch("-n", "--netrc", means="without -u, take user and password from ~/.netrc")
    cookie: tuple[str, ...] = several(
        Option(
            ("-b", "--cookie"),
            "send these cookies ('a=b; c=d'), or those of a file, and keep what servers set",
            "COOKIES|FILE",
            str,
        )
    )
    cookie_jar: str | None = value(
        "-c",
        "--cookie-jar",
        metavar="FILE",
        parse=str,
        means="keep what servers set, and write it there in the end (- is stdout)",
    )
