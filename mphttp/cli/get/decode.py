"""`--compressed`: undoing a body's codings as it comes (RFC 9110, section 8.4.1).

httpx's decoders give out whatever a piece of input becomes, however much that is, take a stream
that ends early for whole, and drop all but the first member of a gzip file. Here each library is
asked for a bounded piece at a time, so that memory, and the time between two looks at a limit,
don't depend on what a server sends. br needs the package brotli (1.2 or newer), zstd Python 3.14 or
backports.zstd: older ones have no bounds.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Protocol

import httpx

_PIECE = 64 * 1024
"""Bytes that come out at once, at most."""
_SLICE = 16 * 1024
"""Bytes that go in at once: a library copies what it leaves of them, once for each member."""
_MOST_CODINGS = 5  # curl's limit, too
_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_WINDOW_LOG = 23  # RFC 9659: zstd's window is at most 8 MiB in HTTP


class CodingError(Exception):
    """A body isn't in the coding that its head names."""


class Decoder(Protocol):
    """Undoes one coding."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield what some bytes become, in bounded pieces."""

    def finish(self) -> None:
        """Check that the stream was whole."""


class Gzip:
    """Undoes gzip: one member or several, one after the other (RFC 1952, 2.2)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._member.eof:
                data = data.lstrip(b"\0")  # padding, as gzip(1) takes it
                if not data:
                    break
                self._member = zlib.decompressobj(_GZIP)
            self._begun = True
            yield from _inflated(self._member, data)
            data = self._member.unused_data

    def finish(self) -> None:
        if self._begun and not self._member.eof:
            raise CodingError("the gzip stream ends too early")


class Deflate:
    """Undoes deflate, in zlib's wrapping as it should be, or bare as some servers send it."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_ZLIB)
        self._head = b""
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        if not self._begun:
            self._head += data
            if len(self._head) < 2:
                return
            self._begun, data = True, self._head
            # RFC 1950, 2.2: method 8, and both bytes together a multiple of 31.
            if data[0] & 15 != 8 or int.from_bytes(data[:2], "big") % 31:
                self._stream = zlib.decompressobj(_RAW)
        if not self._stream.eof:
            yield from _inflated(self._stream, data)
            data = self._stream.unused_data
        if data:
            raise CodingError("something follows the deflate stream")

    def finish(self) -> None:
        if self._head and not self._stream.eof:
            raise CodingError("the deflate stream ends too early")


class Brotli:
    """Undoes br (RFC 7932)."""

    def __init__(self) -> None:
        package = _brotli()
        assert package is not None  # else it isn't offered, and refused
        self._error: type[Exception] = package.error
        self._stream = package.Decompressor()
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._begun = True
        if self._stream.is_finished():
            raise CodingError("something follows the br stream")
        while True:
            try:
                piece: bytes = self._stream.process(data, output_buffer_limit=_PIECE)
            except self._error as error:
                raise CodingError(str(error)) from error
            if not piece:  # it takes more before it has given out what it holds
                break
            yield piece
            data = b""

    def finish(self) -> None:
        if self._begun and not self._stream.is_finished():
            raise CodingError("the br stream ends too early")


class _Frame(Protocol):
    """What undoes one frame of zstd, in the packages that do."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, most: int, /) -> bytes: ...


class Zstandard:
    """Undoes zstd: one frame or several, one after the other (RFC 8878, 3.1)."""

    def __init__(self) -> None:
        package = _zstd()
        assert package is not None  # else it isn't offered, and refused
        self._package = package
        self._frame = self._new_frame()
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._frame.eof:
                self._frame = self._new_frame()
            self._begun = True
            yield from self._pieces(data)
            data = self._frame.unused_data if self._frame.eof else b""

    def finish(self) -> None:
        if self._begun and not self._frame.eof:
            raise CodingError("the zstd stream ends too early")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece: bytes = self._frame.decompress(data, _PIECE)
            except self._package.ZstdError as error:
                raise CodingError(str(error)) from error
            if piece:
                yield piece
            if self._frame.eof or self._frame.needs_input:
                break
            data = b""

    def _new_frame(self) -> _Frame:
        options = {self._package.DecompressionParameter.window_log_max: _WINDOW_LOG}
        made: _Frame = self._package.ZstdDecompressor(options=options)
        return made


def _brotli() -> ModuleType | None:
    package = _first_of("brotli", "brotlicffi")
    decompressor = getattr(package, "Decompressor", None)
    return package if hasattr(decompressor, "can_accept_more_data") else None


def _zstd() -> ModuleType | None:
    return _first_of("compression.zstd", "backports.zstd")


def _first_of(*names: str) -> ModuleType | None:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": Gzip,
    "x-gzip": Gzip,
    "deflate": Deflate,
    "br": Brotli,
    "zstd": Zstandard,
}
_NEEDS = {"br": _brotli, "zstd": _zstd}
_PLAIN = ("identity", "none")
"""What servers call no coding; the second is curl's word for it, too."""


def offered() -> str:
    """Return the codings that this installation can undo, as Accept-Encoding lists them."""
    return ", ".join(name for name in _DECODERS if name != "x-gzip" and _known(name))


def decoded(response: httpx.Response) -> Iterator[bytes]:
    """Yield a body without its codings, in bounded pieces.

    Args:
        response: with an unread stream.

    Raises:
        CodingError: it has another coding than it should, too many, or ends too early.
    """
    fields = ",".join(response.headers.get_list("content-encoding")).lower()
    codings = [word for word in (part.strip() for part in fields.split(",")) if word]
    codings = [coding for coding in codings if coding not in _PLAIN]
    if len(codings) > _MOST_CODINGS:
        raise CodingError(f"it has {len(codings)} codings, and {_MOST_CODINGS} are the most")
    for coding in codings:
        if not _known(coding):
            raise CodingError(f"there is no way here to undo the coding {coding!r}")
    # The last that was applied is the first to undo.
    return undone(response.iter_raw(), [_DECODERS[coding]() for coding in reversed(codings)])


def undone(data: Iterable[bytes], decoders: Iterable[Decoder]) -> Iterator[bytes]:
    """Yield data that went through decoders, and check at the end that it was whole.

    Raises:
        CodingError: it isn't in that coding, or ends too early.
    """
    for decoder in decoders:
        data = _through(decoder, data)
    yield from data


def _through(decoder: Decoder, data: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in data:
        for start in range(0, len(chunk), _SLICE):
            yield from decoder.decode(chunk[start : start + _SLICE])
    decoder.finish()


def _inflated(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Yield what a stream makes of some bytes."""
    full = True
    while (data or full) and not stream.eof:
        try:
            piece = stream.decompress(data, _PIECE)
        except zlib.error as error:
            raise CodingError(str(error)) from error
        if piece:
            yield piece
        data = stream.unconsumed_tail
        full = len(piece) == _PIECE  # zlib may hold more, though it took all that there was


def _known(coding: str) -> bool:
    return coding in _DECODERS and (coding not in _NEEDS or _NEEDS[coding]() is not None)
