"""What the settings of both commands come to."""

from __future__ import annotations

import errno
import socket
from dataclasses import fields

from mphttp.network.proxy import Refused
from mphttp.strategies import Strategy, Together
from mphttp.tunnel import Unmet, Ways

from ..environment import Environment
from ..exits import ExitCode, Failure, of_this_machine, usage
from ..get.choice import absent, chosen_strategy
from ..get.settings import PathSettings
from .settings import StreamSettings


def ways_of(settings: StreamSettings, environment: Environment) -> Ways:
    """Return how connections go out.

    Raises:
        Failure: options contradict each other.
    """
    if settings.ipv4 and settings.ipv6:
        raise usage("-4 and -6 leave nothing", "give one of them")
    if settings.multipath == "ranges":
        raise usage("a stream can't be fetched in parts", "--multipath mptcp or off")
    for words in absent(settings.path):
        environment.say(words)
    return Ways(
        path_names=settings.path or None,
        upstream=settings.upstream,
        family=socket.AF_INET if settings.ipv4 else socket.AF_INET6 if settings.ipv6 else 0,
        connect_timeout=settings.connect_timeout or None,
        plain=settings.multipath == "off",
        strict=settings.strict,
    )


def strategy_of(settings: PathSettings) -> Strategy | None:
    """Return the strategy that is asked for, or None.

    Raises:
        Failure: it can't be had, or is about the end of a body, which a stream hasn't.
    """
    strategy = chosen_strategy(settings)
    parts = strategy.strategies if isinstance(strategy, Together) else (strategy,)
    for part in parts:
        if part is not None and part.deadline is not None:
            what = f"strategy {part.name!r} is about a length, which a stream hasn't"
            raise usage(what, "--strategy handover, refresh, fullmesh or dropslow")
    if settings.fail_deadline:
        raise usage("--fail-deadline is about a length, which a stream hasn't")
    return strategy


def failed(error: OSError | Refused, host: str, ways: Ways) -> Failure:
    """Return the failure of a connection that couldn't be made."""
    upstream = ways.upstream
    if isinstance(error, Unmet):
        return Failure(ExitCode.STRATEGY, error.strerror or str(error))
    if isinstance(error, Refused):
        socks = upstream is not None and upstream.scheme != "http"
        code = ExitCode.SOCKS if socks else ExitCode.PROXY
        return Failure(code, f"the proxy doesn't let us through: {error}")
    peer = host if upstream is None else f"the proxy {upstream.host}"
    if isinstance(error, socket.gaierror):
        what = f"the name {host} can't be resolved: {error.strerror or error}"
        return Failure(ExitCode.RESOLVE, what)
    if isinstance(error, TimeoutError):
        hint = "--connect-timeout gives it more time"
        return Failure(ExitCode.TIMEOUT, f"no connection to {peer} in time", hint)
    limit = of_this_machine(error)
    if limit is not None:
        return limit
    code = ExitCode.CONNECT if upstream is None else ExitCode.PROXY
    if error.errno == errno.EADDRNOTAVAIL:
        code = ExitCode.CONNECT
    return Failure(code, f"no connection to {peer}: {error.strerror or error}")


def shown(strategy: Strategy | None) -> str:
    """Name a strategy and its parameters."""
    if strategy is None:
        return "one path"
    told = ", ".join(f"{field.name}={getattr(strategy, field.name)}" for field in fields(strategy))
    return f"{strategy.name}({told})"
