"""What is measured of an attempt: times, and bytes of heads; for `-w`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

import httpx

from .verbose import head

Moment = Literal["redirect", "connect", "appconnect", "starttransfer", "total"]


class Measured:
    """Counts from the moment that it is made.

    Attributes:
        times: seconds from the beginning to each moment, as far as they came.
        size_header: bytes of all answers' heads.
        size_request: bytes of all requests' heads, as HTTP/1.1 writes them.
        size_upload: bytes of the last request's body, as it was announced.
        connects: connections that were made.
        tunnelled: whether a proxy has let the last request through.
        proxy_status: of the last proxy's answer to CONNECT, 0 if there was none.
    """

    def __init__(self) -> None:
        self.times: dict[Moment, float] = {}
        self.size_header = 0
        self.size_request = 0
        self.size_upload = 0
        self.connects = 0
        self.tunnelled = False
        self.proxy_status = 0
        self._began = time.monotonic()
        self._asked = 0.0

    def stamp(self, moment: Moment) -> None:
        """Take that a moment is now."""
        self.times[moment] = time.monotonic() - self._began

    def request(self, request: httpx.Request) -> None:
        """Count a request that goes out."""
        if self.size_request:
            self.stamp("redirect")
        self.tunnelled = False
        self._asked = time.monotonic() - self._began
        line = len(request.method) + len(request.url.raw_path) + len("  HTTP/1.1\r\n\r\n")
        self.size_request += line + sum(len(n) + len(v) + 4 for n, v in request.headers.raw)
        told = request.headers.get("content-length", "")
        self.size_upload = int(told) if told.isdecimal() else 0

    def answer(self, response: httpx.Response) -> None:
        """Count the head of an answer; libcurl has measured the rest by itself."""
        self.size_header += len(head(response))
        libcurl: Mapping[str, float] = response.extensions.get("libcurl", {})
        for moment in ("connect", "appconnect"):
            if libcurl.get(moment):
                self.times[moment] = self._asked + libcurl[moment]
        self.connects += int(libcurl.get("connects", 0))

    def proxy_answer(self, head: bytes) -> None:
        """Count the head of a proxy's answer to CONNECT."""
        self.size_header += len(head)
        self.proxy_status = int(head.split(b" ", 2)[1][:3])

    def trace(self, event: str) -> None:
        """Take what happens while a connection is made (httpcore's trace extension)."""
        if event.endswith(".connect_tcp.complete"):
            self.connects += 1
            self.stamp("connect")
        elif event.endswith(".start_tls.complete"):
            self.stamp("appconnect")
        self.tunnelled = self.tunnelled or event.endswith(".ask_proxy.complete")
