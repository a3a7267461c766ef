"""What a request brings along for its transport: httpx's extensions "timeout" and "trace"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import TypeVar

from mphttp.network.endpoint import SILENT, Returned

from .protocols import Request as CoreRequest

T = TypeVar("T")
Trace = Callable[[str, dict[str, object]], object]
"""Is told the name of a step's beginning or end, and what belongs to it."""
AsyncTrace = Callable[[str, dict[str, object]], Awaitable[object]]


def timeout_of(request: CoreRequest, kind: str) -> float | None:
    """Return a request's limit in seconds, or None.

    Args:
        request: with extensions.
        kind: "connect", "read", "write" or "pool".
    """
    limit: float | None = request.extensions.get("timeout", {}).get(kind)
    return limit


def step(request: CoreRequest, name: str, **given: object) -> AbstractContextManager[Returned]:
    """Tell a request's "trace" of a step: that it started, and is complete or failed.

    Args:
        request: with extensions.
        name: as in httpcore, such as "connection.connect_tcp".
        given: what the step begins with beside the request, named as in httpcore.
    """
    trace = request.extensions.get("trace")
    return SILENT if trace is None else _told(trace, name, {"request": request, **given})


def step_async(
    request: CoreRequest, name: str, **given: object
) -> AbstractAsyncContextManager[Returned]:
    """Do the same with a "trace" that is to be awaited."""
    trace = request.extensions.get("trace")
    return SILENT if trace is None else _told_async(trace, name, {"request": request, **given})


class _Outcome:
    value: object = None

    def __call__(self, value: T) -> T:
        self.value = value
        return value


@contextmanager
def _told(trace: Trace, name: str, given: dict[str, object]) -> Iterator[Returned]:
    outcome = _Outcome()
    trace(f"{name}.started", given)
    try:
        yield outcome
    except BaseException as error:
        trace(f"{name}.failed", {"exception": error})
        raise
    trace(f"{name}.complete", {"return_value": outcome.value})


@asynccontextmanager
async def _told_async(
    trace: AsyncTrace, name: str, given: dict[str, object]
) -> AsyncIterator[Returned]:
    outcome = _Outcome()
    await trace(f"{name}.started", given)
    try:
        yield outcome
    except BaseException as error:
        await trace(f"{name}.failed", {"exception": error})
        raise
    await trace(f"{name}.complete", {"return_value": outcome.value})
