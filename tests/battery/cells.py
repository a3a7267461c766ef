"""What was found of one feature, and how it is found in a process of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Cell:
    """What was found of a feature on a kernel.

    Args:
        word: "yes", "no" or "wrong".
        note: what the program says of it: the hint of a no; or how it goes about it; or the fault.
    """

    word: str
    note: str = ""


def yes(note: str = "") -> Cell:
    """It works."""
    return Cell("yes", note)


def no(hint: str) -> Cell:
    """It doesn't, and the program says what mends it; a no without a hint is a fault."""
    return Cell("no", hint) if hint else Cell("wrong", "no hint says what mends it")


def found(feature: Callable[[], Cell], within: float) -> Cell:
    """Run a feature in a child process, which may leave for other namespaces.

    Args:
        feature: finds out; what it raises is a fault.
        within: seconds.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it runs this and nothing else
        child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, json.dumps(asdict(_outcome(feature))).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        if not select.select([pipe], [], [], within)[0]:
            os.kill(child, signal.SIGKILL)
        told = pipe.read()
    os.waitpid(child, 0)
    return Cell(**json.loads(told)) if told else Cell("wrong", f"nothing came of it in {within} s")


def _outcome(feature: Callable[[], Cell]) -> Cell:
    try:
        return feature()
    except BaseException as error:
        traceback.print_exc()
        return Cell("wrong", f"{type(error).__name__}: {error}"[:1000])
