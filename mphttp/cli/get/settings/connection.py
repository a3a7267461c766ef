"""How the server is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, cast, get_args

from mphttp.network.hosts import Family, Instead

from ...exits import ExitCode, Failure
from ...units import duration, size
from .option import Option, last, several, value
from .places import Known, connected_to, resolved

T = TypeVar("T")
Backend = Literal["httpx", "curl"]
HttpVersion = Literal["1.0", "1.1", "2"]


def _backend(text: str) -> Backend:
    return cast("Backend", text)  # one of the choices


def _place(read: Callable[[str], T]) -> Callable[[str], T]:
    """Return what reads a value, for whose faults curl has an exit code of their own."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise Failure(ExitCode.SYNTAX, str(error)) from error

    return checked


@dataclass(frozen=True, kw_only=True)
class ConnectionSettings:
    """How the server is reached."""

    backend: Backend = value(
        "--backend",
        choices=get_args(Backend),
        parse=_backend,
        default="httpx",
        means="what speaks HTTP: httpx (the default) or curl, which needs pycurl",
    )
    http_version: HttpVersion | None = last(
        Option(("-0", "--http1.0"), "ask by HTTP/1.0", constant="1.0"),
        Option(("--http1.1",), "speak HTTP/1.1, the default", constant="1.1"),
        Option(("--http2",), "offer HTTP/2 where there is TLS", constant="2"),
    )
    family: Family | None = last(
        Option(("-4", "--ipv4"), "use IPv4 addresses only", constant="ipv4"),
        Option(("-6", "--ipv6"), "use IPv6 addresses only", constant="ipv6"),
    )
    resolve: tuple[Known, ...] = several(
        Option(
            ("--resolve",),
            "take these addresses for HOST (* is any) and PORT, and look up none",
            "HOST:PORT:ADDRESS[,ADDRESS]...",
            _place(resolved),
        )
    )
    connect_to: tuple[Instead, ...] = several(
        Option(
            ("--connect-to",),
            "connect to HOST2:PORT2 in place of HOST1:PORT1; what is empty is any, or the same",
            "HOST1:PORT1:HOST2:PORT2",
            _place(connected_to),
        )
    )
    interface: str | None = value(
        "--interface",
        metavar="IFACE",
        parse=str,
        means="use this interface alone: its name, or an address",
    )
    limit_rate: int | None = value(
        "--limit-rate",
        metavar="SIZE",
        parse=size,
        means="read no more than this in a second, so that less is sent",
    )
    connect_timeout: float = value(
        "--connect-timeout",
        metavar="TIME",
        parse=duration,
        default=60.0,
        means="until there is a connection (default 60s)",
    )
    max_time: float | None = value(
        "-m",
        "--max-time",
        metavar="TIME",
        parse=duration,
        means="until an attempt is done (default: no limit)",
    )
