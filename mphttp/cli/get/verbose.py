"""What `-v` tells on stderr: both heads, as curl shows them, and what happened to the paths."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx

from mphttp.report import Report

from ..environment import Environment
from ..printable import decoded

_SECRETS = {"authorization", "cookie", "proxy-authorization"}


def head(response: httpx.Response) -> bytes:
    """Return the head of an answer as it came, with the empty line at its end.

    One that came by HTTP/2 is written as HTTP/1.1 would write it.
    """
    raw: bytes | None = response.extensions.get("raw_head")
    if raw is not None:
        return raw
    version = response.extensions.get("http_version", b"HTTP/1.1")
    reason = response.extensions.get("reason_phrase", b"")
    status = b"%b %d %b" % (version, response.status_code, reason)
    fields = (b"%b: %b" % field for field in response.headers.raw)
    return b"".join(line + b"\r\n" for line in (status, *fields, b""))


_OF_HTTP = re.compile(rb"HTTP/[0-9.]+ [0-9]{3}.*?\r?\n\r?\n", re.DOTALL)


def proxy_head(event: str, told: Mapping[str, object]) -> bytes:
    """Return the head of a proxy's answer to CONNECT, if an event of a trace tells of one."""
    if not event.startswith("connection.ask_proxy."):
        return b""
    error = told.get("exception")
    answer = getattr(getattr(error, "__cause__", None), "answer", told.get("return_value"))
    found = _OF_HTTP.match(answer) if isinstance(answer, bytes) else None
    return found[0] if found else b""


def interim_heads(event: str, told: Mapping[str, object]) -> bytes:
    """Return the heads that came before an answer that didn't, if an event of a trace tells so."""
    if event != "http11.receive_response_headers.failed":
        return b""
    came = getattr(told.get("exception"), "heads", told.get("heads"))
    return b"".join(_OF_HTTP.findall(came)) if isinstance(came, bytes) else b""


class Verbose:
    """Tells one transfer as it goes.

    Args:
        environment: where it is told.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._told = 0

    def tell(self, message: httpx.Request | httpx.Response) -> None:
        """Tell a head."""
        if isinstance(message, httpx.Request):
            self._request(message)
        else:
            self._response(message)

    def lines(self, head: bytes) -> None:
        """Tell what came: a proxy's answer to CONNECT, or trailers."""
        self._tell("<", *map(decoded, head.rstrip(b"\r\n").splitlines()))

    def events(self, report: Report) -> None:
        """Tell what has happened since the last call."""
        events = report.events
        for event in events[self._told :]:
            words = (event.kind.replace("_", " "), event.path and f"on {event.path}", event.detail)
            line = " ".join(word for word in words if word)
            self._environment.say(f"* {event.at:.3f} s: {line}")
        self._told = len(events)

    def _request(self, request: httpx.Request) -> None:
        target = request.url.raw_path.decode("ascii")
        fields = (_shown(*map(decoded, field)) for field in request.headers.raw)
        self._tell(">", f"{request.method} {target} HTTP/1.1", *fields)

    def _response(self, response: httpx.Response) -> None:
        lines = head(response).removesuffix(b"\r\n\r\n").split(b"\r\n")
        self._tell("<", *map(decoded, lines))

    def _tell(self, mark: str, *lines: str) -> None:
        for line in (*lines, ""):
            self._environment.say(f"{mark} {line}".rstrip())


def _shown(name: str, value: str) -> str:
    """Write a field of ours; of a secret only how it begins, such as "Basic"."""
    if name.lower() not in _SECRETS:
        return f"{name}: {value}"
    scheme, space, _ = value.partition(" ")
    return f"{name}: {scheme} ***" if space and name.lower() != "cookie" else f"{name}: ***"
