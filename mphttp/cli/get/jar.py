"""Cookies by the rules of browsers and curl (RFC 6265, and its successor's for what is secure).

Pure: the time is an argument. There is no list of public suffixes: a domain needs a dot within it.
"""

from __future__ import annotations

import calendar
import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

_LONGEST = 4096
"""Bytes of a name and a value together (RFC 6265bis, 5.6)."""
_MOST_SET = 50
"""Cookies that one answer may set; of more, the rest is left out, as in curl."""
_MOST_SENT = 150
_LONGEST_FIELD = 8190
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_DELIMITERS = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_LAST = 2**53


@dataclass(frozen=True)
class Asked:
    """A request, as far as cookies care.

    Args:
        host: whom it is for, without port and brackets.
        path: of its URL, without the query.
        secure: whether it goes by TLS.
    """

    host: str
    path: str
    secure: bool

    @property
    def trusted(self) -> bool:
        """Whether secure cookies come and go by it: with TLS, or within this machine."""
        return self.secure or self.host.lower() in _LOCAL


@dataclass(frozen=True)
class Cookie:
    """One cookie.

    Args:
        name: of the cookie.
        value: of the cookie.
        domain: whose it is, as it was written, without a dot before it.
        tail: whether hosts below that domain get it, too.
        path: below which it is sent, as it was written.
        secure: whether it is for TLS only.
        http_only: whether scripts don't get it.
        expires: seconds since 1970, None if it ends with the session.
    """

    name: str
    value: str
    domain: str
    tail: bool = False
    path: str = "/"
    secure: bool = False
    http_only: bool = False
    expires: int | None = None

    @property
    def place(self) -> str:
        """The path without quotes and a slash at its end."""
        path = self.path.strip('"')
        return path.rstrip("/") if path.startswith("/") else ""

    @property
    def key(self) -> tuple[str, str, bool, str]:
        """What no two cookies have in common."""
        return self.name, self.domain.lower(), self.tail, self.place

    def is_for(self, asked: Asked) -> bool:
        """Whether a request gets it."""
        return (
            (not self.secure or asked.trusted)
            and _of_host(asked.host, self.domain, tail=self.tail)
            and _below(asked.path, self.place)
        )


class Jar:
    """All cookies that are kept, by when each came."""

    def __init__(self, cookies: Iterable[Cookie] = ()) -> None:
        self._cookies: dict[tuple[str, str, bool, str], Cookie] = {}
        for cookie in cookies:
            self.add(cookie)

    def __iter__(self) -> Iterator[Cookie]:
        return iter(self._cookies.values())

    def add(self, cookie: Cookie) -> None:
        """Keep a cookie, in place of the one with its key."""
        self._cookies[cookie.key] = cookie

    def take(self, fields: Iterable[str], asked: Asked, now: float) -> None:
        """Keep what an answer sets.

        Args:
            fields: values of Set-Cookie.
            asked: the request.
            now: seconds since 1970.
        """
        found = (cookie for field in fields if (cookie := set_by(field, asked, now)))
        for _, cookie in zip(range(_MOST_SET), found, strict=False):
            if asked.trusted or not any(_hides(cookie, other) for other in self):
                self.add(cookie)
        self.expire(now)

    def expire(self, now: float) -> None:
        """Drop what has expired."""
        kept = {
            key: cookie
            for key, cookie in self._cookies.items()
            if cookie.expires is None or cookie.expires > now
        }
        self._cookies = kept

    def field(self, asked: Asked, now: float) -> str:
        """Return what a request has as Cookie, "" for nothing; the longest paths stand first."""
        self.expire(now)
        found = [cookie for cookie in self if cookie.is_for(asked)][:_MOST_SENT]
        found.reverse()  # of those that are alike in all else, the newest, as in curl
        found.sort(key=lambda one: (len(one.path), len(one.domain), len(one.name)), reverse=True)
        text = ""
        for cookie in found:
            longer = f"{text}; {cookie.name}={cookie.value}"
            if len(longer) - 2 >= _LONGEST_FIELD:
                break
            text = longer
        return text.removeprefix("; ")


