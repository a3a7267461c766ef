"""libcurl as a door for httpx."""

from __future__ import annotations

import httpx

from .stream import PulledBody
from .transport import PulledTransport


class CurlByteStream(PulledBody, httpx.SyncByteStream):
    """A response's body."""

    library = httpx


class CurlTransport(PulledTransport, httpx.BaseTransport):
    """An httpx transport over libcurl, whose responses come over the paths a strategy opens.

        httpx.Client(transport=CurlTransport(strategy=Deadline(10)))

    A single request has another strategy by `extensions={"strategy": …}`. What happened is in
    `response.extensions["multipath"]`, a `Report`. Nothing is read unless the caller reads, but for
    some buffers of libcurl's; there is no thread. Any number of threads may use it.

    Args:
        strategy: decides when to open and close subflows; None opens none beyond the first.
        paths: names of the interfaces that may be used, preferred first, where the connection
            starts; None allows all, in the system's order.
        strict: raise `httpx.TransportError` where a problem would only be reported.
        multipath: "auto", "mptcp", "ranges" or "off": what may bring a response by several paths
            (mphttp.engine.request.Multipath).
        verify: True, False, or the path of certificates; libcurl can't use an `ssl.SSLContext`.
        cert: a client certificate, as `Settings` has it.
        proxy: an HTTP or SOCKS proxy.
        http2: offer HTTP/2 where there is TLS; a connection carries one response at a time.
        limits: how many connections there may be.
        hosts: how hosts become addresses, if not as the system finds them.
        tunnel: ask a proxy for a tunnel also where it could read the request.

    Raises:
        ValueError: an argument isn't what it should be.
    """

    library = httpx
    stream = CurlByteStream
