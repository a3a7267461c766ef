"""The lab as seen by those who use it: change a link, read its counters, start a server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import messages, names
from .errors import LabError


@dataclass(frozen=True, slots=True)
class DirectionCounters:
    """What one direction of a link has seen since the lab began or was reset.

    Args:
        packets: that came to the link.
        bytes: of those, IP header included.
        syns: TCP segments among them that ask for a connection or a subflow (SYN without ACK).
        dropped: packets that found the queue full.
        lost: packets that were lost on the way, or in flight when the link was cut.
    """

    packets: int
    bytes: int
    syns: int
    dropped: int
    lost: int


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """Both directions of a link: `up` from the client to the server, and `down`."""

    up: DirectionCounters
    down: DirectionCounters


class LabClient:
    """Speaks to a running lab; any thread may.

    Args:
        sock: connected to the lab's control address.
        namespaces: descriptors to enter on the way to the server, in order.
    """

    def __init__(self, sock: socket.socket, namespaces: Sequence[int] = ()) -> None:
        self._sock = sock
        self._namespaces = list(namespaces)
        self._lock = threading.Lock()

    def change(
        self,
        link: str,
        *,
        rate: str | None = None,
        delay: str | None = None,
        loss: str | None = None,
        queue: str | None = None,
    ) -> None:
        """Change a link, both directions, from now on.

        Args:
            link: its name.
            rate: such as "1mbit"; takes the place of a trace, too.
            delay: one way, such as "20ms".
            loss: such as "1%".
            queue: such as "50kB" or "20ms".

        Raises:
            LabError: there is no such link, or a value has no meaning.
        """
        values = {"rate": rate, "delay": delay, "loss": loss, "queue": queue}
        self._ask("change", link=link, values=values)

    def blackhole(self, link: str) -> None:
        """Let every packet on a link vanish, those in flight too; nobody is told."""
        self._ask("blackhole", link=link)

    def cut(self, link: str) -> None:
        """Take the client's interface down, as if it were unplugged; its routes go, too."""
        self._ask("cut", link=link)

    def restore(self, link: str) -> None:
        """Bring a link back to what it was when the lab began."""
        self._ask("restore", link=link)

    def reset(self) -> None:
        """Restore every link, forget what is on its way, and count from 0 again."""
        self._ask("reset")

    def counters(self) -> dict[str, LinkCounters]:
        """Return what each link has seen."""
        answer, _ = self._ask("counters")
        return {
            name: LinkCounters(DirectionCounters(**up), DirectionCounters(**down))
            for name, (up, down) in answer.items()
        }

    def in_server(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a command in the server's network namespace.

        Args:
            argv: the command; it should listen on `names.SERVER_ADDRESS`.
            options: as for `subprocess.Popen`.

        Raises:
            PermissionError: the caller runs without privilege inside the lab.
        """
        _, (server,) = self._ask("server")
        try:
            namespaces = [*self._namespaces, server]
            return start(argv, namespaces, fork=bool(self._namespaces), **options)
        finally:
            os.close(server)

    def close(self) -> None:
        """Let go of the socket."""
        self._sock.close()

    def _ask(self, what: str, **more: Any) -> tuple[dict[str, Any], list[int]]:
        try:
            with self._lock:
                messages.send(self._sock, {"do": what, **more})
                answer, descriptors = messages.receive(self._sock)
        except (EOFError, OSError) as error:
            raise LabError("The lab has ended.") from error
        messages.check(answer)
        return answer, descriptors


def inside() -> LabClient:
    """Return the lab that this process runs in.

    Raises:
        LabError: it doesn't run in one.
    """
    if names.CONTROL not in os.environ:
        raise LabError("This process isn't inside a lab.", "mphttp lab run -- COMMAND")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(messages.address(os.environ[names.CONTROL]))
    return LabClient(sock)


def start(
    argv: Sequence[str],
    namespaces: Sequence[int],
    *,
    fork: bool = False,
    privileged: bool = True,
    **options: Any,
) -> subprocess.Popen[Any]:
    """Start a command inside namespaces.

    Args:
        argv: the command.
        namespaces: descriptors, in the order in which they are entered.
        fork: there is a process namespace among them.
        privileged: False drops every capability first.
        options: as for `subprocess.Popen`.
    """
    flags = ["--fork"] * fork + ["--no-privilege"] * (not privileged)
    numbers = ",".join(str(descriptor) for descriptor in namespaces)
    helper = [sys.executable, "-m", "mphttp.lab.enter", *flags, numbers, *argv]
    options["pass_fds"] = (*options.get("pass_fds", ()), *namespaces)
    return subprocess.Popen(helper, **options)
