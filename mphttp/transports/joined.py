"""The body of a first response, joined with what other connections bring of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Self

import anyio

from mphttp.ranges.assembly import Assembly

from .body import AsyncBody, Body
from .extensions import step, step_async, timeout_of

_SLICE = 0.1
"""Seconds for which the first response is waited for, before a look at what others brought."""
_SHORT_SLICE = 0.02
"""The same once there are others."""


class _Joined:
    """What both kinds have in common.

    Args:
        parts: the pool's stream, to be closed.
        body: the same body below it.
        assembly: what others bring.
        request: the core's.
        core: whose exceptions are raised.
    """

    def __init__(self, parts: Any, body: Any, assembly: Assembly, request: Any, core: Any) -> None:
        self._parts = parts
        self._body = body
        self._assembly = assembly
        self._request = request
        self._core = core
        self._timeout = timeout_of(request, "read")
        self._waits_since = time.monotonic()

    def _slice(self) -> float:
        slice_ = _SHORT_SLICE if self._assembly.shared else _SLICE
        return slice_ if self._timeout is None else min(slice_, self._timeout)

    def _ready(self) -> bytes:
        """Return what is here of what the reader wants next, b"" for nothing."""
        try:
            return self._assembly.ready()
        except OSError as error:  # of the temporary file
            raise self._core.ReadError(str(error)) from error

    def _check(self) -> None:
        """Raise what ends the body: nobody brings anything, or nobody could."""
        assembly = self._assembly
        if assembly.stuck:
            gone = "the last connection that brought parts is gone"
            why = assembly.first_error or assembly.alone or gone
            raise self._core.ReadError(why)
        since = max(self._waits_since, assembly.heard_at)
        if self._timeout is not None and time.monotonic() - since >= self._timeout:
            raise self._core.ReadTimeout("timed out")

    def _survives(self, why: str) -> bool:
        """Tell whether the body goes on without its first response."""
        return self._assembly.lose_first(why)

    @property
    def _first_failures(self) -> tuple[type[Exception], ...]:
        import h11

        return (self._core.NetworkError, self._core.ProtocolError, h11.RemoteProtocolError)


_SHORT = "the server ended the response too early"


class JoinedBody(_Joined):
    """One that blocks."""

    _body: Body

    def __iter__(self) -> Iterator[bytes]:
        with step(self._request, "http11.receive_response_body"):
            while data := self._next():
                yield data

    def _next(self) -> bytes:
        assembly = self._assembly
        self._waits_since = time.monotonic()
        while not assembly.done:
            data = self._ready() or self._more()
            if data:
                assembly.pausing()
                return data
            self._check()
        return b""

    def _more(self) -> bytes:
        """Read on in the first response, or wait for others; return what there is to give now."""
        assembly = self._assembly
        if not assembly.reads_first():
            if assembly.first_is_over:
                self._body.close()
            assembly.wait(self._slice())
            return b""
        try:
            assembly.reading()
            part = self._body.part(self._slice())
        except self._core.ReadTimeout:
            return b""
        except self._first_failures as error:
            if not self._survives(str(error)):
                raise
            return b""
        if not part and not self._survives(_SHORT):
            raise self._core.RemoteProtocolError(_SHORT)
        return assembly.from_first(part) if part else b""

    def close(self) -> None:
        """Let the first response's connection be used again, or close it."""
        self._parts.close()


class AsyncJoinedBody(_Joined):
    """One that doesn't block the event loop; no generator, see body.py."""

    _body: AsyncBody
    _step: Any = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._step is None:
            self._step = step_async(self._request, "http11.receive_response_body")
            await self._step.__aenter__()
        try:
            data = await self._next()
        except BaseException as error:  # also when the task is cancelled
            await self._body.aclose()
            await self._step.__aexit__(type(error), error, error.__traceback__)
            raise
        if not data:
            await self._step.__aexit__(None, None, None)
            raise StopAsyncIteration
        return data

    async def _next(self) -> bytes:
        assembly = self._assembly
        self._waits_since = time.monotonic()
        while not assembly.done:
            data = self._ready() or await self._more()
            if data:
                assembly.pausing()
                return data
            self._check()
        return b""

    async def _more(self) -> bytes:
        assembly = self._assembly
        if not assembly.reads_first():
            if assembly.first_is_over:
                await self._body.aclose()
            with anyio.move_on_after(self._slice()):
                await anyio.wait_readable(assembly.fileno())
                assembly.seen()
            return b""
        try:
            assembly.reading()
            part = await self._body.part(self._slice())
        except self._core.ReadTimeout:
            return b""
        except self._first_failures as error:
            if not self._survives(str(error)):
                raise
            return b""
        if not part and not self._survives(_SHORT):
            raise self._core.RemoteProtocolError(_SHORT)
        return assembly.from_first(part) if part else b""

    async def aclose(self) -> None:
        """Let the first response's connection be used again, or close it."""
        await self._parts.aclose()
