"""urllib3's pools of our connections: a kept one that ends as it is used again is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3
from urllib3.response import BaseHTTPResponse

from .connection import HTTPConnection, HTTPSConnection

_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}
"""Methods that do twice what they do once (RFC 9110, section 9.2.2)."""

if TYPE_CHECKING:
    _Base = urllib3.HTTPConnectionPool
else:
    _Base = object


class _Replacing(_Base):
    def _make_request(  # type: ignore[override]
        self,
        conn: HTTPConnection,
        method: str,
        url: str,
        body: object = None,
        **options: object,
    ) -> BaseHTTPResponse:
        tunnel = conn.proxy_is_tunneling
        try:
            return super()._make_request(conn, method, url, body, **options)  # type: ignore[arg-type]
        except OSError as error:
            again = method.upper() in _IDEMPOTENT and (
                body is None or isinstance(body, bytes | str)
            )
            if isinstance(error, TimeoutError) or not (again and conn.ended_unanswered):
                raise
        conn.close()
        if tunnel:
            self._prepare_proxy(conn)
        return super()._make_request(conn, method, url, body, **options)  # type: ignore[arg-type]


class HTTPConnectionPool(_Replacing, urllib3.HTTPConnectionPool):
    """Connections to one host."""

    ConnectionCls = HTTPConnection


class HTTPSConnectionPool(_Replacing, urllib3.HTTPSConnectionPool):
    """Connections with TLS to one host."""

    ConnectionCls = HTTPSConnection
