"""The request that a command line asks for, with curl's options and meanings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import httpx

from mphttp import __version__

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..redirect import Follow, basic, in_url
from .conditions import compared_tag, time_condition
from .content import Content, Upload, read_file
from .decode import offered
from .settings import Settings
from .settings.session import Scheme

Fields = tuple[tuple[str, str | None], ...]
"""Names and values in the order given; None takes a field away."""

_HEADER = "-H 'Name: value' sends one, -H 'Name:' takes it away"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5

USER_AGENT = f"mphttp/{__version__}"
_OF_PARTS = {"range", "if-range", "if-none-match", "if-modified-since", "if-unmodified-since"}
"""Fields that say what is wanted, or whether: so does asking for the rest."""


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
        own: fields that options of their own ask for; `headers` count before them.
        follow: how redirects are followed; None if they aren't.
        scheme: how user and password are told; None is Basic.
        chunked: whether the body is sent in chunks, though its length may be known.
        expects: whether the body waits until the server says that it wants it.
        http10: whether it is asked for by HTTP/1.0.
        typed_host: the URL's host as it was written, if that is beyond ASCII; or "".
    """

    method: str
    url: httpx.URL
    headers: tuple[tuple[str, str | None], ...]
    content: Content | None
    auth: tuple[str, str] | None
    compressed: bool = False
    own: tuple[tuple[str, str | None], ...] = ()
    follow: Follow | None = None
    scheme: Scheme | None = None
    chunked: bool = False
    expects: bool = False
    http10: bool = False
    typed_host: str = ""

    @property
    def login(self) -> tuple[str, str] | None:
        """User and password, or None."""
        return self.auth or in_url(self.url)

    @property
    def resumable(self) -> bool:
        """Whether the rest of its answer's body can be asked for."""
        given = (*self.headers, *self.own)
        ranged = any(name.lower() in _OF_PARTS for name, _ in given)
        return self.method == "GET" and self.content is None and not ranged and not self.compressed

    def request(
        self,
        client: httpx.Client,
        more: Mapping[str, str] | None = None,
        extensions: dict[str, object] | None = None,
    ) -> httpx.Request:
        """Build the request, with this program's own headers where none are given.

        Args:
            client: sends it.
            more: header fields that this attempt needs; each character is a byte.
            extensions: httpx's, for this attempt.
        """
        given = [(name, value) for name, value in self.headers if value is not None]
        request = client.build_request(
            self.method, self.url, headers=self._framing(), extensions=extensions
        )
        if self.content is not None:
            request.stream = self.content.stream()
        # The body is written as it comes unless --compressed, so no coding is asked for; as curl.
        del request.headers["accept-encoding"]
        del request.headers["connection"]  # keep-alive is what HTTP/1.1 means (RFC 9112, 9.3)
        defaults = {"User-Agent": USER_AGENT}
        auth = None if self.scheme in ("digest", "any") else self.login
        defaults |= {"Authorization": basic(*auth)} if auth else {}
        defaults |= {"Accept-Encoding": offered()} if self.compressed else {}
        defaults |= {"Expect": "100-continue"} if self.expects else {}
        media_type = self.content.media_type if self.content is not None else ""
        defaults |= {"Content-Type": media_type} if media_type else {}
        request.headers.update(defaults)
        given = [(name, _of_form(name, value, media_type)) for name, value in given]
        own = [(name, value) for name, value in self.own if not self._says(name)]
        for name, _ in (*self.headers, *own):
            request.headers.pop(name, None)
        asked = [(name, value) for name, value in own if value is not None]
        # A server's entity tag goes back as it came, whatever bytes it has (RFC 9110, 8.8.3).
        needed = [(name.encode(), value.encode("latin-1")) for name, value in (more or {}).items()]
        fields = [*request.headers.raw, *needed, *_raw(asked), *_raw(given)]
        request.headers = httpx.Headers(fields)
        return request

    def _framing(self) -> dict[str, str]:
        if self.content is None:
            return {}
        if self.chunked or self.content.size is None:
            return {"transfer-encoding": "chunked"}
        return {"content-length": str(self.content.size)}

    def _says(self, name: str) -> bool:
        """Whether the user has said by -H what is in a field."""
        return any(given.lower() == name.lower() for given, _ in self.headers)


