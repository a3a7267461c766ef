"""A response's body, pulled through libcurl by whoever reads it."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, cast

import pycurl

from mphttp.strategies import Strategy
from mphttp.transports.protocols import HostRequest

from .errors import Errors
from .pool import Lane, NoPlace, Pool
from .request import CurlRequest
from .transfer import Transfer

if TYPE_CHECKING:
    import httpx

_LONG = 3600.0  # seconds, where there is no limit

Limits = Mapping[str, float | None]


class _Patience:
    """How long to wait for the next sign of life; libcurl itself limits what connecting takes.

    A limit is asked for once for each wait, as it begins: it may be what is left of a larger one,
    which has become less each time that it is looked at.

    Args:
        transfer: that is waited for.
        limits: of "read" and "write", in seconds, None for no limit.

    Attributes:
        kind: what is waited for, "" while there is no connection.
    """

    def __init__(self, transfer: Transfer, limits: Limits) -> None:
        self.kind = ""
        self._transfer = transfer
        self._limits = limits
        self._sign: tuple[str, float] | None = None
        self._end = math.inf

    def left(self) -> float:
        """Return the seconds that are left."""
        transfer = self._transfer
        self.kind = ""
        if transfer.hop.connected:
            self.kind = "write" if transfer.uploads() else "read"
        # A head has to be there as a whole: that some of it came is no sign (docs/clients.md).
        sign = self.kind, transfer.heard_at if self.kind == "write" else transfer.body.heard_at
        if sign != self._sign:
            self._sign = sign
            limit = self._limits.get(self.kind) if self.kind else None
            self._end = math.inf if limit is None else time.monotonic() + limit
        return min(_LONG, self._end - time.monotonic())


class PulledBody:
    """One request's transfer, which goes on only while its caller waits for something.

    Args:
        request: the library's.
        pool: where the transfer has its place.
        errors: makes the library's exceptions.

    Attributes:
        library: `httpx` or `httpx2`.
    """

    library: ModuleType

    def __init__(self, request: HostRequest, pool: Pool, *, errors: Errors) -> None:
        self._request = request
        self._errors = errors
        self._pool = pool
        self._lane: Lane | None = None
        self._parts: deque[bytes] = deque()
        self._transfer: Transfer | None = None
        self._closed = False

    def begin(self, wanted: CurlRequest, strategy: Strategy) -> httpx.Response:
        """Send the request, and return the response when its head is there.

        Raises:
            httpx.RequestError: there was none.
        """
        url, limits = self._request.url, self._request.extensions.get("timeout", {})
        origin = (url.raw_scheme, url.raw_host, url.port)
        try:
            self._lane = self._pool.take(self, origin, limits.get("pool"))
        except NoPlace as error:
            raise self._errors.named("PoolTimeout", str(error)) from None
        try:
            transfer = self._lane.begin(wanted, strategy, self._parts.append)
        except (ValueError, pycurl.error) as error:
            raise self._errors.refused(error) from error
        self._transfer = transfer
        with self._telling(transfer):
            self._wait(transfer, lambda: transfer.head is not None)
            self._trace(transfer)
            # What libcurl has against the body, the reader hears who comes to it.
            if transfer.head is None or not isinstance(transfer.guard.failure, pycurl.error | None):
                self._check(transfer)
        assert transfer.head is not None
        response = self.library.Response(
            status_code=transfer.head.status,
            headers=transfer.head.fields,
            stream=self,
            extensions={
                "http_version": transfer.head.version.encode(),
                "reason_phrase": transfer.head.reason.encode("latin-1"),
                "raw_head": transfer.head.raw,
                "raw_trailers": transfer.hop.reader.trailers,
                "multipath": transfer.report,
                "libcurl": {
                    "connect": transfer.easy.getinfo(pycurl.CONNECT_TIME),
                    "appconnect": transfer.easy.getinfo(pycurl.APPCONNECT_TIME),
                    "connects": transfer.easy.getinfo(pycurl.NUM_CONNECTS),
                },
            },
        )
        return cast("httpx.Response", response)

    def _trace(self, transfer: Transfer) -> None:
        """Tell a request's "trace" what came before an answer, as the httpx transport does."""
        trace, answer = self._request.extensions.get("trace"), transfer.hop.attempt.proxy_answer
        if trace is not None and answer:
            trace("connection.ask_proxy.complete", {"return_value": answer})
        if trace is not None and transfer.head is None:
            heads = transfer.hop.reader.interim
            trace("http11.receive_response_headers.failed", {"heads": heads})

    def __iter__(self) -> Iterator[bytes]:
        transfer, parts = self._transfer, self._parts
        assert transfer is not None
        while True:
            while parts:
                transfer.body.rest()
                yield parts.popleft()
            if transfer.done:
                break
            with self._telling(transfer):
                self._wait(transfer, lambda: bool(parts))
        with self._telling(transfer):
            self._check(transfer)

    @contextmanager
    def _telling(self, transfer: Transfer) -> Iterator[None]:
        """Let exceptions carry what happened."""
        try:
            yield
        except Exception as error:
            self._request.extensions["multipath"] = transfer.tell(error)
            raise

    def close(self) -> None:
        if self._closed:
            return
        try:
            if self._transfer is not None and self._lane is not None:
                self._lane.end(self._transfer)
        finally:
            self._pool.give_back(self)
            self._closed = True

    def _wait(self, transfer: Transfer, there: Callable[[], bool]) -> None:
        """Step until something is there, or the transfer has ended.

        Raises:
            httpx.TimeoutException: it took too long.
        """
        patience = _Patience(transfer, self._request.extensions.get("timeout", {}))
        assert self._lane is not None
        transfer.body.wait()
        while not there() and not transfer.done:
            left = patience.left()
            if left <= 0:
                raise self._errors.named(f"{patience.kind.title()}Timeout", "timed out")
            try:
                self._lane.step(left)
            except pycurl.error as error:
                raise self._errors.of(error, transfer) from error

    def _check(self, transfer: Transfer) -> None:
        error = transfer.guard.failure
        if error is not None:
            mapped = self._errors.of(error, transfer)
            raise mapped from (None if mapped is error else error)
