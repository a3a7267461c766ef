"""What happens to the network, the server and the broker while downloads are under way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from mphttp.lab import names
from mphttp.lab.client import inside

_PATH_MANAGER = Path("/proc/sys/net/mptcp/pm_type")
_Fault = tuple[Callable[[], object], Callable[[], object]]
"""What is done, and what undoes it."""


class Faults:
    """One fault after the other, never two at once, so that a path is always left.

    Args:
        links: names of the lab's links.
        servers: processes that are stopped for a while.
        broker: the same.
        seed: of the pseudo-random choices.

    Attributes:
        done: how many there were of each kind.
    """

    def __init__(
        self, links: Sequence[str], servers: Sequence[int], broker: int, seed: int
    ) -> None:
        self.done: Counter[str] = Counter()
        self._lab = inside()
        self._links = links
        self._choice = random.Random(seed)
        self._stop = threading.Event()
        self._kinds: dict[str, Callable[[str], _Fault]] = {
            "cut": lambda link: (lambda: self._lab.cut(link), lambda: self._lab.restore(link)),
            "blackhole": lambda link: (
                lambda: self._lab.blackhole(link),
                lambda: self._lab.restore(link),
            ),
            "slow": lambda link: (
                lambda: self._lab.change(link, rate="500kbit"),
                lambda: self._lab.restore(link),
            ),
            "reset": lambda link: (lambda: self._reset(link), lambda: None),
            "renamed": lambda link: (lambda: self._rename(link), lambda: self._rename_back(link)),
            "path manager": lambda _: (
                lambda: _PATH_MANAGER.write_text("0"),
                lambda: _PATH_MANAGER.write_text("1"),
            ),
            "server stopped": lambda _: _stopped(*servers),
            "broker stopped": lambda _: _stopped(broker),
        }
        self._thread = threading.Thread(target=self._run, name="faults")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._choice.uniform(0.3, 2)):
            kind = self._choice.choice(list(self._kinds))
            do, undo = self._kinds[kind](self._choice.choice(self._links))
            do()
            self.done[kind] += 1
            self._stop.wait(self._choice.uniform(0.2, 1.5))
            undo()

    def _reset(self, link: str) -> None:
        address = names.client_address(list(self._links).index(link))
        command = ["ss", "--tcp", "--kill", "dst", address]
        self._lab.in_server(command, stdout=subprocess.DEVNULL).wait()

    def _rename(self, link: str) -> None:
        self._lab.cut(link)
        _ip("link", "set", link, "name", f"{link}9")
        _ip("link", "set", f"{link}9", "up")

    def _rename_back(self, link: str) -> None:
        _ip("link", "set", f"{link}9", "down")
        _ip("link", "set", f"{link}9", "name", link)
        self._lab.restore(link)


def _stopped(*processes: int) -> _Fault:
    def send(number: signal.Signals) -> None:
        for process in processes:
            os.kill(process, number)

    return lambda: send(signal.SIGSTOP), lambda: send(signal.SIGCONT)


def _ip(*command: str) -> None:
    subprocess.run(["ip", *command], check=True)
