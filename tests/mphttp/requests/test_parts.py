"""What further connections are told of a request of urllib3's."""

from __future__ import annotations

from urllib3.util import SKIP_HEADER

from mphttp.requests.connection import HTTPConnection
from mphttp.requests.parts import endpoint_of, sent_by
from mphttp.requests.recorder import Recorder


def test_a_request_as_it_was_sent() -> None:
    """What was left out is left out."""
    recorder = Recorder("one.example", 8080)
    recorder.begin("/earlier")
    recorder.field("Earlier", ("x",))
    recorder.begin("/now?a=b")
    recorder.field("User-Agent", (SKIP_HEADER,))
    recorder.field(b"A", (b"b", "c"))
    recorder.field("N", (5,))
    sent = sent_by(HTTPConnection("one.example", 8080), recorder, "GET")
    assert sent.headers == [(b"A", b"b c"), (b"N", b"5")]
    assert (sent.host, sent.port, sent.target) == (b"one.example", 8080, b"/now?a=b")


def test_a_request_that_a_proxy_forwards() -> None:
    recorder = Recorder("proxy.example", 3128)
    recorder.begin("http://one.example/now")
    sent = sent_by(HTTPConnection("proxy.example", 3128), recorder, "GET")
    assert (sent.host, sent.port, sent.target) == (b"one.example", None, b"/now")


def test_a_request_through_a_tunnel() -> None:
    """The proxy is told the same again, but for its Host, which is written anew."""
    recorder = Recorder("proxy.example", 3128)
    recorder.tunnel("one.example", 443, {"Proxy-Authorization": "Basic x", "Host": "y"})
    connection = HTTPConnection("proxy.example", 3128)
    sent = sent_by(connection, recorder, "GET")
    assert sent.host == b"one.example"
    assert recorder.proxy_headers == [(b"Proxy-Authorization", b"Basic x")]
    assert endpoint_of(connection, recorder, None, sent)().route.proxy is None
