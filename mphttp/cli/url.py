"""URLs as a command line takes them, and as a server's Location has them; read in one way."""

from __future__ import annotations

import re
from urllib.parse import unquote

import httpx

from mphttp.network.names import to_dial
from mphttp.network.resolve import look_up
from mphttp.network.socket_types import Found
from mphttp.network.time_limit import TimeLimit

from .exits import ExitCode, Failure, usage

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE | re.ASCII)
_SLASHES = re.compile(r"(https?):/{1,3}(?!/)", re.IGNORECASE | re.ASCII)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:/", re.IGNORECASE | re.ASCII)
_BEFORE_AUTHORITY = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE | re.ASCII)
_OTHER = re.compile(r"(?:ftp|dict|ldap|imap|smtp|pop3)\.", re.IGNORECASE)
"""Names by which curl guesses a protocol."""
_PORTS = range(1, 65536)
PORTS = {"http": 80, "https": 443}
"""The usual ports."""
_NAME_WITHIN = 10.0
"""Seconds for a name to be resolved."""


def fault_of(text: str, base: httpx.URL | None = None) -> str:
    """Say why a text is no URL without a word of the user and password in it; "" if they are why.

    Args:
        text: as for `read_url`.
        base: the same.
    """
    try:
        read_url(without_userinfo(text), base)
    except httpx.InvalidURL as error:  # it can't tell what it hasn't seen
        return str(error)
    return ""


def parse_url(text: str) -> httpx.URL:
    """Parse an absolute http or https URL.

    Raises:
        Failure: it is none.
    """
    shown = repr(without_userinfo(text))
    try:
        url = read_url(text)
    except httpx.InvalidURL:
        if why := fault_of(text):
            raise Failure(ExitCode.URL, f"{shown} is no URL: {why}") from None
        hint = "in a user's name or password, / ? # @ and : are written as %2F %3F %23 %40 %3A"
        raise Failure(ExitCode.URL, f"{shown} is no URL", hint) from None
    if url.scheme in PORTS and url.host:
        return url
    if "://" in text and url.scheme not in PORTS:
        what = f"{shown} is no http or https URL: the protocol {url.scheme!r} isn't spoken here"
        raise Failure(ExitCode.PROTOCOL, what)
    hint = "" if "://" in text else f"mphttp get https://{without_userinfo(text)}"
    raise Failure(ExitCode.URL, f"{shown} is no http or https URL", hint)


def with_scheme(text: str) -> str:
    """Return a URL with its scheme; without one it is http, or https where the port says so.

    Raises:
        Failure: it is left away before a name that means another protocol to curl.
    """
    if _ABSOLUTE.match(text):
        return text
    host = re.split(r"[/?#]", without_userinfo(text), maxsplit=1)[0]
    if _OTHER.match(host):
        protocol = host.partition(".")[0].lower()
        what = f"{host} without a scheme is {protocol} to curl, which isn't spoken here"
        raise Failure(ExitCode.PROTOCOL, what, f"mphttp get http://{without_userinfo(text)}")
    return f"{'https' if host.endswith(':443') else 'http'}://{text}"


def typed_host(text: str) -> str:
    """Return the host of a URL with a scheme, as it is written, if that is beyond ASCII; or ""."""
    authority = re.split(r"[/?#]", without_userinfo(text).partition("://")[2], maxsplit=1)[0]
    host = authority.partition(":")[0]
    return "" if host.isascii() else host


def basename(path: str) -> str:
    """Return what stands behind the last slash or backslash."""
    return re.split(r"[/\\\\]", path)[-1]


def read_url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read a URL, or a reference to one.

    As libcurl does, one or three slashes after "http:" count as two, so that nothing takes a host
    for a path; bytes that aren't UTF-8 are percent-encoded as they are.

    Args:
        text: with surrogates for what isn't UTF-8.
        base: what a reference is relative to.

    Raises:
        httpx.InvalidURL: it is none, its host is no name, or its port no port.
    """
    if base is not None and text.startswith("//"):  # which httpx takes for nothing without a host
        text = f"{base.scheme}:{text}"
    text = _SLASHES.sub(r"\1://", _percent_encoded(text), count=1)
    try:
        url = httpx.URL(text) if base is None or _SCHEME.match(text) else base.join(text)
        host, port = url.host, url.port  # read here for the first time
    except UnicodeError as error:  # a label that IDNA doesn't know, or half a surrogate pair
        raise httpx.InvalidURL(f"the host is no name: {error}") from error
    if port is not None and port not in _PORTS:
        raise httpx.InvalidURL(f"the port {port} is none of 1 to 65535")
    if url.scheme in PORTS and not host:
        raise httpx.InvalidURL("it has no host")
    if url.scheme in PORTS and "%" in host and ":" not in host:  # but that is a zone (RFC 6874)
        raise httpx.InvalidURL("its host has a sign that no name has")
    return url


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """Return scheme, host and port: what credentials are for (RFC 9110, 4.3.1)."""
    return url.scheme, url.raw_host.decode(), port_of(url)


def port_of(url: httpx.URL) -> int:
    """Return the port that is connected to."""
    return url.port or PORTS.get(url.scheme, 0)


def without_userinfo(text: str) -> str:
    """Take user and password out of what may be a URL: all up to the last "@".

    Where it can't be parsed, nobody knows where a password ends.
    """
    scheme = _BEFORE_AUTHORITY.match(text)
    start = scheme.end() if scheme else 0
    return text[:start] + text[start:].rpartition("@")[2]


def resolved(url: httpx.URL) -> Found:
    """Return the addresses of a URL's host, as `socket.getaddrinfo` has them.

    Raises:
        Failure: there are none.
    """
    try:
        return look_up(to_dial(url.host), port_of(url), TimeLimit(_NAME_WITHIN))
    except OSError as error:
        what = f"the name {url.host} can't be resolved: {why_unresolved(error)}"
        raise Failure(ExitCode.RESOLVE, what) from error


def why_unresolved(error: BaseException) -> str:
    """Say why a name can't be resolved."""
    if isinstance(error, TimeoutError):
        return "no name server answers"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is no name: a part of it is empty or longer than 63 letters"


def name_from_url(text: str) -> str:
    """Return the file name that `-O` takes: the last segment of a URL's path, as it is written.

    As in curl, nothing is decoded, so that no character comes in which the command line hadn't.
    What can't be printed becomes "_"; what begins with "-" is told from options by "./".

    Raises:
        Failure: there is none.
    """
    path = re.split("[?#]", text.partition("://")[2], maxsplit=1)[0]
    name = path.partition("/")[2].rpartition("/")[2]
    if unquote(name) in {"", ".", ".."}:
        raise usage(
            f"the URL {without_userinfo(text)} doesn't end in a file name",
            "name the file with -o FILE",
        )
    name = "".join(c if c.isprintable() else "_" for c in name)
    return f"./{name}" if name.startswith("-") else name


def _percent_encoded(text: str) -> str:
    """Write the bytes that aren't UTF-8 (PEP 383) as a URL does."""
    return "".join(
        f"%{ord(sign) - 0xDC00:02X}" if 0xDC80 <= ord(sign) <= 0xDCFF else sign for sign in text
    )