def _of_form(name: str, value: str, media_type: str) -> str:
    """Return a field of the user's; a type of a form without the boundary is of no use."""
    found = re.search("; *boundary=.*", media_type)
    if name.lower() != "content-type" or found is None or "boundary=" in value:
        return value
    return value + found[0]


def _raw(fields: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(os.fsencode(name), os.fsencode(value)) for name, value in fields]


def message(
    settings: Settings,
    url: httpx.URL,
    environment: Environment,
    content: Content | None,
    headers: Fields,
) -> Message:
    """Return the message that a command line asks for.

    Args:
        settings: what the command line asks for.
        url: one of its URLs.
        environment: where files are read.
        content: the body, or None.
        headers: of -H.

    Raises:
        Failure: a header or the user can't be used.
    """
    implied = _implied(settings, content)
    if settings.request and not _TOKEN.fullmatch(settings.request):
        raise usage(f"{settings.request!r} is no method", "-X takes one word such as PUT")
    content, headers, chunked = framed(content, headers)
    if settings.http_version == "1.0" and content is not None and (chunked or content.size is None):
        what = "HTTP/1.0 knows no content without a length"
        raise Failure(ExitCode.UPLOAD, what, "send a file, whose length is known")
    referer, auto = _referer(settings.referer)
    follow = Follow(
        settings.max_redirs,
        implied,
        settings.request,
        auto_referer=auto,
        trusted=settings.location_trusted,
        posts=frozenset(_posts(settings)),
    )
    return Message(
        method=settings.request or implied,
        url=url,
        headers=headers,
        content=content,
        auth=login(settings.user, environment) if settings.user else None,
        compressed=settings.compressed,
        own=tuple(_own(settings, referer, content)),
        follow=follow if settings.location or settings.location_trusted else None,
        scheme=chosen_scheme(settings.scheme),
        chunked=chunked,
        expects=settings.http_version in (None, "1.1") and _expects(settings, content),
        http10=settings.http_version == "1.0",
    )


def _implied(settings: Settings, content: Content | None) -> str:
    """Return the method without -X."""
    if settings.head:
        return "HEAD"
    if content is None:
        return "GET"
    return "PUT" if settings.upload_file else "POST"


_LARGE = 1 << 20
"""Bytes of a form beyond which the server is asked whether it wants it; curl's."""


def _expects(settings: Settings, content: Content | None) -> bool:
    """Whether the server is asked by "Expect: 100-continue" before a body, as curl does it."""
    if content is None or content.size == 0:
        return False
    return content.size is None or bool(settings.upload_file) or content.size > _LARGE


def _own(
    settings: Settings, referer: str, content: Content | None
) -> Iterator[tuple[str, str | None]]:
    if settings.oauth2_bearer is not None:
        yield _field("--oauth2-bearer", "Authorization", f"Bearer {settings.oauth2_bearer}")
    if settings.user_agent is not None:
        yield _field("-A", "User-Agent", settings.user_agent)
    if referer:
        yield _field("-e", "Referer", referer)
    if settings.range is not None:
        wanted = f"{settings.range}-" if settings.range.isdecimal() else settings.range
        yield _field("-r", "Range", f"bytes={wanted}")
    if settings.continue_at is not None and isinstance(content, Upload) and content.size:
        whole = content.start + content.size
        yield "Content-Range", f"bytes {content.start}-{whole - 1}/{whole}"
    if (tag := compared_tag(settings)) is not None:
        yield _field("--etag-compare", "If-None-Match", tag)
    if (condition := time_condition(settings)) is not None:
        yield condition.field
    if any(data.kind == "json" for data in settings.data):
        yield "Content-Type", "application/json"
        yield "Accept", "application/json"


def chosen_scheme(schemes: Iterable[Scheme]) -> Scheme | None:
    """Return how user and password are told; of several schemes, who asks for them chooses."""
    given = set(schemes)
    return "any" if len(given) > 1 else next(iter(given), None)


def _posts(settings: Settings) -> Iterator[int]:
    """Yield the statuses after which a POST stays one."""
    stays = {301: settings.post301, 302: settings.post302, 303: settings.post303}
    yield from (status for status, there in stays.items() if there)


def _field(option: str, name: str, value: str) -> tuple[str, str | None]:
    if _CONTROLS.search(value):
        raise usage(f"{option}: a control character can't stand in a header", "leave it away")
    return name, value.strip() or None


