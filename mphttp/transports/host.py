"""The library whose door this is: httpx, or its successor httpx2, which share their interface."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, cast

from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError

if TYPE_CHECKING:
    from mphttp.engine.request import Request
    from mphttp.network.errors import StreamErrors

    from .protocols import Core, HostRequest


@dataclass(frozen=True)
class Host:
    """Two modules; all that the doors take from either is taken through here.

    Args:
        httpx: `httpx` or `httpx2`: requests, responses, exceptions.
        httpcore: `httpcore` or `httpcore2`: the pool, HTTP/2, exceptions.
    """

    httpx: ModuleType
    httpcore: ModuleType

    @property
    def core(self) -> Core:
        """What makes its requests and responses."""
        return cast("Core", self.httpcore)

    @property
    def errors(self) -> StreamErrors:
        """The exceptions of its streams."""
        return cast("StreamErrors", self.httpcore)

    def raised(self, error: BaseException, request: HostRequest) -> BaseException | None:
        """Return the host library's exception for one of ours or of its core's, or None.

        The core's exceptions, and those of h11, have the names that the library's own have.
        """
        if isinstance(error, StrategyProblem | KernelError):
            return cast("BaseException", self.httpx.TransportError(str(error), request=request))
        for kind in type(error).__mro__:
            if kind.__module__.startswith((self.httpcore.__name__, "h11")):
                mapped = getattr(self.httpx, kind.__name__, None)
                if mapped is not None:
                    return cast("BaseException", mapped(str(error), request=request))
        return None


class AsHostErrors:
    """Raises the host library's exceptions, as callers expect, with the report of what happened.

    A class, since each request enters it three times, and a generator would cost as much as a look
    at the kernel.
    """

    __slots__ = ("_asked", "_host", "_request")

    def __init__(self, host: Host, request: HostRequest, asked: Request) -> None:
        self._host = host
        self._request = request
        self._asked = asked

    def __enter__(self) -> None: ...

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: object
    ) -> None:
        if isinstance(error, Exception):
            self._asked.tell(error)
            self._request.extensions["multipath"] = self._asked.report
            mapped = self._host.raised(error, self._request)
            if mapped is not None:
                self._asked.tell(mapped)
                raise mapped from error
