"""libcurl as a door for httpx2, the maintained successor of httpx."""

from __future__ import annotations

import httpx2

from .stream import PulledBody
from .transport import PulledTransport


class CurlByteStream(PulledBody, httpx2.SyncByteStream):
    """A response's body."""

    library = httpx2


class CurlTransport(PulledTransport, httpx2.BaseTransport):
    """`mphttp.curl.CurlTransport` for `httpx2.Client`; see there."""

    library = httpx2
    stream = CurlByteStream
