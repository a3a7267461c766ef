"""Whether a request may be sent again that a connection may have swallowed."""

from __future__ import annotations

from .host import Host
from .protocols import Request as CoreRequest

_IDEMPOTENT = {b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"}
"""Methods that do twice what they do once (RFC 9110, section 9.2.2)."""


def can_be_sent_again(request: CoreRequest, host: Host, *, untouched: bool) -> bool:
    """Return whether a request, of whose response nothing has come, may be sent again.

    Args:
        request: the core's.
        host: the library whose bodies are known to be readable twice.
        untouched: whether nothing of it can have reached the server.

    See RFC 9110, section 9.2.2, and RFC 9112, section 9.3.1.
    """
    replayable = isinstance(request.stream, host.httpx.ByteStream)
    return replayable and (untouched or request.method in _IDEMPOTENT)
