"""The servers and proxies of the tests for requests; here, too, nothing may be left open."""

from __future__ import annotations

from tests.mphttp.requests.conftest import (  # noqa: F401  fixtures
    _engine,
    _nothing_left,
    authority,
    context,
    issuer,
    proxy,
    serve,
)
