"""A request as libcurl sends it: the one that was asked for, or where a redirect leads."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ParamSpec, Protocol, TypeVar

import pycurl

from .request import CurlRequest
from .url import Url, follow, read

_FOR_ONE_ORIGIN = frozenset({"authorization", "cookie", "host", "proxy-authorization"})
"""What another host, port or scheme has no business to know (RFC 9110, section 15.4)."""
_OF_CONTENT = frozenset({"digest", "expect", "last-modified", "trailer", "transfer-encoding"})
"""What a request without a body doesn't have, beside all that begins with "Content-"."""
_UNASKED = frozenset({"accept", "content-type", "expect", "user-agent"})
"""What libcurl adds by itself; here it is sent only if it was asked for."""

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
Refusal = TypeVar("Refusal")


class Wrap(Protocol):
    """Makes a callback safe."""

    def __call__(
        self, function: Callable[Arguments, Answer], refusal: Refusal
    ) -> Callable[Arguments, Answer | Refusal]:
        """Return a function that gives libcurl the refusal where the other one raises."""


class WrongLength(ValueError):
    """A request's body isn't as long as the request says."""


class Body:
    """A request's body, handed out piece by piece.

    Args:
        content: all of it, or pieces, which can be read once.
        size: bytes in all, or None if nobody knows.

    Attributes:
        taken: bytes that were handed out.
        over: whether these are all.
    """

    def __init__(self, content: bytes | Iterable[bytes], size: int | None) -> None:
        self.size = size
        self.taken = 0
        self.over = size == 0
        self._all = memoryview(content) if isinstance(content, bytes) else None
        self._pieces: Iterator[bytes] = iter(() if isinstance(content, bytes) else content)
        self._left = memoryview(content if isinstance(content, bytes) else b"")
        self._begun = False

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end.

        Args:
            size: how many at most.

        Raises:
            WrongLength: there are more, or fewer, than was said.
        """
        self._begun = True
        there = self._more()
        taken, self._left = self._left[:size], self._left[size:]
        self.taken += len(taken)
        if self.size is not None and (not there or self.taken >= self.size):
            # Asked before the last bytes are out, so that a wrong request is never a whole one.
            missing = self.size - self.taken
            if missing or self._more():
                few = f"{missing} bytes fewer than the" if missing > 0 else "more bytes than the"
                raise WrongLength(f"the request's body has {few} {self.size} that were said")
        self.over = not taken or self.taken == self.size
        return bytes(taken)

    def _more(self) -> bool:
        """Have the next piece ready, if there is one."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._left = memoryview(piece)
        return True

    def seek(self, offset: int, _origin: int) -> int:
        """Begin anew, for a connection that closed before it took anything."""
        if self._all is None:
            return pycurl.SEEKFUNC_CANTSEEK
        self._left, self.taken, self.over = self._all[offset:], offset, False
        return pycurl.SEEKFUNC_OK

    def again(self) -> None:
        """Begin anew, for a redirect.

        Raises:
            pycurl.error: pieces of it have been taken, and can't be had again.
        """
        if self._begun and self.seek(0, 0) != pycurl.SEEKFUNC_OK:
            words = "a redirect asks for the request's body again, which could be read once"
            raise pycurl.error(pycurl.E_SEND_FAIL_REWIND, words)


@dataclass(frozen=True)
class Message:
    """What is sent to one URL.

    Args:
        url: where it goes.
        method: such as "GET".
        given: names and values of the header fields that the caller gave.
        body: what is sent with it, or None.
        http10: whether it is asked for by HTTP/1.0.
    """

    url: Url
    method: str
    given: tuple[tuple[str, str], ...]
    body: Body | None
    http10: bool = False

    @staticmethod
    def of(wanted: CurlRequest) -> Message:
        """Return what is sent first.

        Raises:
            pycurl.error: the URL is none.
        """
        content = wanted.content
        body = None if content is None else Body(content, wanted.size)
        return Message(read(wanted.url), wanted.method, tuple(wanted.fields()), body, wanted.http10)

    def redirected(self, status: int, location: bytes) -> Message:
        """Return what is sent where a response points (RFC 9110, section 15.4).

        Args:
            status: of the response.
            location: its field Location.

        Raises:
            pycurl.error: the location is no URL, or the body can't be sent again.
        """
        url = follow(self.url, location)
        moved = url.origin != self.url.origin
        if url.credentials is None and not moved:
            url = replace(url, credentials=self.url.credentials)
        method = _method_after(self.method, status)
        bare = method != self.method or (status == 303 and method == "GET")
        if self.body is not None and not bare:
            self.body.again()
        given = (
            (name, value)
            for name, value in self.given
            if not (moved and name.lower() in _FOR_ONE_ORIGIN) and not (bare and _of_content(name))
        )
        return Message(url, method, tuple(given), None if bare else self.body, self.http10)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields; the caller's own Authorization counts more than the URL's."""
        if self.url.credentials is None or "authorization" in self._names:
            return list(self.given)
        pair = base64.b64encode(b":".join(self.url.credentials)).decode("ascii")
        return [("Authorization", f"Basic {pair}"), *self.given]  # RFC 7617

    @property
    def _names(self) -> set[str]:
        return {name.lower() for name, _ in self.given}

    def apply(self, easy: pycurl.Curl, wrap: Wrap) -> None:
        """Set it on a handle.

        Args:
            easy: the handle.
            wrap: makes a callback safe.

        Raises:
            ValueError: a header has signs that can't be sent.
        """
        # An empty value is written with a semicolon.
        lines = [f"{name}: {value}" if value else f"{name};" for name, value in self.fields]
        lines += [f"{name}:" for name in sorted(_UNASKED - self._names)]
        chunked = self.body is not None and self.body.size is None
        if chunked and "transfer-encoding" not in self._names:
            lines.append("Transfer-Encoding: chunked")
        easy.setopt(pycurl.URL, str(self.url))
        if self.http10:
            easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_0)
        easy.setopt(pycurl.HTTPHEADER, [line.encode("latin-1") for line in lines])
        self._apply_method(easy)
        if self.body is not None:
            self._apply_body(easy, self.body, wrap)

    def _apply_method(self, easy: pycurl.Curl) -> None:
        match self.method:
            case "GET" if self.body is None:
                easy.setopt(pycurl.HTTPGET, 1)
            case "HEAD":
                easy.setopt(pycurl.NOBODY, 1)
            case "POST":
                easy.setopt(pycurl.POST, 1)
                if self.body is None:
                    easy.setopt(pycurl.POSTFIELDSIZE, 0)
            case _:
                easy.setopt(pycurl.CUSTOMREQUEST, self.method)
                if self.body is not None:
                    easy.setopt(pycurl.UPLOAD, 1)

    def _apply_body(self, easy: pycurl.Curl, body: Body, wrap: Wrap) -> None:
        easy.setopt(pycurl.READFUNCTION, wrap(body.read, pycurl.READFUNC_ABORT))
        easy.setopt(pycurl.SEEKFUNCTION, wrap(body.seek, pycurl.SEEKFUNC_FAIL))
        if body.size is not None:
            post = self.method == "POST"
            option = pycurl.POSTFIELDSIZE_LARGE if post else pycurl.INFILESIZE_LARGE
            easy.setopt(option, body.size)


def _method_after(method: str, status: int) -> str:
    """Return the method after a redirect: as browsers have it (fetch.spec.whatwg.org), and curl."""
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        return "GET"
    return method


def _of_content(name: str) -> bool:
    return name.lower().startswith("content-") or name.lower() in _OF_CONTENT
