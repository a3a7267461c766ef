"""What a proxy makes of the requests and answers that it forwards. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import h11

from mphttp.network.framing import fault_of_framing

from .target import Target, absolute, authority

Headers = list[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"upgrade",
    )
)
"""For the next one alone (RFC 9110, section 7.6.1)."""
REASONS = {
    200: "Connection established",
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    508: "Loop Detected",
}


class Refusal(Exception):
    """A request that isn't carried out.

    Args:
        status: of the answer.
        what: one sentence.
    """

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status
        self.what = what


@dataclass(frozen=True)
class Forwarded:
    """A request as the origin gets it.

    Args:
        target: where the origin is.
        request: without what was for the proxy alone.
        tunnel: whether a connection is asked for (CONNECT).
    """

    target: Target
    request: h11.Request
    tunnel: bool = False


def understood(request: h11.Request, pseudonym: bytes) -> Forwarded:
    """Say what a request asks for.

    Args:
        request: as it came.
        pseudonym: this proxy's name in Via fields.

    Raises:
        Refusal: it can't be forwarded, or not without a doubt about what it says.
    """
    headers = [(bytes(name), bytes(value)) for name, value in request.headers]
    fault = _fault(request, headers)
    if fault is not None:
        raise Refusal(400, fault)
    try:
        if request.method == b"CONNECT":
            return Forwarded(authority(request.target), request, tunnel=True)
        target, path = absolute(request.target)
    except ValueError as error:
        raise Refusal(400, str(error)) from None
    if request.method == b"TRACE":  # it would tell what was for the proxy
        raise Refusal(405, "TRACE isn't forwarded")
    if _was_here(headers, pseudonym):
        raise Refusal(508, "the request has been here before")
    kept = [field for field in end_to_end(headers) if field[0] != b"host"]
    return Forwarded(
        target,
        h11.Request(
            method=request.method,
            target=_in_origin_form(request, path),
            headers=[(b"host", _host(target)), *kept, (b"via", b"1.1 " + pseudonym)],
        ),
    )


def _fault(request: h11.Request, headers: Headers) -> str | None:
    """Say what lets two servers read a request in two ways, or return None (RFC 9112, 11.2)."""
    fault = fault_of_framing(headers)
    if fault is not None:
        return fault
    names = [name for name, _ in headers]
    coded, framed = b"transfer-encoding" in names, b"content-length" in names
    if coded and request.http_version < b"1.1":
        return "a request of HTTP/1.0 has no Transfer-Encoding"
    if request.method == b"CONNECT" and (coded or framed):
        return "CONNECT has no body"
    if names.count(b"host") > 1:
        return "a request has one Host"
    return None


def _in_origin_form(request: h11.Request, path: bytes) -> bytes:
    """Return the target; OPTIONS without a path is about all of the origin (RFC 9112, 3.2.4)."""
    bare = request.target.partition(b"://")[2]
    whole = not any(sign in bare for sign in (b"/", b"?", b"#"))
    return b"*" if request.method == b"OPTIONS" and whole else path


def _host(target: Target) -> bytes:
    """Return the Host field, which is the target's, whatever came (RFC 9112, section 3.2.2)."""
    shown = str(target).encode("ascii")
    return shown.removesuffix(b":80") if target.port == 80 else shown


def _was_here(headers: Headers, pseudonym: bytes) -> bool:
    vias = b",".join(value for name, value in headers if name == b"via").split(b",")
    return any(pseudonym in via.split() for via in vias)


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the fields that are passed on."""
    fields = [(bytes(name).lower(), bytes(value)) for name, value in headers]
    named = {
        word.strip().lower()
        for name, value in fields
        if name == b"connection"
        for word in value.split(b",")
    } - {b"host", b"content-length", b"transfer-encoding"}
    return [field for field in fields if field[0] not in _HOP_BY_HOP | named]


def answer_for_client(
    response: h11.Response | h11.InformationalResponse, pseudonym: bytes
) -> h11.Response | h11.InformationalResponse:
    """Return an origin's answer as the client gets it; h11 frames it as the client can read it."""
    headers = end_to_end(response.headers)
    coded = any(name == b"transfer-encoding" for name, _ in headers)
    without = {b"transfer-encoding", b"content-length"} if coded else {b"transfer-encoding"}
    kept = [field for field in headers if field[0] not in without]
    return type(response)(
        status_code=response.status_code,
        headers=[*kept, (b"via", b"1.1 " + pseudonym)],
        reason=response.reason,
    )


def own_answer(status: int, what: str) -> tuple[h11.Response, bytes]:
    """Return an answer of the proxy's own, after which the connection ends, and its body."""
    body = f"mphttp proxy: {what}\n".encode("ascii", "backslashreplace")
    headers = [
        (b"Content-Type", b"text/plain; charset=us-ascii"),
        (b"Content-Length", b"%d" % len(body)),
        (b"Connection", b"close"),
    ]
    if status == 407:
        headers.append((b"Proxy-Authenticate", b'Basic realm="mphttp proxy"'))
    reason = REASONS.get(status, "Refused")
    return h11.Response(status_code=status, headers=headers, reason=reason.encode()), body
