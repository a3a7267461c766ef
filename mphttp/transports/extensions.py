"""What a request brings along for its transport: httpx's extensions "timeout" and "trace"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from typing import Any

_SILENT: nullcontext[None] = nullcontext()


def timeout_of(request: Any, kind: str) -> float | None:
    """Return a request's limit in seconds, or None.

    Args:
        request: with extensions.
        kind: "connect", "read", "write" or "pool".
    """
    limit: float | None = request.extensions.get("timeout", {}).get(kind)
    return limit


def step(request: Any, name: str) -> AbstractContextManager[None]:
    """Tell a request's "trace" of a step: that it started, and is complete or failed.

    Args:
        request: with extensions.
        name: as in httpcore, such as "connection.connect_tcp".
    """
    trace = request.extensions.get("trace")
    return _SILENT if trace is None else _told(trace, name)


def step_async(request: Any, name: str) -> AbstractAsyncContextManager[None]:
    """Do the same with a "trace" that is to be awaited."""
    trace = request.extensions.get("trace")
    return _SILENT if trace is None else _told_async(trace, name)


@contextmanager
def _told(trace: Any, name: str) -> Iterator[None]:
    trace(f"{name}.started", {})
    try:
        yield
    except BaseException as error:
        trace(f"{name}.failed", {"exception": error})
        raise
    trace(f"{name}.complete", {"return_value": None})


@asynccontextmanager
async def _told_async(trace: Any, name: str) -> AsyncIterator[None]:
    await trace(f"{name}.started", {})
    try:
        yield
    except BaseException as error:
        await trace(f"{name}.failed", {"exception": error})
        raise
    await trace(f"{name}.complete", {"return_value": None})
