"""The request that a command line asks for, with curl's options and meanings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..redirect import basic, in_url
from .decode import offered
from .settings import Settings

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5
_FORM = ("content-type", "application/x-www-form-urlencoded")


@dataclass(frozen=True)
class Message:
    """What is sent.

    Args:
        method: such as "GET".
        url: absolute, http or https.
        headers: names and values in the order given; None takes a header away that would be sent.
        content: the body, or None.
        auth: user and password, or None for those in the URL.
        compressed: whether the server may send a coding that can be undone here.
    """

    method: str
    url: httpx.URL
    headers: tuple[tuple[str, str | None], ...]
    content: bytes | None
    auth: tuple[str, str] | None
    compressed: bool = False

    @property
    def resumable(self) -> bool:
        """Whether the rest of its answer's body can be asked for."""
        ranged = any(name.lower() in {"range", "if-range"} for name, _ in self.headers)
        return self.method == "GET" and self.content is None and not ranged and not self.compressed

    def request(
        self,
        client: httpx.Client,
        more: Mapping[str, str] | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> httpx.Request:
        """Build the request, with this program's own headers where none are given.

        Args:
            client: sends it.
            more: header fields that this attempt needs; each character is a byte.
            extensions: httpx's, for this attempt.
        """
        given = [(name, value) for name, value in self.headers if value is not None]
        request = client.build_request(
            self.method, self.url, content=self.content, extensions=extensions
        )
        # The body is written as it comes unless --compressed, so no coding is asked for; as curl.
        del request.headers["accept-encoding"]
        defaults = {"user-agent": f"mphttp/{version('mphttp')}"}
        auth = self.auth or in_url(self.url)
        defaults |= {"authorization": basic(*auth)} if auth else {}
        defaults |= {"accept-encoding": offered()} if self.compressed else {}
        defaults |= dict([_FORM]) if self.content is not None else {}
        request.headers.update(defaults)
        for name, _ in self.headers:
            request.headers.pop(name, None)
        # A server's entity tag goes back as it came, whatever bytes it has (RFC 9110, 8.8.3).
        needed = [(name.encode(), value.encode("latin-1")) for name, value in (more or {}).items()]
        request.headers = httpx.Headers([*request.headers.raw, *needed, *_raw(given)])
        return request


def _raw(fields: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(os.fsencode(name), os.fsencode(value)) for name, value in fields]


def message(settings: Settings, url: httpx.URL, environment: Environment) -> Message:
    """Return the message that a command line asks for.

    Raises:
        Failure: a header, the data or the user can't be used.
    """
    if settings.head and settings.data:
        raise usage("-I asks for the head only, and -d sends a body", "give one of them")
    content = _content(settings.data, environment) if settings.data else None
    default = "HEAD" if settings.head else "GET" if content is None else "POST"
    if settings.request and not _TOKEN.fullmatch(settings.request):
        raise usage(f"{settings.request!r} is no method", "-X takes one word such as PUT")
    headers = tuple(_header(line) for line in settings.header)
    _check_framing(headers, content)
    return Message(
        method=settings.request or default,
        url=url,
        headers=headers,
        content=content,
        auth=_auth(settings.user, environment) if settings.user else None,
        compressed=settings.compressed,
    )


def _header(line: str) -> tuple[str, str | None]:
    name, colon, value = line.partition(":")
    if colon and _TOKEN.fullmatch(name.strip()) and not _CONTROLS.search(value.strip()):
        return name.strip(), value.strip() or None
    if line.endswith(";") and _TOKEN.fullmatch(line[:-1]):
        return line[:-1], ""
    raise usage(f"{line!r} is no header", "-H 'Name: value' sends one, -H 'Name:' takes it away")


def _check_framing(headers: Iterable[tuple[str, str | None]], content: bytes | None) -> None:
    """Refuse fields that contradict how the body is sent: servers disagree on what it is then."""
    length = None if content is None else str(len(content))
    for name, value in headers:
        if name.lower() == "transfer-encoding" and value is not None:
            what = "the body is sent with its length, so it can't have a Transfer-Encoding"
            raise usage(what, "leave that -H away")
        if name.lower() == "content-length" and value != length:
            what = f"the Content-Length of this request is {length or 'not sent'}"
            raise usage(f"{what}, and no other", "leave that -H away")


def _auth(user: str, environment: Environment) -> tuple[str, str]:
    name, colon, password = user.partition(":")
    if colon:
        return name, password
    try:
        return name, environment.ask_secret(f"Password of {name}: ")
    except (EOFError, OSError) as error:
        what = f"the password of {name} can't be asked for without a terminal"
        raise usage(what, "-u USER:PASSWORD") from error


def _content(parts: Iterable[str], environment: Environment) -> bytes:
    return b"&".join(_part(part, environment) for part in parts)


def _part(part: str, environment: Environment) -> bytes:
    if not part.startswith("@"):
        return os.fsencode(part)
    # As in curl, a file of form data may have lines: they are not sent.
    return _read(part[1:], environment).translate(None, b"\r\n\0")


def _read(name: str, environment: Environment) -> bytes:
    try:
        return environment.stdin.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        what = f"{name} can't be read: {error.strerror or error}"
        raise Failure(ExitCode.READ, what) from error
