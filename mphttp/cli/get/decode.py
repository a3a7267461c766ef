"""`--compressed`: undoing a body's codings as it comes (RFC 9110, section 8.4.1).

gzip, deflate and br are undone here, since httpx's decoders take a stream that ends early for whole
and drop all but the first member of a gzip file. zstd is httpx's. br and zstd need their packages.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import httpx

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class CodingError(Exception):
    """A body isn't in the coding that its head names."""


class Decoder(Protocol):
    """Undoes one coding."""

    def decode(self, data: bytes) -> bytes: ...

    def finish(self) -> None: ...


class Gzip:
    """Undoes gzip: one member or several, one after the other (RFC 1952, 2.2)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def decode(self, data: bytes) -> bytes:
        out = []
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")  # padding, as gzip(1) takes it
                if not data:
                    break
                self._member = zlib.decompressobj(_GZIP)
            self._begun = True
            out.append(_inflated(self._member, data))
            data = self._member.unused_data
        return b"".join(out)

    def finish(self) -> None:
        if self._begun and not self._member.eof:
            raise CodingError("the gzip stream ends too early")


class Deflate:
    """Undoes deflate, in zlib's wrapping as it should be, or bare as some servers send it."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_ZLIB)
        self._head = b""
        self._begun = False

    def decode(self, data: bytes) -> bytes:
        if not self._begun:
            self._head += data
            if len(self._head) < 2:
                return b""
            self._begun, data = True, self._head
            # RFC 1950, 2.2: method 8, and both bytes together a multiple of 31.
            if data[0] & 15 != 8 or int.from_bytes(data[:2], "big") % 31:
                self._stream = zlib.decompressobj(_RAW)
        out = _inflated(self._stream, data)
        if self._stream.unused_data:
            raise CodingError("something follows the deflate stream")
        return out

    def finish(self) -> None:
        if self._head and not self._stream.eof:
            raise CodingError("the deflate stream ends too early")


class Brotli:
    """Undoes br (RFC 7932), with the package that httpx would use."""

    def __init__(self) -> None:
        packages = (name for name in ("brotli", "brotlicffi") if importlib.util.find_spec(name))
        self._package: Any = importlib.import_module(next(packages))
        self._stream = self._package.Decompressor()
        self._begun = False

    def decode(self, data: bytes) -> bytes:
        self._begun = True
        try:
            out: bytes = self._stream.process(data)
        except self._package.error as error:
            raise CodingError(str(error)) from error
        return out

    def finish(self) -> None:
        if self._begun and not self._stream.is_finished():
            raise CodingError("the br stream ends too early")


_OURS: dict[str, type[Decoder]] = {"gzip": Gzip, "x-gzip": Gzip, "deflate": Deflate, "br": Brotli}


def offered() -> str:
    """Return the codings that this installation can undo, as Accept-Encoding lists them."""
    with httpx.Client(verify=False, trust_env=False) as client:  # it never sends anything
        return client.headers["accept-encoding"]


def decoded(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body without its codings.

    Args:
        response: with an unread stream.

    Raises:
        CodingError: it has another coding than it should, or ends too early.
        httpx.DecodingError: the same, for a coding that httpx undoes.
    """
    field = response.headers.get("content-encoding", "").lower()
    codings = [word for word in (part.strip() for part in field.split(",")) if word]
    codings = [coding for coding in codings if coding != "identity"]
    known = {part.strip() for part in offered().split(",")} | {"x-gzip"}
    for coding in codings:
        if coding not in known:
            raise CodingError(f"there is no way here to undo the coding {coding!r}")
    if any(coding not in _OURS for coding in codings):
        return response.iter_bytes()
    # The last that was applied is the first to undo.
    return undone(response.iter_raw(), [_OURS[coding]() for coding in reversed(codings)])


def undone(data: Iterable[bytes], decoders: list[Decoder]) -> Iterator[bytes]:
    """Yield data that went through decoders, and check at the end that it was whole.

    Raises:
        CodingError: it isn't in that coding, or ends too early.
    """
    for chunk in data:
        for decoder in decoders:
            chunk = decoder.decode(chunk)  # noqa: PLW2901  through one after the other
        if chunk:
            yield chunk
    for decoder in decoders:
        decoder.finish()


def _inflated(stream: zlib._Decompress, data: bytes) -> bytes:
    try:
        return stream.decompress(data)
    except zlib.error as error:
        raise CodingError(str(error)) from error
