"""`mphttp plot REPORT`: a picture of a report that was saved."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..get.target import target
from .facts import Facts, NoPicture
from .picture import picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mphttp plot`."""
    parser.epilog = "The report is from `mphttp get --samples --report FILE URL`."
    parser.add_argument("report", metavar="REPORT", help="the report, as JSON (- is stdin)")
    parser.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="write there (- is stdout, the default)"
    )


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Draw a report; return the exit code.

    Raises:
        Failure: it can't be read or shown, or the picture can't be written.
    """
    write_picture(arguments.output, _read(arguments.report, environment), environment)
    return ExitCode.OK


def write_picture(name: str, report: Mapping[str, Any], environment: Environment) -> None:
    """Draw a report, and write the picture.

    Args:
        name: the file, or "-" for stdout.
        report: as `Report.to_dict` writes it.
        environment: where stdout is.

    Raises:
        Failure: it can't be shown, or not be written.
    """
    try:
        drawn = picture(Facts.of(report))
    except NoPicture as error:
        raise Failure(ExitCode.READ, str(error), error.hint) from error
    with target(name, environment) as sink:
        sink.write(drawn.encode())


def _read(name: str, environment: Environment) -> dict[str, Any]:
    try:
        data = environment.stdin.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Failure(ExitCode.READ, f"{name} can't be read: {error.strerror or error}") from error
    try:
        report: dict[str, Any] = json.loads(data)
    except (ValueError, RecursionError) as error:
        hint = "of several reports, give one: `head -n 1 FILE | mphttp plot -`"
        who = "standard input" if name == "-" else name
        raise usage(f"{who} isn't one report in JSON: {error}", hint) from error
    return report
