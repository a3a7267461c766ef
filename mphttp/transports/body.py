"""Bodies of responses: read once, part by part, over whatever connection they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Generic, Protocol, Self, TypeVar

from mphttp.network.endpoint import Returned
from mphttp.network.forked import WHOSE, generation

from .extensions import step, step_async, timeout_of
from .protocols import Request as CoreRequest

K = TypeVar("K")
K_contra = TypeVar("K_contra", contravariant=True)


class Readable(Protocol[K_contra]):
    """A connection, as far as a body is read from it."""

    def not_ours(self, why: str) -> Exception: ...
    def next_part(self, key: K_contra, timeout: float | None, /) -> bytes: ...
    def response_closed(self, key: K_contra, /) -> None: ...


class AsyncReadable(Protocol[K_contra]):
    """One that doesn't block the event loop."""

    def not_ours(self, why: str) -> Exception: ...
    async def next_part(self, key: K_contra, timeout: float | None, /) -> bytes: ...
    async def response_closed(self, key: K_contra, /) -> None: ...


class _Body:
    """What both kinds have in common."""

    def __init__(self, request: CoreRequest, protocol: str) -> None:
        self._request = request
        self.protocol = protocol
        self._generation = generation()
        self._closed = False

    @property
    def _inherited(self) -> bool:
        """Whether the response is another process's, whose locks and streams are out of bounds."""
        return self._generation != generation()


class Body(_Body, Generic[K]):
    """The body of a response, for threads.

    Args:
        connection: gives its parts, b"" at its end, and is told when it is done with.
        key: what the connection knows it by.
        request: with extensions.
        protocol: as httpcore's traces call it: "http11" or "http2".
    """

    def __init__(
        self, connection: Readable[K], key: K, request: CoreRequest, protocol: str
    ) -> None:
        super().__init__(request, protocol)
        self._connection = connection
        self._key = key

    def __iter__(self) -> Iterator[bytes]:
        request = self._request
        try:
            with step(request, f"{self.protocol}.receive_response_body"):
                # The limit may be what is left of another one, so it is asked for each time.
                while part := self.part(timeout_of(request, "read")):
                    yield part
        except BaseException:
            self.close()
            raise

    def part(self, timeout: float | None) -> bytes:
        """Return the next part, b"" at the end, for whoever closes the body when that fails."""
        if self._inherited:
            raise self._connection.not_ours(WHOSE)
        return self._connection.next_part(self._key, timeout)

    def close(self) -> None:
        if not self._closed and not self._inherited:
            self._closed, told = True, False
            try:
                with step(self._request, f"{self.protocol}.response_closed"):
                    told = True
                    self._connection.response_closed(self._key)
            finally:
                if not told:  # whoever traces can't keep the place by failing
                    self._connection.response_closed(self._key)


class AsyncBody(_Body, Generic[K]):
    """One that doesn't block the event loop.

    No generator: one that is dropped in the middle has to be closed by an event loop.
    """

    def __init__(
        self, connection: AsyncReadable[K], key: K, request: CoreRequest, protocol: str
    ) -> None:
        super().__init__(request, protocol)
        self._connection = connection
        self._key = key
        self._timeout = timeout_of(request, "read")
        self._step: AbstractAsyncContextManager[Returned] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._step is None:
            self._step = step_async(self._request, f"{self.protocol}.receive_response_body")
            await self._step.__aenter__()
        try:
            part = await self.part(self._timeout)
        except BaseException as error:  # also when the task is cancelled
            await self.aclose()
            await self._step.__aexit__(type(error), error, error.__traceback__)
            raise
        if not part:
            await self._step.__aexit__(None, None, None)
            raise StopAsyncIteration
        return part

    async def part(self, timeout: float | None) -> bytes:
        """Return the next part, b"" at the end, for whoever closes the body when that fails."""
        if self._inherited:
            raise self._connection.not_ours(WHOSE)
        return await self._connection.next_part(self._key, timeout)

    async def aclose(self) -> None:
        if not self._closed and not self._inherited:
            self._closed, told = True, False
            try:
                async with step_async(self._request, f"{self.protocol}.response_closed"):
                    told = True
                    await self._connection.response_closed(self._key)
            finally:
                if not told:  # whoever traces can't keep the place by failing, or being cancelled
                    await self._connection.response_closed(self._key)


@asynccontextmanager
async def closing(parts: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Close a generator that isn't read to its end; other iterators have nothing to close."""
    try:
        yield parts
    finally:
        if hasattr(parts, "aclose"):
            await parts.aclose()
