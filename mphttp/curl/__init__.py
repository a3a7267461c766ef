"""libcurl as a front door (pycurl): the paper's modified curl, and a transport for httpx.

from mphttp import Deadline
from mphttp.curl import fetch

response = fetch("https://example.org/film.mp4", Deadline(10), to="film.mp4")
print(response.report)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .request import CurlRequest, Limits
from .response import CurlResponse
from .session import CurlSession, fetch, fetch_all

if TYPE_CHECKING:
    from .httpx import CurlTransport

__all__ = [
    "CurlRequest",
    "CurlResponse",
    "CurlSession",
    "CurlTransport",
    "Limits",
    "fetch",
    "fetch_all",
]


def __getattr__(name: str) -> type[CurlTransport]:
    """Load the transport where it is asked for: libcurl alone needs no httpx."""
    if name != "CurlTransport":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .httpx import CurlTransport

    globals()[name] = CurlTransport
    return CurlTransport