def _referer(given: str | None) -> tuple[str, bool]:
    """Return what `-e` sends, and whether redirects name where they came from."""
    url, auto, _ = (given or "").partition(";auto")
    return url, bool(auto)


def _lines(given: str, environment: Environment) -> Sequence[str]:
    """Return the headers that one -H names: itself, or the lines of a file."""
    if not given.startswith("@"):
        return [given]
    text = os.fsdecode(read_file(given[1:], environment))
    return [line.rstrip("\r") for line in text.split("\n") if line.strip()]


def given_fields(given: Iterable[str], environment: Environment, *, silent: bool) -> Fields:
    """Return the fields that each -H names; None takes one away.

    Args:
        given: the text of each.
        environment: where files are read.
        silent: whether nobody is told of lines that are no header, and aren't sent.

    Raises:
        Failure: a file can't be read.
    """
    found: list[tuple[str, str | None]] = []
    for line in (line for text in given for line in _lines(text, environment)):
        field = _header(line)
        if field is not None:
            found.append(field)
        elif not silent:
            environment.say(f"warning: {line!r} is no header, and isn't sent\nhint: {_HEADER}")
    hosts = [at for at, (name, _) in enumerate(found) if name.lower() == "host"]
    return tuple(field for at, field in enumerate(found) if at not in hosts[1:])  # as in curl


def tunnel_fields(settings: Settings, own: Fields) -> list[tuple[str, str]]:
    """Return what a proxy that is asked for a tunnel is told: who asks, and --proxy-header."""
    agent = USER_AGENT if settings.user_agent is None else settings.user_agent
    named = any(name.lower() == "user-agent" for name, _ in own)
    return [*([("User-Agent", agent)] if agent and not named else []), *sent_fields(own)]


def sent_fields(own: Fields) -> list[tuple[str, str]]:
    """Return the fields that are sent to who is sent nothing else."""
    return [(name, value) for name, value in own if value is not None]


def _header(line: str) -> tuple[str, str | None] | None:
    name, colon, value = line.partition(":")
    if not colon:
        empty = line.endswith(";") and _TOKEN.fullmatch(line[:-1])
        return (line[:-1], "") if empty else None
    if _TOKEN.fullmatch(name.strip()) and not _CONTROLS.search(value.strip()):
        return name.strip(), value.strip() or None
    raise usage(f"{line!r} is no header", _HEADER)


_NO_FRAMING = "leave that -H away"
_LENGTH, _CODING = "content-length", "transfer-encoding"


def framed(content: Content | None, headers: Fields) -> tuple[Content | None, Fields, bool]:
    """Return how a body is sent if -H says so: in chunks, or with a length that the user knows.

    Args:
        content: the body, or None.
        headers: of -H.

    Returns:
        the body, the fields that are sent beside it, and whether it is sent in chunks.

    Raises:
        Failure: they contradict the body: servers disagree on what it is then.
    """
    said = {name.lower(): value for name, value in headers}
    others = tuple(field for field in headers if field[0].lower() not in (_LENGTH, _CODING))
    coding, length = said.get(_CODING), said.get(_LENGTH)
    if coding is not None and (content is None or coding.lower() != "chunked"):
        raise usage(f"nothing can be sent with Transfer-Encoding: {coding}", _NO_FRAMING)
    if isinstance(content, Upload) and content.name == "-" and _CODING in said and coding is None:
        content = replace(content, size=int(length) if length and length.isdecimal() else None)
    size = None if content is None or coding is not None else content.size
    if content is None and length == "0":
        return None, (*others, ("Content-Length", "0")), False
    if _LENGTH in said and length != (None if size is None else str(size)):
        told = "not sent" if size is None else size
        raise usage(f"the Content-Length of this request is {told}, and no other", _NO_FRAMING)
    return content, others, coding is not None


def login(user: str, environment: Environment) -> tuple[str, str]:
    """Return user and password; a password that isn't there is asked for.

    Raises:
        Failure: there is nobody to ask.
    """
    name, colon, password = user.partition(":")
    if colon:
        return name, password
    try:
        return name, environment.ask_secret(f"Password of {name}: ")
    except (EOFError, OSError) as error:
        what = f"the password of {name} can't be asked for without a terminal"
        raise usage(what, "-u USER:PASSWORD") from error
