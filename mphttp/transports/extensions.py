"""What a request brings along for its transport: httpx's extensions "timeout" and "trace"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any, TypeVar

from mphttp.network.endpoint import SILENT, Returned

T = TypeVar("T")


def timeout_of(request: Any, kind: str) -> float | None:
    """Return a request's limit in seconds, or None.

    Args:
        request: with extensions.
        kind: "connect", "read", "write" or "pool".
    """
    limit: float | None = request.extensions.get("timeout", {}).get(kind)
    return limit


def step(request: Any, name: str, **given: Any) -> AbstractContextManager[Returned]:
    """Tell a request's "trace" of a step: that it started, and is complete or failed.

    Args:
        request: with extensions.
        name: as in httpcore, such as "connection.connect_tcp".
        given: what the step begins with beside the request, named as in httpcore.
    """
    trace = request.extensions.get("trace")
    return SILENT if trace is None else _told(trace, name, {"request": request, **given})


def step_async(request: Any, name: str, **given: Any) -> AbstractAsyncContextManager[Returned]:
    """Do the same with a "trace" that is to be awaited."""
    trace = request.extensions.get("trace")
    return SILENT if trace is None else _told_async(trace, name, {"request": request, **given})


class _Outcome:
    value: Any = None

    def __call__(self, value: T) -> T:
        self.value = value
        return value


@contextmanager
def _told(trace: Any, name: str, given: dict[str, Any]) -> Iterator[Returned]:
    outcome = _Outcome()
    trace(f"{name}.started", given)
    try:
        yield outcome
    except BaseException as error:
        trace(f"{name}.failed", {"exception": error})
        raise
    trace(f"{name}.complete", {"return_value": outcome.value})


@asynccontextmanager
async def _told_async(trace: Any, name: str, given: dict[str, Any]) -> AsyncIterator[Returned]:
    outcome = _Outcome()
    await trace(f"{name}.started", given)
    try:
        yield outcome
    except BaseException as error:
        await trace(f"{name}.failed", {"exception": error})
        raise
    await trace(f"{name}.complete", {"return_value": outcome.value})
