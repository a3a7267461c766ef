"""What a server answers over one path alone, with plain TCP: for portals, and for ranges."""

from __future__ import annotations

import ssl
from contextlib import closing
from datetime import UTC, datetime

import httpx

from mphttp.cli.printable import decoded
from mphttp.cli.redirect import Follow, is_redirect, onward
from mphttp.network.time_limit import TimeLimit
from mphttp.ranges.resource import NotInParts, Resource, by_name, refusal_of, resource_of
from mphttp.transports.blocking import BlockingTransport

from .outcomes import Answer

_WAIT = 5.0
"""Seconds for each step of an exchange; several times what a satellite takes."""
_MOST_REDIRECTS = 20


def ask(
    url: httpx.URL, path: str, limit: TimeLimit, verify: ssl.SSLContext | bool = True
) -> Answer:
    """Ask for an object, and then for its first byte, over one path.

    Args:
        url: http:// or https://; redirects are followed.
        path: the interface's name.
        limit: for all of it.
        verify: whose certificates are trusted, as httpx takes it.
    """
    from mphttp import MultipathTransport

    try:
        with MultipathTransport(verify=verify, multipath="off", paths=[path]) as transport:
            with closing(_answered(transport, url, limit)) as response:
                answer, found = _read(path, response)
            if isinstance(found, NotInParts):
                return answer
            return _with_part(answer, found, transport, response.request.url, limit)
    except TimeoutError:
        return Answer(path, error="no answer in time")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return _failed(path, error)


def _answered(transport: BlockingTransport, url: httpx.URL, limit: TimeLimit) -> httpx.Response:
    request = httpx.Request("GET", url, extensions=_within(limit))
    for _ in range(_MOST_REDIRECTS):
        response: httpx.Response = transport.handle_request(request)
        response.request = request
        if not is_redirect(response):
            return response
        response.close()  # its body may have no end
        request, _ = onward(request, response, Follow())
        request.extensions.update(_within(limit))
    raise httpx.TooManyRedirects("too many redirects", request=request)


def _within(limit: TimeLimit) -> dict[str, dict[str, float | None]]:
    left = limit.require()
    return {"timeout": httpx.Timeout(_WAIT if left is None else min(_WAIT, left)).as_dict()}


def _read(path: str, response: httpx.Response) -> tuple[Answer, Resource | NotInParts]:
    told = by_name(response.headers.raw)
    found = resource_of(b"GET", (), response.status_code, told)
    answer = Answer(
        path,
        status=response.status_code,
        host=_origin(response.request.url),
        length=told.get("content-length", ""),
        validator=told.get("etag") or told.get("last-modified", ""),
        not_in_parts=found.why if isinstance(found, NotInParts) else "",
    )
    return answer, found


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"


def _with_part(
    answer: Answer,
    resource: Resource,
    transport: BlockingTransport,
    url: httpx.URL,
    limit: TimeLimit,
) -> Answer:
    """Ask for a part, too: some offer ranges and then ignore them."""
    from dataclasses import replace

    fields = [(b"Host", url.netloc), *resource.request_headers(0, 1)]
    request = httpx.Request("GET", url, headers=fields, extensions=_within(limit))
    with closing(transport.handle_request(request)) as response:
        told = by_name(response.headers.raw)
        refusal = refusal_of(resource, (0, 1), response.status_code, told, datetime.now(UTC))
    return answer if refusal is None else replace(answer, not_in_parts=refusal.what)


def _failed(path: str, error: Exception) -> Answer:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Answer(path, error=cause.verify_message, untrusted=True, tls=True)
    words = str(error) or type(error).__name__
    return Answer(path, error=decoded(words.encode(errors="replace")), tls=cause is not None)
