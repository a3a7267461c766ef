"""Strategies that do what a test needs, and what a user's might do wrong."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from mphttp.strategies import (
    Close,
    Open,
    OpenFailed,
    Path,
    SetBackup,
    SetOption,
    Steps,
    Strategy,
    Subflow,
    Transfer,
    Until,
)

LTE = Path("lte")


@dataclass(frozen=True)
class Scripted(Strategy):
    """Does what a function says, so that a test can write it where it is used."""

    script: Callable[[Transfer], Any]

    def run(self, transfer: Transfer) -> Steps:
        steps: Steps = self.script(transfer)
        return steps


@dataclass(frozen=True)
class StartsOn(Strategy):
    """Chooses the first path by a function."""

    choose: Callable[[Sequence[Path]], Any]

    def connect_on(self, paths: Sequence[Path]) -> Path | None:
        choice: Path | None = self.choose(paths)
        return choice

    def run(self, transfer: Transfer) -> Steps:
        yield from ()


def raises_at_once(transfer: Transfer) -> Steps:
    raise RuntimeError("at once")
    yield


def raises_midway(transfer: Transfer) -> Steps:
    yield Until(received=1)
    yield Open(LTE)
    raise RuntimeError("midway")


def exits(transfer: Transfer) -> Steps:
    yield Until(received=1)
    yield Open(LTE)
    sys.exit(3)


def raises_in_finally(transfer: Transfer) -> Steps:
    try:
        yield Until(received=transfer.received + 2**60)
    finally:
        raise RuntimeError("in finally")


def catches_nothing(transfer: Transfer) -> Steps:
    yield Open(Path("nope"))


def tries_for_ever(transfer: Transfer) -> Steps:
    while True:
        try:
            yield Open(Path("nope"))
        except OpenFailed:
            continue


def never_waits(transfer: Transfer) -> Steps:
    while True:
        yield Until(elapsed=0)


def yields_a_word(transfer: Transfer) -> Generator[Any, Any, None]:
    yield "open lte"


def opens_a_word(transfer: Transfer) -> Steps:
    word: Any = "lte"
    yield Open(word)


def closes_what_never_was(transfer: Transfer) -> Steps:
    yield Close(Subflow(4711, LTE))


def pauses_what_never_was(transfer: Transfer) -> Steps:
    yield SetBackup(Subflow(4711, LTE), True)


def closes_the_last(transfer: Transfer) -> Steps:
    yield Close(transfer.current)


def sets_an_option_that_no_subflow_has(transfer: Transfer) -> Steps:
    yield SetOption(transfer.current, socket.IPPROTO_IP, socket.IP_TTL, 16)


def waits_for_nothing(transfer: Transfer) -> Steps:
    yield Until()


def is_no_generator(transfer: Transfer) -> Any:
    return [Open(LTE)]
