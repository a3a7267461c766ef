"""What requests of one command line share: cookies and logins, each for whom it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ..environment import Environment
from ..exits import ExitCode, Failure
from ..redirect import basic, in_url
from ..url import origin
from .cookies import Cookies, read_cookies
from .logins import Entry, login_of, read_entries
from .settings import Settings
from .target import target


@dataclass(frozen=True)
class Session:
    """Looks at each request before it is sent, and at each answer.

    Args:
        cookies: what is sent to whom.
        logins: of a netrc file.
    """

    cookies: Cookies = field(default_factory=lambda: Cookies(keep=False))
    logins: tuple[Entry, ...] = ()

    def prepare(self, request: httpx.Request, first: httpx.Request) -> None:
        """Add what a request needs beside its own fields.

        Args:
            request: on its way out.
            first: the one that the user asked for, whose origin redirects may have left.
        """
        here = origin(request.url) == origin(first.url)
        self.cookies.send(request, own=first.headers.get("cookie") if here else None, first=here)
        downgraded = first.url.scheme == "https" and request.url.scheme != "https"
        named = in_url(request.url)
        told = request.headers.get("authorization")
        # A user in the URL has a password there, or in the file.
        unsaid = told is None if named is None else told == basic(*named) and not named[1]
        if downgraded or not unsaid:
            return
        login = login_of(self.logins, request.url.host, named and named[0])
        if login is not None:
            request.headers["authorization"] = basic(*login)

    def learn(self, response: httpx.Response) -> None:
        """Take what an answer sets."""
        self.cookies.take(response)


def make_session(
    settings: Settings, environment: Environment, before: Session | None = None
) -> Session:
    """Return the session that a command line asks for.

    Args:
        settings: what it asks for.
        environment: where files are.
        before: the session before --next, whose cookies are kept.

    Raises:
        Failure: a file can't be read.
    """
    keep = settings.cookie_jar is not None
    cookies = read_cookies(
        settings.cookie, environment, keep=keep, lasting=settings.junk_session_cookies
    )
    if before is not None:
        cookies.share(before.cookies)
    wanted = settings.netrc or settings.netrc_optional or settings.netrc_file is not None
    if not wanted or settings.user is not None:
        return Session(cookies)
    return Session(cookies, _logins(settings.netrc_file or _netrc(environment)))


def write_jar(session: Session, name: str, environment: Environment) -> None:
    """Write what servers have set.

    Raises:
        Failure: it can't be written.
    """
    with target(name, environment) as sink:
        sink.write(session.cookies.text().encode(errors="surrogateescape"))


def _netrc(environment: Environment) -> str:
    return os.path.join(environment.environ.get("HOME") or os.path.expanduser("~"), ".netrc")


def _logins(name: str) -> tuple[Entry, ...]:
    if not os.path.exists(name):
        return ()
    try:
        return read_entries(Path(name).read_text("utf-8", "surrogateescape"))
    except (OSError, ValueError) as error:
        raise Failure(ExitCode.READ, f"{name} can't be used: {error}") from error
