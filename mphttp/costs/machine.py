"""What this machine says of its paths, as it was a moment ago: files, and NetworkManager.

Nothing is read at import. Where neither a file nor a system bus is there, a look costs three calls
of the system every few seconds, and nothing in between. NetworkManager is asked on a thread; only
the first who wants to know waits for its answer, and not for long.
"""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

from . import network_manager
from .wishes import Wishes, read_wishes

SYSTEM_FILE = Path("/etc/mphttp/config.toml")
_FRESH = 2.0
"""Seconds for which all is taken as it was."""
_NOBODY_FOR = 60.0
"""Seconds for which a bus without an answer isn't asked again."""
_FIRST_WAIT = 0.3
"""Seconds that the first look waits for NetworkManager."""


def user_file() -> Path:
    """Name the user's own file."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base, "mphttp", "config.toml").expanduser()


class Costs:
    """What is known of paths; any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = -math.inf
        self._wishes = Wishes()
        self._problems: tuple[str, ...] = ()
        self._files: object = None
        self._said = Wishes()
        self._told: dict[str, bool] = {}
        self._asked: threading.Event | None = None
        self._ask_at = -math.inf

    def now(self) -> Wishes:
        """Return what holds now."""
        if time.monotonic() >= self._read_at + _FRESH:
            with self._lock:
                if time.monotonic() >= self._read_at + _FRESH:
                    self._look()
        return self._wishes

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the files, one sentence each."""
        self.now()
        return self._problems

    def after_fork(self) -> None:
        """Start anew in a child process, which has no thread that answers."""
        self.__init__()  # type: ignore[misc]

    def _look(self) -> None:
        self._read_files()
        if network_manager.has_bus():
            self._ask()
        elif self._told:
            self._told = {}
        self._wishes = replace(self._said, told=self._told)
        self._read_at = time.monotonic()

    def _read_files(self) -> None:
        places = (SYSTEM_FILE, user_file())
        stats = tuple(map(_stat, places))
        if (places, stats) == self._files:
            return
        wishes, problems = Wishes(), list[str]()
        for place, stat in zip(places, stats, strict=True):
            if stat is None:
                continue
            try:
                wishes, complaints = read_wishes(place.read_text(), str(place), wishes)
            except (OSError, ValueError) as error:
                complaints = [f"{place}: it can't be read: {error}"]
            problems += complaints
        self._files, self._said, self._problems = (places, stats), wishes, tuple(problems)

    def _ask(self) -> None:
        """Ask NetworkManager, unless that is under way; only the first time, wait for it."""
        first = self._asked is None
        if self._asked is not None and not self._asked.is_set():
            return
        if time.monotonic() < self._ask_at:
            return
        answered = self._asked = threading.Event()

        def ask() -> None:
            told = network_manager.metered()
            self._ask_at = -math.inf if told else time.monotonic() + _NOBODY_FOR
            self._told = told
            self._wishes = replace(self._said, told=told)
            answered.set()

        try:
            threading.Thread(target=ask, name="mphttp-metered", daemon=True).start()
        except RuntimeError:  # no thread is to be had: it isn't known, then
            answered.set()
            return
        if first:
            answered.wait(_FIRST_WAIT)


def _stat(place: Path) -> tuple[int, int, int] | None:
    try:
        stat = place.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


costs = Costs()
"""The process's one."""

os.register_at_fork(after_in_child=costs.after_fork)
