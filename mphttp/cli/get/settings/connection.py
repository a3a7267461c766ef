"""How the server is reached, and what is tried again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from ...units import duration, size
from .option import switch, value

Backend = Literal["httpx", "curl"]


def _offset(text: str) -> int | str:
    if text == "-":
        return text
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is no offset: a number of bytes, or - for the file's own size")
    return int(text)


def _attempts(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is no number of attempts, such as 5")
    return int(text)


def _backend(text: str) -> Backend:
    return cast("Backend", text)  # one of the choices


@dataclass(frozen=True, kw_only=True)
class AgainSettings:
    """What goes on, and what is tried again."""

    continue_at: int | str | None = value(
        "-C",
        "--continue-at",
        metavar="OFFSET",
        parse=_offset,
        means="go on after so many bytes, which you vouch for; - goes on where the file ends if a "
        "strong validator shows that it is the same object, and starts over if not",
    )
    retry: int = value(
        "--retry",
        metavar="N",
        parse=_attempts,
        default=0,
        means="try again so often after what may pass: time-out, no connection, a broken body, "
        "status 408, 429, 500, 502, 503, 504",
    )
    retry_delay: float | None = value(
        "--retry-delay",
        metavar="TIME",
        parse=duration,
        means="wait so long before each (default: 1s, then twice as long)",
    )
    retry_max_time: float | None = value(
        "--retry-max-time",
        metavar="TIME",
        parse=duration,
        means="begin no attempt later than this after the first",
    )
    retry_all_errors: bool = switch(
        "--retry-all-errors", means="try again after any error of the transfer"
    )


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
    insecure: bool = switch("-k", "--insecure", means="trust any certificate")
    cacert: str | None = value(
        "--cacert", metavar="FILE", parse=str, means="trust the certificates in this file"
    )
    capath: str | None = value(
        "--capath",
        metavar="FOLDER",
        parse=str,
        backend="httpx",
        means="trust the certificates in this folder, too",
    )
    cert: str | None = value(
        "-E",
        "--cert",
        metavar="FILE[:PASSWORD]",
        parse=str,
        means="show the server this certificate, a file in PEM format",
    )
    key: str | None = value(
        "--key", metavar="FILE", parse=str, means="the certificate's key, if it is in another file"
    )
    password: str | None = value(
        "--pass", metavar="WORDS", parse=str, means="the password of that key"
    )
    http1: bool = switch("--http1.1", means="speak HTTP/1.1, the default")
    http2: bool = switch("--http2", means="offer HTTP/2 where there is TLS")
    interface: str | None = value(
        "--interface", metavar="IFACE", parse=str, means="use this interface alone, as one --path"
    )
    proxy: str | None = value(
        "-x", "--proxy", metavar="URL", parse=str, means="go through this proxy (none if empty)"
    )
    noproxy: str | None = value(
        "--noproxy", metavar="HOSTS", parse=str, means="reach these without a proxy (* is all)"
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
