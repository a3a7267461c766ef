"""The request that a command line asks for, with curl's options and meanings."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx

from .environment import Environment
from .exits import ExitCode, Failure, usage

_FORM = ("content-type", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Message:
    """What is sent.

    Args:
        method: such as "GET".
        url: absolute, http or https.
        headers: names and values in the order given; None takes a header away that would be sent.
        content: the body, or None.
        auth: user and password, or None.
    """

    method: str
    url: httpx.URL
    headers: tuple[tuple[str, str | None], ...]
    content: bytes | None
    auth: tuple[str, str] | None

    def request(self, client: httpx.Client) -> httpx.Request:
        """Build the request, with this program's own headers where none are given."""
        given = [(name, value) for name, value in self.headers if value is not None]
        request = client.build_request(self.method, self.url, content=self.content)
        # The body is written as it comes, so no coding is asked for; curl does the same.
        del request.headers["accept-encoding"]
        defaults = {"user-agent": f"mphttp/{version('mphttp')}"}
        defaults |= dict([_FORM]) if self.content is not None else {}
        request.headers.update(defaults)
        for name, _ in self.headers:
            request.headers.pop(name, None)
        request.headers = httpx.Headers([*request.headers.multi_items(), *given])
        return request


def message(arguments: argparse.Namespace, environment: Environment) -> Message:
    """Return the message that a command line asks for.

    Raises:
        Failure: the URL, a header, the data or the user can't be used.
    """
    if arguments.head and arguments.data:
        raise usage("-I asks for the head only, and -d sends a body", "give one of them")
    content = _content(arguments.data, environment) if arguments.data else None
    default = "HEAD" if arguments.head else "GET" if content is None else "POST"
    return Message(
        method=arguments.request or default,
        url=parse_url(arguments.url),
        headers=tuple(_header(line) for line in arguments.header),
        content=content,
        auth=_auth(arguments.user, environment) if arguments.user else None,
    )


def parse_url(text: str) -> httpx.URL:
    """Parse an absolute http or https URL.

    Raises:
        Failure: it is none.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise Failure(ExitCode.URL, f"{text!r} is no URL: {error}") from error
    if url.scheme in {"http", "https"} and url.host:
        return url
    hint = "" if "://" in text else f"mphttp get https://{text}"
    raise Failure(ExitCode.URL, f"{text!r} is no http or https URL", hint)


def _header(line: str) -> tuple[str, str | None]:
    name, colon, value = line.partition(":")
    if colon and name.strip():
        return name.strip(), value.strip() or None
    if line.endswith(";") and line != ";":
        return line[:-1], ""
    raise usage(f"{line!r} is no header", "-H 'Name: value' sends one, -H 'Name:' takes it away")


def _auth(user: str, environment: Environment) -> tuple[str, str]:
    name, colon, password = user.partition(":")
    if colon:
        return name, password
    return name, environment.ask_secret(f"Password of {name}: ")


def _content(parts: Iterable[str], environment: Environment) -> bytes:
    return b"&".join(_part(part, environment) for part in parts)


def _part(part: str, environment: Environment) -> bytes:
    if not part.startswith("@"):
        return part.encode()
    # As in curl, a file of form data may have lines: they are not sent.
    return _read(part[1:], environment).translate(None, b"\r\n\0")


def _read(name: str, environment: Environment) -> bytes:
    try:
        return environment.stdin.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        what = f"{name} can't be read: {error.strerror or error}"
        raise Failure(ExitCode.READ, what) from error
