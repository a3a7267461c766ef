"""`mphttp connect`: what a command line asks for, and how it ends."""

from __future__ import annotations

import argparse
import asyncio
import re

from mphttp.network.names import checked_port
from mphttp.network.proxy import Refused
from mphttp.strategies import Strategy
from mphttp.tunnel import Tunnel, Ways, open_tunnel

from ..environment import Environment
from ..exits import ExitCode, usage
from ..get.settings import add_to
from ..interrupt import stoppable
from ..streams.listening import listening
from ..streams.settings import GROUPS
from ..streams.told import told_in
from ..streams.ways import failed, shown, strategy_of, ways_of
from .relay import Broken, relay
from .settings import ConnectSettings, Settings, settings_of

_EPILOG = """\
Bytes go both ways as they come. The end of standard input is passed on, and what the other end
says after that still comes; the command ends when both have ended.

examples: ssh -o ProxyCommand='mphttp connect --strategy handover %h %p' host
          scp -o ProxyCommand='mphttp connect --strategy fullmesh %h %p' file host:
          GIT_SSH_COMMAND="ssh -o ProxyCommand='mphttp connect --strategy handover %h %p'" git fetch
          mphttp connect --strategy refresh --every 5s --rotate host 22
          mphttp connect --listen 8080 --strategy handover host 80
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp connect`."""
    parser.epilog = _EPILOG
    parser.add_argument("host", metavar="HOST", type=_host, help="a name or an IP address")
    parser.add_argument("port", metavar="PORT", type=_port, help="TCP port")
    for title, settings in ({"where from": ConnectSettings} | GROUPS).items():
        add_to(parser.add_argument_group(title), settings)


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Connect, and pass on what comes until both sides have ended.

    Raises:
        Failure: the command line can't be used, there is no connection, or it broke.
    """
    settings = settings_of(arguments)
    strategy, ways = strategy_of(settings), ways_of(settings, environment)
    if settings.listen:
        _forward(settings, strategy, ways, environment)
        return ExitCode.OK
    if settings.report == "-":
        raise usage("standard output has the stream, no report", "--report FILE")
    with stoppable(), told_in(settings.report, environment) as tell:
        tunnel = _opened(settings, strategy, ways)
        if settings.verbose:
            over = tunnel.report.protocol
            environment.say(f"connected to {settings.host} over {over}, {shown(strategy)}")
        whole = False
        try:
            whole = relay(tunnel, environment)
        except Broken as error:
            raise error.failure() from error
        finally:
            tunnel.close(whole=whole)
            tell(tunnel.report)
    return ExitCode.OK


def _opened(settings: Settings, strategy: Strategy | None, ways: Ways) -> Tunnel:
    try:
        return asyncio.run(open_tunnel(settings.host, settings.port, strategy, ways))
    except (OSError, Refused) as error:
        raise failed(error, settings.host, ways) from error


def _forward(
    settings: Settings, strategy: Strategy | None, ways: Ways, environment: Environment
) -> None:
    from mphttp.proxy.server import Server
    from mphttp.proxy.target import Target
    from mphttp.proxy.way_out import WayOut

    from ..streams.serving import place, serve

    with told_in(settings.report, environment) as tell, listening(settings.listen) as sockets:
        server = Server(
            WayOut(lambda _: strategy, ways),
            fixed=Target(settings.host, settings.port),
            log=environment.say if settings.verbose else lambda _: None,
            told=tell,
        )
        where = " and ".join(map(place, sockets))
        environment.say(f"{where} is forwarded to {settings.host}, {shown(strategy)}")
        serve(server, sockets)


def _host(text: str) -> str:
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare or any(sign.isspace() or not sign.isprintable() for sign in bare):
        raise argparse.ArgumentTypeError(f"{text!r} is no host")
    return bare


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no port, such as 22")
    try:
        return checked_port(int(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
