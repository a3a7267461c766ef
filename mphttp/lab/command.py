"""`mphttp lab run`: run any command with real paths under it."""

from __future__ import annotations

import argparse
import signal
import sys

from .errors import LabError
from .lab import DEFAULT_LINKS, Lab
from .spec import Link, parse_link

CANNOT_MAKE_LAB = 125
"""Exit code when there is no lab to run the command in, as timeout(1) and env(1) have it."""

_DESCRIPTION = """\
Run a command in a network of its own: an interface and a default route for each link, and behind
all of them one server with Multipath TCP. No root is needed, and nothing is left behind.
"""
_EPILOG = """\
A link is NAME=RATE,DELAY[,loss=PERCENT][,queue=SIZE|TIME], or NAME=DELAY,trace=FILE with a trace in
Mahimahi's format; the delay is one way. The first link is the system's choice. Loss is drawn for
each packet, in both directions. A queue holds, if nothing else is said, the larger of 32 packets
and 100 ms of the rate.

The command finds in its environment MPHTTP_LAB_ORIGIN, MPHTTP_LAB_ORIGIN_TLS and
MPHTTP_LAB_ORIGIN_PLAIN (no Multipath TCP): a server with /bytes/N, /chunked/N, /slow/N?rate=R,
/abort/N?at=K, /echo and /status. Its certificate is trusted by curl and by Python.

The exit code is the command's; 125: no lab could be made, 126: the command can't be run,
127: there is no such command, 128+N: signal N ended it.

example: mphttp lab run --link wifi=8mbit,20ms --link lte=12mbit,50ms -- \\
             sh -c 'curl $MPHTTP_LAB_ORIGIN/bytes/8000000 | sha256sum'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options of `mphttp lab run`."""
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--link",
        action="append",
        type=_link,
        metavar="SPEC",
        help=f"a link; may be given again (default: {' and '.join(DEFAULT_LINKS)})",
    )
    parser.add_argument(
        "--server-limit",
        type=int,
        metavar="N",
        help="additional subflows that the server takes on a connection (the kernel's default: 2)",
    )
    parser.add_argument(
        "--no-privilege",
        action="store_true",
        help="take every capability from the command, so that it can't open subflows itself",
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")


def run(args: argparse.Namespace) -> int:
    """Run the command in a lab and return its exit code, as a shell would give it."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not command:
        print("error: There is no command to run.", file=sys.stderr)
        print("hint: mphttp lab run -- env", file=sys.stderr)
        return 2
    # What Ctrl-C means is the command's to say; a handler, unlike SIG_IGN, is not inherited.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with Lab(args.link or DEFAULT_LINKS, server_subflow_limit=args.server_limit) as lab:
            code = lab.run(command, privileged=not args.no_privilege)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return CANNOT_MAKE_LAB
    finally:
        signal.signal(signal.SIGINT, before)
    return code if code >= 0 else 128 - code


def _link(text: str) -> Link:
    try:
        return parse_link(text)
    except LabError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
