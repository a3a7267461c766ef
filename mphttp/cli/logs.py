"""What the library logs, on stderr of the command line where MPHTTP_LOG asks for it."""

from __future__ import annotations

import logging

from .environment import Environment
from .exits import ExitCode, Failure

VARIABLE = "MPHTTP_LOG"
_LEVELS = ("debug", "info", "warning", "error")


class _Told(logging.Handler):
    """Says each record as a command says its words: nothing of others reaches a terminal raw."""

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment
        self.setFormatter(logging.Formatter("%(relativeCreated)d ms %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._environment.say(self.format(record))
        except (OSError, ValueError):  # nobody listens there any more
            self.handleError(record)


def begin(environment: Environment) -> None:
    """Say what is logged from now on, if that is wanted.

    Raises:
        Failure: the variable has another word than the names of levels.
    """
    word = environment.environ.get(VARIABLE, "").lower()
    if not word:
        return
    if word not in _LEVELS:
        what = f"{VARIABLE} must be one of {', '.join(_LEVELS)}, not {word!r}"
        raise Failure(ExitCode.USAGE, what, f"{VARIABLE}=debug tells the most")
    logger = logging.getLogger("mphttp")
    logger.setLevel(word.upper())
    for before in list(logger.handlers):
        if isinstance(before, _Told):
            logger.removeHandler(before)
    logger.addHandler(_Told(environment))
