"""Following redirects: what the next request is, and that nobody waits for the bodies before it.

httpx reads the whole body of a redirect, whatever its length and coding, before it goes on; and it
reads a Location before anyone has asked to follow it. So the command line sends by itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import unquote

import httpx

from .exits import ExitCode, Failure
from .interrupt import Limit, TimeIsOver, time_limit
from .printable import decoded
from .url import PORTS, fault_of, origin, read_url, without_userinfo

_STATUSES = frozenset({301, 302, 303, 307, 308})
_REST = 16 * 1024
"""Bytes of a redirect's body that are read, so that its connection can be kept; pages that say
"moved" have some hundred."""
_REST_WITHIN = 1.0
"""Seconds for them; a new connection costs less."""
_OF_CONTENT = ("content-", "transfer-encoding", "expect")
_OF_ORIGIN = ("authorization", "cookie", "host")

Tell = Callable[[httpx.Request | httpx.Response], None]


class Session(Protocol):
    """What several requests share, such as cookies."""

    def prepare(self, request: httpx.Request, first: httpx.Request) -> None:
        """Add fields to a request; `first` is as it was before all redirects."""

    def learn(self, response: httpx.Response) -> None:
        """Take what an answer sets."""


@dataclass(frozen=True)
class Follow:
    """How redirects are followed.

    Args:
        most: how many; -1 for any number.
        implied: the method without the user's own, None for the request's; it decides what becomes
            of the body.
        kept: the user's own method (-X), which each request has, as curl does it.
        auto_referer: whether each request names the one before it.
        trusted: whether credentials go wherever redirects lead; a Host of the user's never does.
        posts: the statuses after which a POST stays one, with its content.
    """

    most: int = 50
    implied: str | None = None
    kept: str | None = None
    auto_referer: bool = False
    trusted: bool = False
    posts: frozenset[int] = frozenset()


def sent(
    transport: httpx.BaseTransport,
    request: httpx.Request,
    *,
    follow: Follow | None,
    tell: Tell = lambda _: None,
    session: Session | None = None,
    auth: httpx.Auth | None = None,
    proxy_auth: Callable[[httpx.URL], httpx.Auth | None] = lambda _: None,
) -> httpx.Response:
    """Send a request, and follow where the answer leads.

    Args:
        transport: sends it.
        request: with all its header fields.
        follow: how redirects are followed; None if they aren't.
        tell: gets each request before it is sent, and the head of each answer.
        session: sees each request before that, and each answer.
        auth: authenticates with the origin of the request, and with no other.
        proxy_auth: returns what authenticates with the proxy that a URL is asked through, or None.

    Returns:
        the last answer, its body unread; those before it are its `history`, without their bodies.

    Raises:
        httpx.TooManyRedirects: there is no end of them.
        httpx.InvalidURL: a redirect leads nowhere.
        httpx.TransportError: what the transport raised.
    """
    history: list[httpx.Response] = []
    first = httpx.Request(request.method, request.url, headers=request.headers)

    old = False  # whether the server has turned out to know HTTP/1.0 alone

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal old
        if old:
            _for_old_server(request)
        if session is not None:
            session.prepare(request, first)
        response = _answer(transport, request, tell)
        if response.status_code == 417 and "expect" in request.headers:  # RFC 9110, 10.1.1
            _let_go(response)
            del request.headers["expect"]
            response = _answered_without(transport, request, tell)
        if session is not None:
            session.learn(response)
        old = old or response.http_version == "HTTP/1.0"
        return response

    def through(request: httpx.Request) -> httpx.Response:
        known = proxy_auth(request.url)  # what the proxy is told goes no further: into a copy
        return _authenticated(answer, request if known is None else _copy(request), known)

    while True:
        here = origin(request.url) == origin(first.url) or (follow is not None and follow.trusted)
        response = _authenticated(through, request, auth if here else None)
        response.history = list(history)
        try:
            if follow is None or not is_redirect(response):
                return response
            request, follow = onward(request, response, follow)
        except BaseException:
            response.close()
            raise
        _let_go(response)
        history.append(response)
        if -1 < follow.most < len(history):
            raise httpx.TooManyRedirects("too many redirects", request=request)


def _answered_without(
    transport: httpx.BaseTransport, request: httpx.Request, tell: Tell
) -> httpx.Response:
    """Send what 417 refused without its Expect; the server may have had the content already.

    Raises:
        Failure: it had, and there is none any more.
    """
    try:
        return _answer(transport, request, tell)
    except Failure as failure:
        if failure.code is ExitCode.REWIND:
            failure.what = f"{request.url.host} refused Expect (417) too late: {failure.what}"
            failure.hint = "-H 'Expect:' sends it without asking first"
        raise


def _for_old_server(request: httpx.Request) -> None:
    """Ask a server by HTTP/1.0, which is all that it knows, as curl does it (RFC 9110, 2.5).

    Raises:
        Failure: the request's content comes in chunks.
    """
    if "transfer-encoding" in request.headers:
        what = f"{request.url.host} speaks HTTP/1.0, which knows no content without a length"
        raise Failure(ExitCode.UPLOAD, what, "send a file, whose length is known")
    request.headers.pop("expect", None)
    request.extensions = {**request.extensions, "http10": True}


def _authenticated(
    answer: Callable[[httpx.Request], httpx.Response],
    request: httpx.Request,
    auth: httpx.Auth | None,
) -> httpx.Response:
    """Send a request, and once more with what the answer asks for."""
    if auth is None:
        return answer(request)
    flow = auth.sync_auth_flow(request)
    response = answer(next(flow))
    while True:
        try:
            following = flow.send(response)
        except StopIteration:
            return response
        except BaseException:
            response.close()
            raise
        _let_go(response)
        response = answer(following)


def _copy(request: httpx.Request) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers.copy(),
        stream=request.stream,
        extensions=request.extensions,
    )


def is_redirect(response: httpx.Response) -> bool:
    """Whether an answer names another place for what was asked for."""
    return response.status_code in _STATUSES and bool(response.headers.get("location"))


def onward(
    request: httpx.Request, response: httpx.Response, follow: Follow
) -> tuple[httpx.Request, Follow]:
    """Return the request that a redirect asks for (RFC 9110, section 15.4), and what then holds.

    What is meant for one origin goes to no other: credentials, cookies, a Host of the user's. Those
    in the Location itself are for where it leads. After 303, and after a POST also with 301 and
    302, it is a GET without content; a method of the user's own stays, but not the content.

    Raises:
        httpx.InvalidURL: the Location is no URL.
        httpx.UnsupportedProtocol: it is neither http nor https.
    """
    url = _destination(response)
    if url.scheme not in PORTS:
        what = f"{request.url.host} redirects to {url.scheme}:, which isn't spoken here"
        raise httpx.UnsupportedProtocol(what, request=request)
    before = follow.implied or request.method
    stays = response.status_code in follow.posts and before == "POST"
    method = before if stays else _method(before, response.status_code)
    headers = request.headers.copy()
    leaves, emptied = origin(url) != origin(request.url), method != before
    for name in list(headers):
        theirs = name == "host" if follow.trusted else name in _OF_ORIGIN
        if (leaves and theirs) or (emptied and name.startswith(_OF_CONTENT)):
            del headers[name]
    if "host" not in headers:  # a request with a stream of its own is given none by httpx
        own = (b"Host", url.netloc)
        headers = httpx.Headers([own, *headers.raw])
    if user := in_url(url):
        headers["authorization"] = basic(*user)
    if follow.auto_referer:
        headers["referer"] = str(request.url.copy_with(userinfo=b"", fragment=None))
    following = httpx.Request(
        follow.kept or method,
        url,
        headers=headers,
        stream=httpx.ByteStream(b"") if emptied else request.stream,
        extensions=request.extensions,
    )
    return following, replace(follow, implied=method)


def in_url(url: httpx.URL) -> tuple[str, str] | None:
    """Return the user and the password that stand in a URL, or None."""
    if not url.userinfo:
        return None
    user, _, password = url.userinfo.decode("ascii").partition(":")
    return unquote(user, errors="surrogateescape"), unquote(password, errors="surrogateescape")


def basic(user: str, password: str) -> str:
    """Return the Authorization field of a user and a password (RFC 7617)."""
    pair = f"{user}:{password}".encode(errors="surrogateescape")
    return "Basic " + base64.b64encode(pair).decode()


def leads_to(response: httpx.Response) -> httpx.URL | None:
    """Return where an answer leads if its Location is followed; None if nowhere."""
    with suppress(httpx.InvalidURL):
        if is_redirect(response):
            return _destination(response)
    return None


def _destination(response: httpx.Response) -> httpx.URL:
    """Return where a Location leads, with the user and password that it names."""
    base = response.request.url
    location = next(v for n, v in response.headers.raw if n.lower() == b"location")
    try:
        url = read_url(decoded(location), base.copy_with(userinfo=b""))
    except httpx.InvalidURL:
        told, why = without_userinfo(decoded(location)), fault_of(decoded(location), base)
        told = f"{base.host} redirects to {told!r}, which is no URL"
        raise httpx.InvalidURL(f"{told}: {why}" if why else told) from None
    if base.fragment and not url.fragment:  # RFC 9110, 10.2.2
        url = url.copy_with(fragment=base.fragment)
    return url


def _method(method: str, status: int) -> str:
    if status == 303 and method != "HEAD":
        return "GET"
    return "GET" if status in (301, 302) and method == "POST" else method


def _answer(transport: httpx.BaseTransport, request: httpx.Request, tell: Tell) -> httpx.Response:
    tell(request)
    try:
        response = transport.handle_request(request)
    except httpx.RequestError as error:
        error.request = request
        raise
    response.request = request
    tell(response)
    return response


def _let_go(response: httpx.Response) -> None:
    """Close an answer, after a body so short that its connection is worth keeping."""
    try:
        length = response.headers.get("content-length", "0")
        if length.isdecimal() and int(length[:9]) <= _REST:
            with suppress(TimeIsOver, httpx.TransportError), time_limit(_REST_WITHIN) as limit:
                _read_rest(response, limit)
    finally:
        response.close()


def _read_rest(response: httpx.Response, limit: Limit) -> None:
    count = 0
    for part in response.iter_raw():
        limit.require()
        count += len(part)
        if count > _REST:
            break
