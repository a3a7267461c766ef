"""Authentication that waits for what a server or proxy asks for: Digest, or what it offers."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Generator
from typing import NamedTuple

import httpx

from ..redirect import basic
from .digest import Challenge, authorization, challenge_of
from .message import Message
from .proxies import Routes

Login = tuple[str, str]
_BASIC = re.compile(r"(?:^|,)\s*Basic(?:\s|$)", re.IGNORECASE)
MOST_STALE = 3
"""Nonces in a row that a server may call too old."""


class Party(NamedTuple):
    """How one says that it wants to know who asks (RFC 9110, 11.6 and 11.7).

    Args:
        status: of its answer.
        asks: the field that says how it wants to be told.
        told: the field that tells it.
    """

    status: int
    asks: str
    told: str


SERVER = Party(401, "www-authenticate", "Authorization")
PROXY = Party(407, "proxy-authenticate", "Proxy-Authorization")


class Asked(httpx.Auth):
    """Asks without credentials first, then by what the server wants.

    As in curl, the first request has no content, either, if Digest alone is meant: it is refused.

    Args:
        login: user and password.
        schemes: "digest" for nothing else; "any" for Basic, too.
        party: who wants to know.
    """

    def __init__(self, login: Login, schemes: str, party: Party = SERVER) -> None:
        self._login = login
        self._schemes = schemes
        self._party = party
        self._challenge: Challenge | None = None
        self._count = 0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield a request as often as it is sent, each time with what its answer asked for."""
        first = request
        if self._challenge is not None:
            self._answer(request)
        elif self._schemes == "digest":
            first = _without_content(request)
        response = yield first
        if response.status_code < 300 and first is not request:
            response = yield request
        stale = 0
        while response.status_code == self._party.status and stale < MOST_STALE:
            if not self.take(response, request, again=stale > 0):
                return
            stale += 1
            response = yield request

    def take(self, response: httpx.Response, request: httpx.Request, *, again: bool) -> bool:
        """Take what an answer asks for, and answer it; return whether that can be done.

        Args:
            response: asks.
            request: is given the answer.
            again: whether it comes after an answer of ours.
        """
        offered = response.headers.get_list(self._party.asks)
        challenge = challenge_of(offered)
        if again and (challenge is None or not challenge.stale):
            return False
        if challenge is not None:
            self._challenge, self._count = challenge, 0
            self._answer(request)
            return True
        if self._schemes == "any" and any(map(_BASIC.search, offered)):
            request.headers[self._party.told] = basic(*self._login)
            return True
        return False

    def _answer(self, request: httpx.Request) -> None:
        assert self._challenge is not None  # whoever calls has one
        self._count += 1
        target: bytes = request.extensions.get("target", request.url.raw_path)
        value = authorization(
            self._challenge,
            self._login,
            request.method,
            target.decode("ascii"),
            count=self._count,
            cnonce=secrets.token_hex(8),
        )
        request.headers.pop(self._party.told, None)
        own = (self._party.told.encode(), os.fsencode(value))
        request.headers = httpx.Headers([*request.headers.raw, own])


def authentication(message: Message) -> httpx.Auth | None:
    """Return what answers a server that wants to know who asks; None where that is sent at once."""
    if message.login is None or message.scheme not in ("digest", "any"):
        return None
    return Asked(message.login, message.scheme)


def proxy_authentication(routes: Routes) -> Callable[[httpx.URL], httpx.Auth | None]:
    """Return what says how a proxy is answered that wants to know who asks.

    Args:
        routes: know which proxy a URL has, and whether that is told only when it asks.
    """
    made: dict[Login, Asked] = {}

    def of(url: httpx.URL) -> httpx.Auth | None:
        login = routes.proxies.waiting_login(url)
        if login is None or routes.proxies.tunnel(url):  # whose other end is no proxy
            return None
        return made.setdefault(login, Asked(login, routes.proxies.scheme or "any", PROXY))

    return of


def _without_content(request: httpx.Request) -> httpx.Request:
    """Return the request without its content, which would be refused without credentials."""
    length = request.headers.get("content-length", "")
    if length in ("", "0") and "transfer-encoding" not in request.headers:
        return request
    fields = [field for field in request.headers.raw if field[0].lower() not in _FRAMING]
    return httpx.Request(
        request.method,
        request.url,
        headers=[*fields, (b"Content-Length", b"0")],
        stream=httpx.ByteStream(b""),
        extensions=request.extensions,
    )


_FRAMING = (b"content-length", b"transfer-encoding", b"expect")
