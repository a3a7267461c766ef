"""Both directions of a stream, in an event loop, until both have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import anyio

from .flow import Flow, Waits


async def pump(flows: Sequence[Flow], *, half_closed: float) -> None:
    """Move bytes in both directions; what each still holds at the end is given back.

    Args:
        flows: the directions.
        half_closed: seconds for which one may be silent once the other has ended.

    Raises:
        OSError: a socket is broken, or the limit of time is over.
    """
    tasks = [asyncio.ensure_future(_run(flow)) for flow in flows]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        while not all(task.done() for task in tasks):
            _raise_first(tasks)
            before = [flow.moved for flow in flows]
            await asyncio.wait(tasks, timeout=half_closed, return_when=asyncio.FIRST_EXCEPTION)
            if before == [flow.moved for flow in flows] and not all(t.done() for t in tasks):
                _raise_first(tasks)
                raise TimeoutError("one direction has ended, and the other is silent")
        _raise_first(tasks)
    finally:
        await _stopped(tasks)
        for flow in flows:
            flow.close()


async def _run(flow: Flow) -> None:
    while (waits := flow.step()) is not Waits.NOTHING:
        if waits is Waits.READABLE:
            await anyio.wait_readable(flow.source)
        elif waits is Waits.WRITABLE:
            await anyio.wait_writable(flow.target)
        else:
            await asyncio.sleep(0)


def _raise_first(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        if task.done() and (error := task.exception()) is not None:
            raise error


async def _stopped(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
