"""What is used of httpcore's objects, or httpcore2's: both have the same shape."""

from __future__ import annotations

from typing import Any, Protocol

Fields = list[tuple[bytes, bytes]]
"""Names and values of header fields."""
Extensions = dict[str, Any]
"""What a caller, or a layer below, adds by name; httpcore's documentation lists them."""
Stream = Any
"""A body, for threads or for event loops; each side knows which."""


class Origin(Protocol):
    """Where a connection leads."""

    @property
    def scheme(self) -> bytes: ...
    @property
    def host(self) -> bytes: ...
    @property
    def port(self) -> int: ...


class URL(Protocol):
    """A URL in parts."""

    @property
    def scheme(self) -> bytes: ...
    @property
    def host(self) -> bytes: ...
    @property
    def port(self) -> int | None: ...
    @property
    def target(self) -> bytes: ...
    @property
    def origin(self) -> Origin: ...


class Request(Protocol):
    """A request."""

    @property
    def method(self) -> bytes: ...
    @property
    def url(self) -> URL: ...
    @property
    def headers(self) -> Fields: ...
    @property
    def stream(self) -> Stream: ...
    @property
    def extensions(self) -> Extensions: ...


class Response(Protocol):
    """A response, whose body is still to be read."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Fields: ...
    @property
    def stream(self) -> Stream: ...
    @property
    def extensions(self) -> Extensions: ...


class HostURL(Protocol):
    """A URL of httpx's."""

    @property
    def scheme(self) -> str: ...
    @property
    def raw_scheme(self) -> bytes: ...
    @property
    def raw_host(self) -> bytes: ...
    @property
    def raw_path(self) -> bytes: ...
    @property
    def netloc(self) -> bytes: ...
    @property
    def port(self) -> int | None: ...


class HostHeaders(Protocol):
    """Header fields of httpx's."""

    @property
    def raw(self) -> Fields: ...
    def get(self, key: str, /) -> str | None: ...
    def __contains__(self, key: object, /) -> bool: ...


class HostRequest(Protocol):
    """A request of httpx's."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> HostURL: ...
    @property
    def headers(self) -> HostHeaders: ...
    @property
    def stream(self) -> Stream: ...
    @property
    def extensions(self) -> Extensions: ...


class Limits(Protocol):
    """Limits of a pool of httpx's."""

    @property
    def max_connections(self) -> int | None: ...
    @property
    def max_keepalive_connections(self) -> int | None: ...
    @property
    def keepalive_expiry(self) -> float | None: ...


HostResponse = Any
"""A response of httpx's, or of httpx2's: what the one expects the other doesn't."""

_URL = URL
_Request = Request
_Response = Response


class Core(Protocol):
    """The module itself, as far as it makes requests and responses."""

    def URL(  # noqa: N802  httpcore's name
        self, *, scheme: bytes, host: bytes, port: int | None, target: bytes
    ) -> _URL: ...

    def Request(  # noqa: N802
        self,
        *,
        method: bytes | str,
        url: _URL,
        headers: Fields,
        content: Stream,
        extensions: Extensions,
    ) -> _Request: ...

    def Response(  # noqa: N802
        self, *, status: int, headers: Fields, content: Stream, extensions: Extensions
    ) -> _Response: ...
