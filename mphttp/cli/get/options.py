"""The options of `mphttp get`; curl's names and meanings where curl has them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args

from mphttp import registry
from mphttp.engine.request import Multipath
from mphttp.strategies import Intent

from ..exits import table
from ..units import duration, size
from .choice import add_parameters
from .client import BACKENDS
from .jobs import NAME_OF_URL, digest
from .writeout import SWITCHES, VARIABLES

_T = TypeVar("_T")

_WORDS = """\
TIME is such as 10s, 500ms or 1m; a plain number is seconds.
SIZE is such as 64KiB, 200k, 1MB or 1MiB; a plain number is bytes.

Proxies come from http_proxy, https_proxy, all_proxy and no_proxy unless -x or --noproxy is there;
no_proxy doesn't hold for -x.
With several URLs, -o, -O and --sha256 count for one each, in order; what fails doesn't stop the
others, and the exit code is the last failure's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp get`."""
    parser.epilog = f"{_WORDS}\n\n{_variables()}\n\n{table()}"
    parser.add_argument("url", metavar="URL", nargs="+", help="http:// or https://")
    _add_strategy(parser.add_argument_group("paths"))
    _add_request(parser.add_argument_group("request"))
    _add_output(parser.add_argument_group("output"))
    _add_words(parser.add_argument_group("what is told"))
    _add_again(parser.add_argument_group("going on and trying again"))
    _add_connection(parser.add_argument_group("connection"))


def _add_strategy(group: Any) -> None:
    group.add_argument(
        "--strategy",
        metavar="NAME[+NAME]",
        help=f"when paths are opened: {', '.join(registry.names())} (default: one path alone)",
    )
    group.add_argument(
        "--intent", choices=get_args(Intent), help="the same by what it is for (RFC 9622)"
    )
    add_parameters(group, _checked)
    group.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="IFACE",
        help="use only these interfaces, the one to start on first (repeat it; default: all)",
    )
    group.add_argument(
        "--multipath",
        choices=get_args(Multipath),
        default="auto",
        help="what carries a body over several paths: subflows of MPTCP, parts by further TCP "
        "connections, what there is (default), or nothing",
    )
    _add_switch(group, "--strict", "fail where what the strategy asks for doesn't work")
    _add_switch(group, "--fail-deadline", "fail if the deadline was missed; the body stays")


def _add_request(group: Any) -> None:
    group.add_argument("-X", "--request", metavar="METHOD", help="another method than GET")
    group.add_argument(
        "-H", "--header", action="append", default=[], metavar="LINE", help="send 'Name: value'"
    )
    group.add_argument(
        "-d",
        "--data",
        action="append",
        metavar="DATA",
        help="send this as a form by POST; @FILE reads it from a file, @- from stdin",
    )
    group.add_argument("-I", "--head", action="store_true", help="ask for the head only")
    group.add_argument("-L", "--location", action="store_true", help="follow redirects")
    group.add_argument("-u", "--user", metavar="USER[:PASSWORD]", help="Basic authentication")
    _add_switch(group, "--compressed", "take the codings that can be undone here, and undo them")


def _add_output(group: Any) -> None:
    group.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="FILE",
        help="write there; only whole, unless -C (- is stdout, the default)",
    )
    group.add_argument(
        "-O",
        "--remote-name",
        dest="output",
        action="append_const",
        const=NAME_OF_URL,
        help="write to the file named in the URL",
    )
    group.add_argument("-i", "--include", action="store_true", help="write the head, too")
    group.add_argument("-f", "--fail", action="store_true", help="no output if status is 400 or up")
    group.add_argument(
        "--sha256",
        type=_checked(digest),
        action="append",
        default=[],
        metavar="HEX",
        help="fail, and leave no file, if the body isn't the one with this digest",
    )


def _add_words(group: Any) -> None:
    group.add_argument(
        "--report",
        metavar="FILE",
        help="what happened, as JSON, a line for each of several URLs (- is stdout)",
    )
    group.add_argument(
        "--samples",
        action="store_true",
        help="keep in the report what each path had brought, every 0.1s (see mphttp plot)",
    )
    group.add_argument("--plot", metavar="FILE", help="draw what happened, as SVG (- is stdout)")
    group.add_argument(
        "-w",
        "--write-out",
        metavar="FORMAT",
        help="write this to stdout after each transfer; @FILE reads it from a file, @- from stdin",
    )
    group.add_argument("-s", "--silent", action="store_true", help="no progress and no errors")
    group.add_argument("-S", "--show-error", action="store_true", help="errors in spite of -s")
    group.add_argument("-v", "--verbose", action="store_true", help="heads and events on stderr")


def _add_again(group: Any) -> None:
    group.add_argument(
        "-C",
        "--continue-at",
        type=_checked(_offset),
        metavar="OFFSET",
        help="go on after so many bytes, which you vouch for; - goes on where the file ends if a "
        "strong validator shows that it is the same object, and starts over if not",
    )
    group.add_argument(
        "--retry",
        type=_checked(_count),
        default=0,
        metavar="N",
        help="try again so often after what may pass: time-out, no connection, a broken body, "
        "status 408, 429, 500, 502, 503, 504",
    )
    _add_time(group, "--retry-delay", "wait so long before each (default: 1s, then twice as long)")
    _add_time(group, "--retry-max-time", "begin no attempt later than this after the first")
    _add_switch(group, "--retry-all-errors", "try again after any error of the transfer")


def _add_connection(group: Any) -> None:
    group.add_argument(
        "--backend",
        choices=BACKENDS,
        default=BACKENDS[0],
        help="what speaks HTTP: httpx (the default) or curl, which needs pycurl",
    )
    group.add_argument("-k", "--insecure", action="store_true", help="trust any certificate")
    group.add_argument("--cacert", metavar="FILE", help="trust the certificates in this file")
    group.add_argument("-x", "--proxy", metavar="URL", help="go through this proxy (none if empty)")
    group.add_argument("--noproxy", metavar="HOSTS", help="reach these without a proxy (* is all)")
    _add_size(group, "--limit-rate", "read no more than this in a second, so that less is sent")
    _add_time(group, "--connect-timeout", "until there is a connection (default 60s)", 60.0)
    _add_time(group, "--max-time", "until an attempt is done (default: no limit)")


def _add_switch(group: Any, option: str, meaning: str) -> None:
    group.add_argument(option, action="store_true", help=meaning)


def _add_time(group: Any, option: str, meaning: str, default: float | None = None) -> None:
    group.add_argument(
        option, type=_checked(duration), metavar="TIME", default=default, help=meaning
    )


def _add_size(group: Any, option: str, meaning: str) -> None:
    group.add_argument(option, type=_checked(size), metavar="SIZE", help=meaning)


def _checked(parse: Callable[[str], _T]) -> Callable[[str], _T]:
    def checked(text: str) -> _T:
        try:
            return parse(text)
        except ValueError as error:  # argparse would replace its words by poorer ones
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked


def _offset(text: str) -> int | str:
    if text == "-":
        return text
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is no offset: a number of bytes, or - for the file's own size")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is no number of attempts, such as 5")
    return int(text)


def _variables() -> str:
    names = [f"%{{{name}}}" for name in (*SWITCHES, *VARIABLES)] + ["%header{NAME}"]
    lines, line = [], "variables of -w:"
    for name in names:
        if len(line) + len(name) > 96:
            lines.append(line)
            line = " "
        line += f" {name}"
    return "\n".join([*lines, line])
