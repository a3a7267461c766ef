"""A FastAPI service on a machine with two uplinks, that hands on what another server has.

    UPSTREAM=https://example.org/film hypercorn examples/service.py:app

`GET /chunks/NAME?within=SECONDS` streams the upstream's NAME while it comes, with a deadline;
`GET /reports` tells over which paths the last ones came.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from mphttp import AsyncMultipathTransport, Deadline, Report

reports: deque[Report] = deque(maxlen=20)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have one client as long as the service runs: its connections are kept."""
    async with httpx.AsyncClient(transport=AsyncMultipathTransport()) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/chunks/{name}")
async def chunk(name: str, within: float = 2.0) -> StreamingResponse:
    """Hand on one object, which is to be there in so many seconds."""
    client: httpx.AsyncClient = app.state.client
    request = client.build_request(
        "GET", f"{os.environ['UPSTREAM']}/{name}", extensions={"strategy": Deadline(within)}
    )
    try:
        response = await client.send(request, stream=True)
    except httpx.HTTPError as error:
        raise HTTPException(502, str(error)) from error

    async def body() -> AsyncIterator[bytes]:
        try:
            async for part in response.aiter_raw():
                yield part
        finally:
            await response.aclose()
            reports.append(response.extensions["multipath"])

    fields = ("content-type", "content-length", "content-encoding", "etag")
    kept = {field: response.headers[field] for field in fields if field in response.headers}
    return StreamingResponse(body(), response.status_code, kept)


@app.get("/reports")
async def told() -> list[dict[str, Any]]:
    """Tell of the last downloads, the oldest first."""
    return [report.to_dict() for report in reports]
