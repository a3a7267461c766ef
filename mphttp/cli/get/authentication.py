"""Authentication that waits for what a server asks for: Digest, or whichever is offered."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Generator

import httpx

from ..redirect import basic
from .digest import Challenge, authorization, challenge_of
from .message import Message

Login = tuple[str, str]
_BASIC = re.compile(r"(?:^|,)\s*Basic(?:\s|$)", re.IGNORECASE)
_MOST_STALE = 3
"""Nonces in a row that a server may call too old."""


class Asked(httpx.Auth):
    """Asks without credentials first, then by what the server wants.

    As in curl, the first request has no content, either, if Digest alone is meant: it is refused.

    Args:
        login: user and password.
        schemes: "digest" for nothing else; "any" for Basic, too.
    """

    def __init__(self, login: Login, schemes: str) -> None:
        self._login = login
        self._schemes = schemes
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
        while response.status_code == 401 and stale < _MOST_STALE:
            if not self._take(response, request, again=stale > 0):
                return
            stale += 1
            response = yield request

    def _take(self, response: httpx.Response, request: httpx.Request, *, again: bool) -> bool:
        """Take what an answer asks for; return whether that can be answered."""
        offered = response.headers.get_list("www-authenticate")
        challenge = challenge_of(offered)
        if again and (challenge is None or not challenge.stale):
            return False
        if challenge is not None:
            self._challenge, self._count = challenge, 0
            self._answer(request)
            return True
        if self._schemes == "any" and any(map(_BASIC.search, offered)):
            request.headers["Authorization"] = basic(*self._login)
            return True
        return False

    def _answer(self, request: httpx.Request) -> None:
        assert self._challenge is not None  # whoever calls has one
        self._count += 1
        value = authorization(
            self._challenge,
            self._login,
            request.method,
            request.url.raw_path.decode("ascii"),
            count=self._count,
            cnonce=secrets.token_hex(8),
        )
        request.headers.pop("authorization", None)
        own = (b"Authorization", os.fsencode(value))
        request.headers = httpx.Headers([*request.headers.raw, own])


def authentication(message: Message) -> httpx.Auth | None:
    """Return what answers a server that wants to know who asks; None where that is sent at once."""
    if message.login is None or message.scheme not in ("digest", "any"):
        return None
    return Asked(message.login, message.scheme)


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
