"""`mphttp proxy`: what a command line asks for, checked before the first client comes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from socket import socket

from mphttp.proxy.destinations import Destinations
from mphttp.proxy.server import Server
from mphttp.proxy.users import Users, read_users
from mphttp.proxy.way_out import WayOut
from mphttp.tunnel import Ways, place_of

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..get.settings import add_to
from ..streams.listening import ListenAt, listening, open_to_others
from ..streams.serving import place, serve
from ..streams.told import told_in
from ..streams.ways import shown, strategy_of, ways_of
from .rules import chooser
from .settings import GROUPS_OF_PROXY, settings_of
from .unit import user_unit

_DEFAULT = (ListenAt("127.0.0.1", 1080),)
_EPILOG = """\
HTTP (CONNECT, and http:// requests) and SOCKS5 come in at the same port. Programs find it by
http_proxy, https_proxy and all_proxy, or by an option of their own:

  export all_proxy=socks5h://127.0.0.1:1080 https_proxy=http://127.0.0.1:1080

Other machines reach public addresses alone, with a user and a password, and never this machine.
Passwords cross the network as they are: let others in only where nobody listens, or by a VPN.

examples: mphttp proxy --strategy handover
          mphttp proxy --strategy fullmesh --upstream socks5h://vps.example.org:1080
          mphttp proxy --rule '*:22=handover' --rule 'mirror.example.org=fullmesh'
          mphttp proxy --strategy handover --unit > ~/.config/systemd/user/mphttp-proxy.service
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp proxy`."""
    parser.epilog = _EPILOG
    for title, settings in GROUPS_OF_PROXY.items():
        add_to(parser.add_argument_group(title), settings)


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Serve until the process is told to stop.

    Raises:
        Failure: the command line can't be used, or would make an open proxy.
    """
    settings = settings_of(arguments)
    strategy, ways = strategy_of(settings), ways_of(settings, environment)
    users = None if settings.users is None else _users(settings.users)
    if settings.unit:
        environment.hand_out(user_unit(sys.executable, _options(sys.argv)), own=True)
        return ExitCode.OK
    places = settings.listen or _DEFAULT
    with told_in(settings.report, environment) as tell, listening(places) as sockets:
        _check(sockets, users, ways)
        server = Server(
            WayOut(chooser(settings.rules, strategy), ways, Destinations(settings.allow)),
            settings.limits,
            users=users,
            log=environment.say if settings.verbose else lambda _: None,
            told=tell,
        )
        where = " and ".join(map(place, sockets))
        environment.say(f"HTTP and SOCKS5 at {where}, {shown(strategy)}")
        serve(server, sockets)
    return ExitCode.OK


def _check(sockets: Sequence[socket], users: Users | None, ways: Ways) -> None:
    """Refuse what would be open to everybody, or lead back here.

    Raises:
        Failure: it would.
    """
    if users is None and open_to_others(sockets):
        what = "other machines could use this proxy without a password"
        raise usage(what, "--users FILE names who may, or --listen 127.0.0.1:1080")
    upstream = ways.upstream
    here = [place_of(sock.getsockname()) for sock in sockets]
    if upstream is not None and (upstream.host, upstream.port) in here:
        raise usage("--upstream is this proxy itself", "--listen chooses another port")


def _users(name: str) -> Users:
    try:
        return read_users(name)
    except OSError as error:
        what = f"{name} can't be read: {error.strerror or error}"
        raise Failure(ExitCode.READ, what, f"install -m 600 /dev/null {name}") from error
    except ValueError as error:
        hint = f"chmod 600 {name}; a line is USER:PASSWORD"
        raise Failure(ExitCode.READ, f"{name} can't be used: {error}", hint) from error


def _options(words: Sequence[str]) -> list[str]:
    """Return the options of this command line, without the one that prints a unit."""
    return [word for word in words[2:] if word != "--unit"]
