"""The network under httpcore: MPTCP sockets whose connections the engine knows."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from mphttp.engine import Connection, Engine
from mphttp.network.dial import SocketOption, dial
from mphttp.network.start import Start
from mphttp.network.timeouts import TimedOut, timeouts_of


class MultipathStream(httpcore.NetworkStream):
    """A connected socket and the connection that the engine knows it by."""

    def __init__(self, sock: socket.socket, connection: Connection) -> None:
        self._sock = sock
        self._timeouts = timeouts_of(sock)
        self._connection = connection
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            self._timeouts.reading(timeout)
            return self._sock.recv(max_bytes)
        except TimedOut as error:
            raise httpcore.ReadTimeout("timed out") from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:  # what httpcore writes at the end of a request is often nothing
            return
        try:
            self._timeouts.writing(timeout)
            self._sock.sendall(buffer)
        except TimedOut as error:
            raise httpcore.WriteTimeout("timed out") from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error
        self._connection.sent()

    def close(self) -> None:
        self._connection.close(self._sock.close)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            if isinstance(self._sock, ssl.SSLSocket):
                raise httpcore.ConnectError("TLS inside TLS, to an https:// proxy, isn't supported")
            self._sock.settimeout(timeout)
            sock = ssl_context.wrap_socket(self._sock, server_hostname=server_hostname)
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise httpcore.ConnectTimeout(str(error)) from error
            if isinstance(error, OSError):
                raise httpcore.ConnectError(str(error)) from error
            raise
        self._connection.replace_socket(sock)
        return MultipathStream(sock, self._connection)

    def get_extra_info(self, info: str) -> Any:
        """Answer what httpcore asks of a stream, and "connection": what the engine knows it by."""
        match info:
            case "is_readable":
                return self._is_readable()
            case "connection":
                return self._connection
            # An SSLSocket answers all that httpcore asks of an SSLObject (the chosen protocol).
            case "ssl_object":
                return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
            case "socket":
                return self._sock
            case "client_addr" | "server_addr":
                sock = self._sock
                return sock.getsockname() if info == "client_addr" else sock.getpeername()
        return None

    def _is_readable(self) -> bool:
        """Tell whether an idle connection has something to read: then the server has closed it."""
        return self._sock.fileno() < 0 or bool(self._poll.poll(0))


class MultipathBackend(httpcore.NetworkBackend):
    """Connects for httpcore, and tells the engine of each connection.

    Args:
        engine: the engine.
        path_names: the interfaces that may be used, preferred first, or None for all.
    """

    def __init__(self, engine: Engine, path_names: tuple[str, ...] | None) -> None:
        self._engine = engine
        self._start = Start(path_names)
        self._path_names = path_names

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        self._engine.start()  # before the connection, so that none of its events is missed
        try:
            sock = dial(
                host,
                port,
                timeout=timeout,
                local_address=local_address,
                options=socket_options or (),
                start=self._start,
            )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return MultipathStream(sock, Connection(sock, self._engine, self._path_names))

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        return httpcore.SyncBackend().connect_unix_socket(path, timeout, socket_options)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
