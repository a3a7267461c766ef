"""Authentication that waits for what a server asks for: Digest, or whichever is offered."""

from __future__ import annotations

from collections.abc import Generator

import httpx

from ..redirect import basic
from .message import Message

Login = tuple[str, str]
_Flow = Generator[httpx.Request, httpx.Response, None]


class Digest(httpx.DigestAuth):
    """Gives up where a server asks for what httpx can't do: its answer is the answer then."""

    def auth_flow(self, request: httpx.Request) -> _Flow:
        try:
            yield from super().auth_flow(request)
        except (KeyError, NotImplementedError, httpx.ProtocolError):
            return


class Offered(httpx.Auth):
    """Asks without credentials first, then by Digest where that is offered, else by Basic.

    Args:
        login: user and password.
    """

    def __init__(self, login: Login) -> None:
        self._login = login
        self._digest = Digest(*login)

    def auth_flow(self, request: httpx.Request) -> _Flow:
        flow = self._digest.auth_flow(request)
        response = yield next(flow)
        try:
            following = flow.send(response)
        except StopIteration:
            offered = response.headers.get_list("www-authenticate")
            if response.status_code != 401 or not any(map(_is_basic, offered)):
                return
            request.headers["Authorization"] = basic(*self._login)
            following = request
        yield following


def authentication(message: Message) -> httpx.Auth | None:
    """Return what answers a server that wants to know who asks; None where that is sent at once."""
    if message.login is None or message.scheme not in ("digest", "any"):
        return None
    if message.scheme == "any":
        return Offered(message.login)
    return Digest(*message.login)


def _is_basic(challenge: str) -> bool:
    return challenge.lower().partition(" ")[0] == "basic"
