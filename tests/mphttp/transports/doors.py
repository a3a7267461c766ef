"""Every door for httpx and httpx2 in one shape, so that one test says what holds behind all."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import httpx
import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal

import mphttp.httpx
import mphttp.httpx2

UNFINISHED = "ignore:Exception ignored (in. |while finalizing generator )<async_generator"
"""httpx leaves generators of its own unfinished, which trio warns of: a filter of warnings."""


@dataclass(frozen=True)
class Answer:
    """A response, of which the body may still have to be read."""

    response: Any
    portal: BlockingPortal | None

    def read(self) -> bytes:
        """Return the body as it came."""
        return b"".join(self.parts())

    def parts(self) -> Iterator[bytes]:
        """Give the body part by part, as it comes."""
        if self.portal is None:
            yield from self.response.iter_raw()
            return
        parts = self.response.aiter_raw()
        while (part := self.portal.call(anext, parts, None)) is not None:
            yield part

    @property
    def report(self) -> Any:
        return self.response.extensions["multipath"]


@dataclass(frozen=True)
class Client:
    """A client that blocks, whatever is behind it."""

    client: Any
    portal: BlockingPortal | None = None

    def get(self, url: str, **options: Any) -> Any:
        return self.request("GET", url, **options)

    def request(self, method: str, url: str, **options: Any) -> Any:
        if self.portal is None:
            return self.client.request(method, url, **options)
        return self.portal.call(lambda: self.client.request(method, url, **options))

    @contextmanager
    def stream(self, url: str, **options: Any) -> Iterator[Answer]:
        made = self.client.stream("GET", url, **options)
        if self.portal is not None:
            made = self.portal.wrap_async_context_manager(made)
        with made as response:
            yield Answer(response, self.portal)


@dataclass(frozen=True)
class Door:
    """One way in.

    Args:
        library: httpx or httpx2: requests, responses, errors.
        doors: where mphttp's transports for it are.
        backend: "asyncio", "trio", or None for threads.
    """

    library: ModuleType
    doors: ModuleType
    backend: str | None = None

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.library.__name__, self.backend)))

    def transport(self, **options: Any) -> Any:
        kind = "Multipath" if self.backend is None else "AsyncMultipath"
        return getattr(self.doors, f"{kind}Transport")(**options)

    @contextmanager
    def client(self, **options: Any) -> Iterator[Client]:
        """Make a client whose transport has these options."""
        transport = self.transport(**options)
        with ExitStack() as stack:
            if self.backend is None:
                made = self.library.Client(transport=transport, timeout=20)
                yield Client(stack.enter_context(made))
            else:
                portal = stack.enter_context(start_blocking_portal(self.backend))
                made = self.library.AsyncClient(transport=transport, timeout=20)
                stack.enter_context(portal.wrap_async_context_manager(made))
                yield Client(made, portal)


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
"""What clients trust, and what servers show."""

DOORS = {
    "httpx": Door(httpx, mphttp.httpx),
    "httpx-asyncio": Door(httpx, mphttp.httpx, "asyncio"),
    "httpx-trio": Door(httpx, mphttp.httpx, "trio"),
    "httpx2": Door(httpx2, mphttp.httpx2),
    "httpx2-asyncio": Door(httpx2, mphttp.httpx2, "asyncio"),
}
