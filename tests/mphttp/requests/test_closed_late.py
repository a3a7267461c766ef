"""A connection that is closed while the engine calls the kernel with its descriptor."""

from __future__ import annotations

import requests

from mphttp.requests import MultipathAdapter

from .conftest import Serve
from .servers import answer

BODY = b"there"


def test_what_is_closed_late_is_the_old_socket(serve: Serve) -> None:
    """urllib3's connection may have another one by then, with a request under way."""
    server = serve(answer(BODY))
    with requests.Session() as session:
        adapter = MultipathAdapter()
        session.mount("http://", adapter)
        assert session.get(server.url).content == BODY
        pools = adapter.poolmanager.pools
        (key,) = pools.keys()
        connection = pools[key]._get_conn()
        known = connection._multipath
        known._calling = True
        connection.close()
        connection.request("GET", "/")
        new = connection.sock
        known._close_socket()
        assert connection.getresponse().status == 200
        assert connection.sock is new
        connection.close()
