"""URLs, read once: libcurl, and connections that aren't its, are given one form of them.

Two readers of one text don't agree on odd ones (`http:/host`, `http://127.1`, signs beyond ASCII),
and what one of them keeps to one host, the other sends to another. So a text is taken apart here,
with libcurl's meaning, and written anew, such that there is only one way to read it.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urljoin

import pycurl

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# libcurl takes one to three slashes, as browsers do.
_WEB = re.compile(r"(?i)(https?):/{1,3}([^/?#]*)([^#]*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:([^@]*)@)?(\[[^\[\]]*\]|[^\[\]:@]*)(?::(\d*))?", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9._~-]+")
_NUMBERS = re.compile(r"(?i)(?:(?:0x[0-9a-f]*|[0-9]+)\.){0,3}(?:0x[0-9a-f]*|[0-9]+)\.?")
_ZONE = re.compile(r"[A-Za-z0-9._~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSAFE = re.compile(rb"[^\x21-\x7e]")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute http or https URL.

    Args:
        scheme: "http" or "https".
        host: a name in lower case, with IDNA's letters, or an IP address without brackets.
        port: TCP port, or None for the scheme's own.
        target: path and query, of visible ASCII.
        credentials: user and password, or None.
        zone: the interface of a link-local address, or "".
    """

    scheme: str
    host: str
    port: int | None
    target: str
    credentials: tuple[bytes, bytes] | None = None
    zone: str = ""

    def __str__(self) -> str:
        """Write it without credentials, as it is for everybody to see."""
        zone = f"%25{self.zone}" if self.zone else ""
        return f"{self.scheme}://{self._written(zone)}{self.target}"

    @property
    def authority(self) -> str:
        """Host and port as the field Host has them (RFC 9110, 7.2): without a zone (RFC 6874)."""
        return self._written("")

    @property
    def origin(self) -> tuple[str, str, str, int]:
        """What has to be the same for two URLs to have one origin (RFC 6454, section 4)."""
        return self.scheme, self.host, self.zone, self.port or _PORTS[self.scheme]

    def _written(self, zone: str) -> str:
        host = f"[{self.host}{zone}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def read(text: str) -> Url:
    """Take a URL apart.

    Raises:
        pycurl.error: it is none, or not http or https.
    """
    web = _WEB.fullmatch(text.partition("#")[0])
    if _CONTROL.search(text):
        raise _malformed("a control character")
    if web is None:
        found = _SCHEME.match(text)
        if found is None or found[1].lower() in _PORTS:
            raise _malformed("neither http:// nor https:// at its beginning")
        words = f"the protocol {found[1]!r} isn't http or https"
        raise pycurl.error(pycurl.E_UNSUPPORTED_PROTOCOL, words)
    scheme = web[1].lower()
    authority = _AUTHORITY.fullmatch(web[2])
    if authority is None:
        raise _malformed("a host that can't be read")
    host, zone = _host(authority[2])
    target = _quoted(web[3])
    return Url(
        scheme,
        host,
        _port(authority[3], scheme),
        target if target.startswith("/") else f"/{target}",
        None if authority[1] is None else _credentials(authority[1]),
        zone,
    )


def follow(base: Url, location: bytes) -> Url:
    """Return where a Location leads (RFC 9110, section 10.2.2).

    Args:
        base: of the request that was answered so.
        location: the field's value.

    Raises:
        pycurl.error: it can't be read, or leads to another protocol.
    """
    text = location.decode("utf-8", "surrogateescape")
    if _CONTROL.search(text):  # which urljoin would drop
        raise _malformed("a control character")
    if text.startswith("//"):  # which urljoin takes for nothing at all where no host follows
        text = f"{base.scheme}:{text}"
    return read(text if _SCHEME.match(text) else urljoin(str(base), text))


def _host(text: str) -> tuple[str, str]:
    """Return a host in its one form, and its zone."""
    if text.startswith("["):
        return _ipv6(text[1:-1])
    name = unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    if not name.isascii():
        name = _idna(name)
    if _NUMBERS.fullmatch(name):
        try:
            return socket.inet_ntoa(socket.inet_aton(name.rstrip("."))), ""
        except OSError:  # libcurl takes it for a name, too
            return name.lower(), ""
    if not _NAME.fullmatch(name) or ".." in f".{name}":  # nor is a label empty
        raise _malformed("a host that can't be read" if name else "no host")
    return name.lower(), ""


def _ipv6(text: str) -> tuple[str, str]:
    address, percent, zone = text.partition("%")
    zone = zone.removeprefix("25")
    if bool(percent) is not bool(_ZONE.fullmatch(zone)):
        raise _malformed("a zone that can't be read")
    try:
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError) as error:
        raise _malformed("an IPv6 address that can't be read") from error
    return socket.inet_ntop(socket.AF_INET6, packed), zone


def _idna(name: str) -> str:
    import httpx  # for names that aren't ASCII alone

    try:
        return httpx.URL(scheme="http", host=name).raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _malformed("a name that IDNA doesn't know") from error


def _port(digits: str | None, scheme: str) -> int | None:
    if not digits:
        return None
    port = int(digits) if len(digits) <= 9 and digits.isascii() else 0
    if not 0 < port < 65536:
        raise _malformed("a port that isn't between 1 and 65535")
    return None if port == _PORTS[scheme] else port


def _credentials(text: str) -> tuple[bytes, bytes]:
    raw = text.encode("utf-8", "surrogateescape")
    user, _, password = raw.partition(b":")
    found = unquote_to_bytes(user), unquote_to_bytes(password)
    if any(_CONTROL.search(part.decode("latin-1")) for part in found):
        raise _malformed("a control character in its credentials")  # RFC 7617, section 2
    return found


def _quoted(text: str) -> str:
    """Write a path and query in visible ASCII; what is that already stays (RFC 3986, 2.1)."""
    raw = text.encode("utf-8", "surrogateescape")
    return _UNSAFE.sub(lambda sign: b"%%%02X" % ord(sign[0]), raw).decode("ascii")


def _malformed(what: str) -> pycurl.error:
    return pycurl.error(pycurl.E_URL_MALFORMAT, f"the URL has {what}")
