"""Which exceptions a stream raises: those of the client library that it is for."""

from __future__ import annotations

from typing import Protocol


class StreamErrors(Protocol):
    """A class for each thing that can go wrong, named as in httpcore; each takes a sentence."""

    @property
    def ConnectError(self) -> type[Exception]: ...  # noqa: N802  httpcore's names
    @property
    def ConnectTimeout(self) -> type[Exception]: ...  # noqa: N802
    @property
    def ProxyError(self) -> type[Exception]: ...  # noqa: N802
    @property
    def ReadError(self) -> type[Exception]: ...  # noqa: N802
    @property
    def ReadTimeout(self) -> type[Exception]: ...  # noqa: N802
    @property
    def WriteError(self) -> type[Exception]: ...  # noqa: N802
    @property
    def WriteTimeout(self) -> type[Exception]: ...  # noqa: N802


class SystemErrors:
    """The system's own, for a stream that is no client library's."""

    ConnectError = ProxyError = ReadError = WriteError = OSError
    ConnectTimeout = ReadTimeout = WriteTimeout = TimeoutError
