"""`report_of`, and which `paths` a client takes: the same for each client."""

from __future__ import annotations

import http.server
import io
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

import httpx
import httpx2
import pytest
import requests
import responses

import mphttp.httpx2
from mphttp import (
    AsyncMultipathTransport,
    FullMesh,
    MultipathAdapter,
    MultipathTransport,
    Report,
    report_of,
)
from mphttp.curl import CurlSession, CurlTransport, fetch


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://user:hunter2@127.0.0.1:{server.server_port}/file"
        server.shutdown()
        thread.join()


def by_httpx(url: str) -> Any:
    with httpx.Client(transport=MultipathTransport()) as client:
        return client.get(url)


def by_httpx2(url: str) -> Any:
    with httpx2.Client(transport=mphttp.httpx2.MultipathTransport()) as client:
        return client.get(url)


def by_curl_transport(url: str) -> Any:
    with httpx.Client(transport=CurlTransport()) as client:
        return client.get(url)


def by_requests(url: str) -> Any:
    with requests.Session() as session:
        session.mount("http://", MultipathAdapter())
        return session.get(url)


CLIENTS = [by_httpx, by_httpx2, by_curl_transport, by_requests, fetch]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_report_of_any_client_tells_no_password(client: Callable[[str], Any], url: str) -> None:
    report = report_of(client(url))
    assert isinstance(report, Report)
    assert report.url == url.replace("user:hunter2@", "")
    assert "hunter2" not in report.to_json()
    assert "hunter2" not in repr(report)


@pytest.mark.parametrize(
    "foreign",
    [
        httpx.Response(200),
        requests.Response(),
        MagicMock(),
        None,
        object(),
        type("Cached", (), {"raw": io.StringIO()})(),
        type("Unhashable", (), {"raw": []})(),
        type("NotWeak", (), {"raw": 1})(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_known_of_a_foreign_response(foreign: Any) -> None:
    assert report_of(foreign) is None
    assert mphttp.requests.report(foreign) is None


def test_nor_of_a_mocked_or_pickled_one(url: str) -> None:
    assert report_of(pickle.loads(pickle.dumps(by_requests(url)))) is None
    with responses.RequestsMock() as mock:
        mock.get("http://x/", "hi")
        assert report_of(by_requests("http://x/")) is None
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        assert report_of(client.get("http://x/")) is None


MAKERS = [
    MultipathTransport,
    AsyncMultipathTransport,
    mphttp.httpx2.MultipathTransport,
    mphttp.httpx2.AsyncMultipathTransport,
    MultipathAdapter,
    CurlSession,
    CurlTransport,
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("paths", ["wifi", b"wifi", 3, [1], [""], [["wifi"]]])
def test_paths_are_names_in_a_row(make: Callable[..., Any], paths: Any) -> None:
    with pytest.raises(ValueError, match=r"paths must be .* such as .*wifi"):
        make(paths=paths)


def test_one_path_that_was_asked_for_is_no_problem(url: str) -> None:
    transport = MultipathTransport(strategy=FullMesh(), paths=["lo"], multipath="ranges")
    with httpx.Client(transport=transport) as client:
        report = report_of(client.get(url))
    assert report is not None
    assert not [problem for problem in report.problems if problem.what.startswith("only")]


@pytest.mark.parametrize(
    "proxy",
    ["foo://u:hunter2@h", "http://u:hunter2/@h", "http://u:hunter2@h:99999", "u:hunter2@h:0"],
)
def test_the_words_about_a_proxy_tell_no_password(proxy: str) -> None:
    """libcurl's own would."""
    with pytest.raises(ValueError, match="proxy") as caught:
        CurlSession(proxy=proxy)
    assert "hunter2" not in str(caught.value)
    adapter = MultipathAdapter()
    with pytest.raises(requests.exceptions.InvalidSchema) as refused:
        adapter.proxy_manager_for("socks4://u:hunter2@h")
    assert "hunter2" not in str(refused.value)
