"""libcurl as a front door (pycurl): the paper's modified curl, and a transport for httpx.

from mphttp import Deadline
from mphttp.curl import fetch

response = fetch("https://example.org/film.mp4", Deadline(10), to="film.mp4")
print(response.report)
"""

from .httpx import CurlTransport
from .request import CurlRequest, Limits
from .response import CurlResponse
from .session import CurlSession, fetch, fetch_all

__all__ = [
    "CurlRequest",
    "CurlResponse",
    "CurlSession",
    "CurlTransport",
    "Limits",
    "fetch",
    "fetch_all",
]
