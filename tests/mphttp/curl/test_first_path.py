"""Where libcurl's connections start if the first path is dead."""

from __future__ import annotations

import httpx
import pytest

from mphttp.curl import CurlTransport
from mphttp.strategies import CheapestFirst, DelayedByContentLength, SinglePath, Strategy
from tests.kernel.namespaces import in_child
from tests.lab.leaks import eventually
from tests.mphttp.network.test_first_path import HOST, connections, two_links
from tests.mphttp.requests.servers import Server, answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "names"),
    [
        (DelayedByContentLength(10**9), None),
        (CheapestFirst(("c1", "c2")), None),
        (SinglePath(), ["c1", "c2"]),
    ],
    ids=["the system", "the strategy", "the caller"],
)
def test_another_path_takes_the_place_of_a_dead_one(
    strategy: Strategy, names: list[str] | None
) -> None:
    """Without a limit, the kernel alone would wait for two minutes."""

    def ask() -> None:
        net, _ = two_links()
        server = Server(answer(b"abc"), listener=net.listen())
        transport = CurlTransport(strategy=strategy, paths=names)
        with httpx.Client(transport=transport, timeout=None) as client:
            response = client.get(f"http://{HOST}:{server.port}/")
            assert response.content == b"abc"
            eventually(connections, 1)
        report = response.extensions["multipath"]
        assert report.subflows[0].path == "c2"
        assert report.problems[0].what.startswith("the connection could not start on c1")
        server.close()

    in_child(ask)
