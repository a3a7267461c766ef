"""What `-v` tells on stderr: both heads, as curl shows them, and what happened to the paths."""

from __future__ import annotations

import httpx

from mphttp.report import Report

from ..environment import Environment


def head(response: httpx.Response) -> str:
    """Return the head of an answer as HTTP/1.1 writes it, with the empty line at its end."""
    status = f"{response.http_version} {response.status_code} {response.reason_phrase}".rstrip()
    return "".join(f"{line}\r\n" for line in (status, *_fields(response.headers), ""))


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
        self._tell(">", f"{request.method} {target} HTTP/1.1", *_fields(request.headers))

    def _response(self, response: httpx.Response) -> None:
        self._tell("<", *head(response).splitlines()[:-1])

    def _tell(self, mark: str, *lines: str) -> None:
        for line in (*lines, ""):
            self._environment.say(f"{mark} {line}".rstrip())


def _fields(headers: httpx.Headers) -> list[str]:
    return [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in headers.raw]