def set_by(field: str, asked: Asked, now: float) -> Cookie | None:
    """Return the cookie that a Set-Cookie sets, or None if it may not.

    Args:
        field: the value of Set-Cookie.
        asked: the request.
        now: seconds since 1970.
    """
    pair, *attributes = field.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not equals or not name or "\t" in name + value or _CONTROLS.search(field):
        return None
    if len(name) + len(value) > _LONGEST or max(map(len, attributes), default=0) > _LONGEST:
        return None
    folder = asked.path.rpartition("/")[0]
    cookie: Cookie | None = Cookie(name, value, asked.host, path=f"{folder}/")
    ages = False
    for attribute in attributes:
        key, _, given = (part.strip(" \t") for part in attribute.partition("="))
        key = key.lower()
        ages = ages or key == "max-age"
        if cookie is not None and not (key == "expires" and ages):
            cookie = _with(cookie, key, given, asked, now)
    if cookie is not None and cookie.secure and not asked.trusted:
        return None
    return cookie if cookie is not None and _keeps_promise(cookie) else None


def _with(cookie: Cookie, key: str, value: str, asked: Asked, now: float) -> Cookie | None:
    """Return a cookie with an attribute; None if it may not have it."""
    if key == "domain":
        return _of_domain(cookie, value.removeprefix("."), asked)
    told: dict[str, Any] = {}
    match key:
        case "path" if value:
            told["path"] = value
        case "secure":
            told["secure"] = True
        case "httponly":
            told["http_only"] = True
        case "max-age":
            told["expires"] = _after(value.strip('"'), now)
        case "expires":
            told["expires"] = read_date(value)
    return replace(cookie, **told)


def _after(seconds: str, now: float) -> int:
    whole = int(seconds[:20]) if re.fullmatch(r"-?[0-9]+", seconds, re.ASCII) else 0
    return int(min(now + whole, _LAST)) if whole > 0 else 0


def _of_domain(cookie: Cookie, domain: str, asked: Asked) -> Cookie | None:
    if not domain:
        return cookie
    if _is_address(asked.host):
        return cookie if domain == asked.host else None
    within = "." in domain.strip(".") or domain.lower() == "localhost"
    if not within or not _of_host(asked.host, domain, tail=True):
        return None
    return replace(cookie, domain=domain, tail=True)


def _keeps_promise(cookie: Cookie) -> bool:
    """Whether a cookie is what the beginning of its name says (RFC 6265bis, 4.1.3)."""
    name = cookie.name.lower()
    if name.startswith("__secure-"):
        return cookie.secure
    if name.startswith("__host-"):
        return cookie.secure and not cookie.tail and cookie.path == "/"
    return True


def _hides(cookie: Cookie, other: Cookie) -> bool:
    """Whether one that came without TLS would stand before one that is for TLS only."""
    if cookie.name != other.name or not other.secure:
        return False
    ours, theirs = cookie.domain.lower(), other.domain.lower()
    near = _of_host(ours, theirs, tail=True) or _of_host(theirs, ours, tail=True)
    first = "/" + other.place.lstrip("/").partition("/")[0]
    return near and cookie.place.lower().startswith(first.rstrip("/").lower())


def _of_host(host: str, domain: str, *, tail: bool) -> bool:
    host, domain = host.lower(), domain.lower()
    return host == domain or (tail and not _is_address(host) and host.endswith(f".{domain}"))


def _below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/") or not place


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def read_date(text: str) -> int | None:
    """Read when a cookie expires, in seconds since 1970; None if nobody can (RFC 6265, 5.1.1)."""
    clock = day = month = year = None
    for token in _DELIMITERS.split(text):
        if clock is None and (found := re.match(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?!\d)", token)):
            clock = tuple(map(int, found.groups()))
        elif day is None and (found := re.match(r"(\d{1,2})(?!\d)", token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := re.match(r"(\d{2,4})(?!\d)", token)):
            year = int(found[1])
    if year is not None and year < 100:
        year += 1900 if year >= 70 else 2000
    if clock is None or day is None or month is None or year is None or year < 1601:
        return None
    hours, minutes, seconds = clock
    if not 1 <= day <= 31 or hours > 23 or minutes > 59 or seconds > 59:
        return None
    return max(0, calendar.timegm((year, month, day, hours, minutes, seconds)))
