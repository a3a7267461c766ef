"""The body of a first response, joined with what other connections bring of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Self

import anyio
import h11

from mphttp.http.cycle import Cycle
from mphttp.network.endpoint import Returned
from mphttp.ranges.assembly import Assembly
from mphttp.ranges.reader import Reader, TooShortError

from .body import AsyncBody, Body
from .extensions import step, step_async, timeout_of
from .protocols import Request as CoreRequest
from .protocols import Stream


class _Joined:
    """What both kinds have in common.

    Args:
        parts: the pool's stream, to be closed.
        body: the same body below it.
        assembly: what others bring.
        request: the core's.
        core: whose exceptions are raised.

    Attributes:
        failures: what reading the first response raises where it broke off.
    """

    def __init__(
        self,
        parts: Stream,
        body: Stream,
        assembly: Assembly,
        request: CoreRequest,
        core: ModuleType,
    ) -> None:
        self.failures: tuple[type[Exception], ...] = (
            core.NetworkError,
            core.ProtocolError,
            h11.RemoteProtocolError,
        )
        self._parts = parts
        self._body = body
        self._reader = Reader(assembly, timeout_of(request, "read"))
        self._request = request
        self._core = core

    def _as_core_error(self, error: OSError) -> Exception:
        """Return what the core raises instead."""
        core = self._core
        kind = core.RemoteProtocolError if isinstance(error, TooShortError) else core.ReadError
        if isinstance(error, TimeoutError):
            kind = core.ReadTimeout
        told: Exception = kind(str(error))
        return told


class JoinedBody(_Joined):
    """One that blocks."""

    _body: Body[Cycle] | Body[int]

    def __iter__(self) -> Iterator[bytes]:
        with step(self._request, f"{self._body.protocol}.receive_response_body"):
            try:
                while data := self._reader.next(self):
                    yield data
            except BaseException as error:
                self._body.close()
                if isinstance(error, OSError):
                    raise self._as_core_error(error) from error
                raise

    def read(self, seconds: float) -> bytes | None:
        """Read on in the first response (mphttp.ranges.reader)."""
        try:
            return self._body.part(seconds)
        except self._core.ReadTimeout:
            return None

    def over(self) -> None:
        """Release the first response's connection, or its stream."""
        self._body.close()

    def close(self) -> None:
        """Let the first response's connection be used again, or close it."""
        self._parts.close()


class AsyncJoinedBody(_Joined):
    """One that doesn't block the event loop; no generator, see body.py."""

    _body: AsyncBody[Cycle] | AsyncBody[int]
    _step: AbstractAsyncContextManager[Returned] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._step is None:
            self._step = step_async(self._request, f"{self._body.protocol}.receive_response_body")
            await self._step.__aenter__()
        try:
            data = await self._next()
        except BaseException as error:  # also when the task is cancelled
            await self._body.aclose()
            told = self._as_core_error(error) if isinstance(error, OSError) else error
            await self._step.__aexit__(type(told), told, error.__traceback__)
            if told is error:
                raise
            raise told from error
        if not data:
            await self._step.__aexit__(None, None, None)
            raise StopAsyncIteration
        return data

    async def _next(self) -> bytes:
        reader, assembly = self._reader, self._reader.assembly
        reader.begin()
        while assembly.passing:
            try:
                part = await self._body.part(reader.slice)
            except self._core.ReadTimeout:
                part = None
            except self.failures as error:
                reader.fail(error)
                break
            data = reader.passed(part)
            if data is not None:
                return data
        reader.start()
        while not assembly.done:
            data = assembly.ready() or await self._more()
            if data:
                assembly.first.rest(time.monotonic())
                return data
            reader.check()
        return b""

    async def _more(self) -> bytes:
        assembly = self._reader.assembly
        if not assembly.reads_first():
            if assembly.first_is_over:
                await self._body.aclose()
            with anyio.move_on_after(self._reader.slice):
                await anyio.wait_readable(assembly.news.fileno())
                assembly.news.seen()
            return b""
        assembly.first.wait(time.monotonic())
        try:
            part = await self._body.part(self._reader.slice)
        except self._core.ReadTimeout:
            return b""
        except self.failures as error:
            self._reader.lose(error)
            return b""
        return self._reader.take(part)

    async def aclose(self) -> None:
        """Let the first response's connection be used again, or close it."""
        await self._parts.aclose()
