"""`--report`: what happened, written also when it went wrong."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import Any

from .download import Download
from .environment import Environment
from .exits import Failure
from .target import target


class Record:
    """Writes the report of a download when the block ends, whichever way.

    Args:
        name: the file, "-" for stdout, or None for no report.
        environment: where it is written.
        download: what is reported.
    """

    def __init__(self, name: str | None, environment: Environment, download: Download) -> None:
        self._name = name
        self._environment = environment
        self._download = download
        self._started = time.monotonic()

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._name is None:
            return
        try:
            self._write(self._name, self._told(error))
        except Failure as unwritten:
            if error is None:
                raise
            self._environment.say(str(unwritten))  # the first error is what ends the command

    def _told(self, error: BaseException | None) -> dict[str, Any]:
        report = self._download.report
        told = report.to_dict() if report is not None else self._without_answer()
        if isinstance(error, Failure):
            at = round(told["seconds"], 6)
            told["problems"].append({"at": at, "what": error.what, "hint": error.hint})
        return told

    def _without_answer(self) -> dict[str, Any]:
        strategy = self._download.strategy
        return {
            "url": str(self._download.message.url),
            "bytes": 0,
            "seconds": round(time.monotonic() - self._started, 6),
            **({"strategy": {"name": strategy.name, **strategy.parameters()}} if strategy else {}),
            "subflows": [],
            "events": [],
            "problems": [],
        }

    def _write(self, name: str, told: dict[str, Any]) -> None:
        with target(name, self._environment) as sink:
            sink.write(json.dumps(told, indent=2).encode() + b"\n")
