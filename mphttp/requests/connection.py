"""urllib3's connections, with sockets that use several paths and responses that are counted."""

from __future__ import annotations

import http.client
import socket
import ssl
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import urllib3.connection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.response import HTTPResponse
from urllib3.util import Timeout
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs, resolve_ssl_version
from urllib3.util.ssltransport import SSLTransport

from mphttp.engine import Connection, Exchange, Request, engine
from mphttp.engine.request import Parts, current_request
from mphttp.network.dial import dial
from mphttp.network.dialogue import hold
from mphttp.network.forked import keep_back
from mphttp.network.framing import length_of_body
from mphttp.network.names import in_ascii, without_zone
from mphttp.network.proxy import Refused, connect
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit
from mphttp.network.tls import nothing_unread, tell_cuts
from mphttp.report import reports

from .body import Response
from .early import Early, chunk_size
from .framing import WrongLengthError
from .hurried import Hurried
from .recorder import Recorder
from .socks import SocksProxy

if TYPE_CHECKING:
    from http.client import _DataType

    from mphttp.ranges.sharing import Shared

    Connected = socket.socket | SSLTransport | Hurried


_LENGTH = b"content-length"


class HTTPConnection(urllib3.connection.HTTPConnection):
    """A connection whose sockets the engine knows.

    Args:
        host: a name or an IP address.
        port: TCP port.
        path_names: the interfaces that may be used, preferred first, or None for all.
        plain: whether TCP is wanted, not MPTCP.
        socks: the proxy that connects, or None.
        options: as for `urllib3.connection.HTTPConnection`.
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        path_names: tuple[str, ...] | None = None,
        plain: bool = False,
        socks: SocksProxy | None = None,
        **options: Any,
    ) -> None:
        super().__init__(host, port, **options)
        if self.source_address is not None and self.source_address[1] != 0:
            raise ValueError("each subflow has a port of its own: source_address is (address, 0)")
        self._path_names = path_names
        self._plain = plain
        self._socks = socks
        self._limit = TimeLimit(None)
        self._recorder = Recorder(self.host, self.port)
        self._multipath: Connection | None = None
        self._response: Response | None = None
        self._kept = False  # whether something was answered on the socket there is
        self._missing: int | None = None  # of the request's body, where its length was told
        self._switched = False
        self._begins = False  # whether what is sent next is a request's head
        self._cut_short = False  # whether the last request didn't leave as a whole
        self._early = Early()
        self._exchange: Exchange | None = None

    def _new_conn(self) -> socket.socket:
        self._response = None
        self._kept = self._switched = False
        try:
            sock = self._dial()
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError:
            raise  # `connect` says so
        except OSError as error:
            what = f"Failed to establish a new connection: {error}"
            raise NewConnectionError(self, what) from error
        sys.audit("http.client.connect", self, self.host, self.port)
        return sock

    def _dial(self) -> socket.socket:
        engine.start()  # before the connection, so that none of its events is missed
        host, port = self._dns_host.strip("[]"), self.port
        sock = dial(
            *((host, port) if self._socks is None else self._socks.address),
            limit=self._limit,
            local_address=self.source_address[0] if self.source_address else None,
            options=self.socket_options or (),
            start=Start(self._path_names),
            plain=self._plain,
        )
        try:
            self._multipath = Connection(sock, engine, self._path_names)
            if self._socks is not None:
                self._recorder.host = self._socks.connect(sock, host, port, self._limit)
            sock.settimeout(self._limit.require())
        except BaseException:
            sock.close()
            raise
        return sock

    def connect(self) -> None:
        """Connect, through proxy and TLS, all within one time limit."""
        timeout = Timeout.resolve_default_timeout(self.timeout)
        self._limit = TimeLimit(timeout)
        try:
            super().connect()
        except TimeoutError as error:
            what = f"Connection to {self.host} timed out. (connect timeout={timeout})"
            raise ConnectTimeoutError(self, what) from error
        sock: Connected | None = self.sock
        assert sock is not None
        if isinstance(sock, ssl.SSLSocket | SSLTransport):
            # A body may be whole only if TLS says so, too; typeshed doesn't know that attribute.
            sock.suppress_ragged_eofs = False  # type: ignore[union-attr]
        while isinstance(sock, SSLTransport):  # TLS to the server inside TLS to the proxy
            below: Connected = sock.socket
            if isinstance(below, Hurried):
                below = sock.socket = below.sock
            sock = below
        sock.settimeout(timeout)
        if self._multipath is not None and isinstance(sock, ssl.SSLSocket):
            self._multipath.replace_socket(keep_back(sock))

    def request(self, *args: object, **options: object) -> None:
        self._missing = self._exchange = None
        self._cut_short, self._early = True, Early()
        try:
            super().request(*args, **options)  # type: ignore[arg-type]
            self._cut_short = False
            self._completed()
        finally:  # a server may answer before it has taken it all
            if self._multipath is not None:
                self._multipath.sent()
        if self._missing:
            raise WrongLengthError("the body is shorter than its Content-Length")

    def endheaders(
        self, message_body: _DataType | None = None, *, encode_chunked: bool = False
    ) -> None:
        self._begins = True
        super().endheaders(message_body, encode_chunked=encode_chunked)
        lengths = [value for name, value in self._recorder.headers if name.lower() == _LENGTH]
        self._missing = int(lengths[0]) if lengths else None

    def send(self, data: _DataType | str) -> None:
        data = cast("bytes", data)  # whatever a body is, urllib3 sends it in pieces
        if self._missing is not None:
            self._missing -= len(data)
            if self._missing < 0:  # a server would take the rest for the next request
                raise WrongLengthError("the body is longer than its Content-Length")
        if self._exchange is not None:
            self._exchange.wrote(len(data) if self._missing is not None else chunk_size(data))
        elif self._begins:
            self._leave()
        if self._exchange is not None and isinstance(self.sock, socket.socket):
            self._early.send(self.sock, data)
        else:
            super().send(data)

    def _completed(self) -> None:
        if self._exchange is not None:
            self._exchange.complete()

    def _leave(self) -> None:
        """Let the engine know that a request's head is about to leave."""
        self._begins = False
        if self.sock is None:
            self.connect()
        request = current_request()
        if request is not None and self._multipath is not None:
            request.length = length_of_body(self._recorder.headers)
            self._exchange = self._multipath.begin(request)

    @property
    def is_connected(self) -> bool:
        """Whether it can take another request: urllib3 makes a new one else."""
        surplus = self._response is not None and self._response.body.surplus
        unfit = self._switched or self._cut_short or surplus
        stranded = self._multipath is not None and self._multipath.stranded
        return not unfit and super().is_connected and not stranded and not _has_unread(self.sock)

    @property
    def ended_unanswered(self) -> bool:
        """Whether it was used before, and nothing of an answer came to its last request."""
        return self._kept and (self._response is None or not self._response.body.tell())

    def _connect_tls_proxy(self, hostname: str, sock: socket.socket) -> ssl.SSLSocket:
        tls: ssl.SSLSocket = super()._connect_tls_proxy(hostname, sock)  # type: ignore[misc]
        # Within it, urllib3 begins TLS again, with time-outs for each read and write.
        hurried = Hurried(tls, self._limit) if self.proxy_is_tunneling else tls
        return cast("ssl.SSLSocket", hurried)

    def _tunnel(self) -> None:
        """Ask the proxy for a tunnel, through which TLS begins: nothing may come before that."""
        host, port, told = self._recorder.host, self._recorder.port, self._recorder.proxy_headers
        plain: socket.socket | Hurried | None = self.sock
        assert plain is not None
        sock = plain if isinstance(plain, Hurried) else Hurried(plain, self._limit)
        try:
            talk = connect(in_ascii(without_zone(host.strip("[]"))), port, told)
            rest = hold(talk, sock.receive, sock.sendall)
        except (Refused, ValueError) as error:
            self.close()
            raise OSError(f"Tunnel connection failed: {error}") from error
        nothing_unread(sock.sock, ahead=bool(rest))
        sock.settimeout(self._limit.require())

    def set_tunnel(
        self,
        host: str,
        port: int | None = None,
        headers: Mapping[str, str] | None = None,
        scheme: str = "http",
    ) -> None:
        super().set_tunnel(host, port, headers, scheme)
        self._recorder.tunnel(host, port or {"http": 80, "https": 443}[scheme], headers or {})

    def putrequest(
        self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False
    ) -> None:
        self._recorder.begin(url)
        self._response = None
        super().putrequest(method, url, skip_host, skip_accept_encoding)

    def putheader(self, header: str, *values: str) -> None:  # type: ignore[override]
        super().putheader(header, *values)
        self._recorder.field(header, values)

    def response_class(  # type: ignore[override]
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> Response:
        """Make what reads a response, or a proxy's answer."""
        assert self._multipath is not None  # there is a socket
        self._response = Response(
            sock,
            self._multipath,
            self._share,
            self._let_go,
            early=self._early,
            debuglevel=debuglevel,
            method=method,
            url=url,
        )
        return self._response

    def _share(self, response: Response, asked: Request) -> Shared | None:
        """Let others help to bring a body, if they can."""
        assert self._multipath is not None
        if self._multipath.parts_of(asked, response.length) is Parts.NEVER:
            return None
        from mphttp.ranges.sharing import shared

        from .parts import endpoint_of, obstacle, sent_by

        sent = sent_by(self, self._recorder, response.method)
        return shared(
            self._multipath,
            asked,
            sent,
            response.status,
            response.fields(),
            endpoint=endpoint_of(self, self._recorder, self._socks, sent),
            obstacle=obstacle(self),
        )

    def _let_go(self, sock: socket.socket) -> None:
        """Close a socket, which may be that of the next request, too."""
        if self.sock is sock:
            self.sock = self._multipath = None
        sock.close()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        response = super().getresponse()
        self._kept = True
        if response.status == http.HTTPStatus.SWITCHING_PROTOCOLS:
            self._switched = True
            if not any(name.lower() == b"upgrade" for name, _ in self._recorder.headers):
                raise http.client.HTTPException("101: nobody asked for another protocol")
        if self._response is not None and self._response.report is not None:
            reports[response] = self._response.report
        return response

    def close(self) -> None:
        connection, self._multipath = self._multipath, None
        if connection is None:
            super().close()
        elif self._response is not None and not self._response.body.closed:
            self._response.body.be_last()  # as `http.client` leaves the socket to the response
            super().close()
        else:
            sock, self.sock = self.sock, None
            super().close()  # now: this may have another socket before the engine lets go of this
            connection.close(lambda: None if sock is None else sock.close())


class HTTPSConnection(HTTPConnection, urllib3.connection.HTTPSConnection):
    """The same with TLS."""

    def connect(self) -> None:
        """Connect with contexts that tell when TLS is cut."""
        if self.ssl_context is None:
            self.ssl_context = self._usual_context()
        tell_cuts(self.ssl_context)
        if self.proxy_config is not None and self.proxy_config.ssl_context is not None:
            tell_cuts(self.proxy_config.ssl_context)
        super().connect()

    def _usual_context(self) -> ssl.SSLContext:
        """Make what urllib3 makes where it is given none."""
        context = create_urllib3_context(
            resolve_ssl_version(self.ssl_version),
            resolve_cert_reqs(self.cert_reqs),
            ssl_minimum_version=self.ssl_minimum_version,
            ssl_maximum_version=self.ssl_maximum_version,
        )
        if not (self.ca_certs or self.ca_cert_dir or self.ca_cert_data):
            context.load_default_certs()
        return context


def _has_unread(sock: object) -> bool:
    """Return whether more was decrypted than the last response."""
    if isinstance(sock, SSLTransport):
        return bool(sock.sslobj.pending())
    return isinstance(sock, ssl.SSLSocket) and bool(sock.pending())
