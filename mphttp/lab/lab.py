"""A lab of one's own: `with Lab() as lab: lab.run(["curl", …])`."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from types import TracebackType
from typing import IO, Any, Self, cast

from . import messages, names
from .client import LabClient, start
from .errors import LabError
from .spec import Link, parse_link

DEFAULT_LINKS = ("wifi=8mbit,20ms", "lte=12mbit,50ms")


class Lab(LabClient):
    """Two or more real paths on this machine, with a server behind them.

    Everything is gone when the block ends, and also when this process does, whatever ends it.

    Args:
        links: each a `Link` or its description; the first is the system's choice.
        server_subflow_limit: additional subflows that the server takes on each connection; None
            for the kernel's default, which is 2.

    Raises:
        LinkError: a link's description has no meaning.
        LabError: this machine can't make a lab; says why and what mends it.
    """

    def __init__(
        self,
        links: Sequence[Link | str] = DEFAULT_LINKS,
        *,
        server_subflow_limit: int | None = None,
    ) -> None:
        self.links = tuple(parse_link(link) if isinstance(link, str) else link for link in links)
        if not 0 < len({link.name for link in self.links}) == len(self.links) <= names.MAX_LINKS:
            raise LabError(f"A lab has 1 to {names.MAX_LINKS} links, each with its own name.")
        self._limit = server_subflow_limit

    def __enter__(self) -> Self:
        _check_installed()
        sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # A session of its own: what ends the whole job must not end the clean-up, too.
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "mphttp.lab.keeper", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        super().__init__(sock)
        try:
            self._settle()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()
        self._keeper.wait()
        for descriptor in self._namespaces:
            os.close(descriptor)
        self._namespaces = []

    def in_client(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        privileged: bool = True,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a command in the client's network namespace.

        Args:
            argv: the command.
            env: its environment, to which the lab's variables are added; None for this process's.
            privileged: False takes every capability from it, CAP_NET_ADMIN among them.
            options: as for `subprocess.Popen`.
        """
        env = {**(os.environ if env is None else env), **self.environment}
        # A proxy of the world outside can't be reached from here.
        env = {name: value for name, value in env.items() if not name.lower().endswith("_proxy")}
        namespaces = [*self._namespaces, self._client]
        return start(argv, namespaces, fork=True, privileged=privileged, env=env, **options)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        privileged: bool = True,
        **options: Any,
    ) -> int:
        """Run a command in the client's network namespace and return its exit code.

        As with `subprocess`, a negative one is the signal that ended it; 126 and 127 say that the
        command can't be run or isn't there. Arguments are those of `in_client`.
        """
        with self.in_client(argv, env=env, privileged=privileged, **options) as process:
            return process.wait()

    def _settle(self) -> None:
        """Hand the keeper its task and take what it made."""
        links = [dataclasses.asdict(link) for link in self.links]
        task = json.dumps({"links": links, "server_subflow_limit": self._limit})
        with suppress(BrokenPipeError), cast("IO[str]", self._keeper.stdin) as stdin:
            stdin.write(task)
        try:
            answer, descriptors = messages.receive(self._sock)
        except EOFError:
            raise LabError("The lab's keeper ended before the lab was made.") from None
        messages.check(answer)
        self.environment: dict[str, str] = answer["environment"]
        *self._namespaces, self._client = descriptors


def _check_installed() -> None:
    for module in ("pyroute2", "trustme"):
        if find_spec(module) is None:
            raise LabError(f"The lab needs {module}.", "pip install 'mphttp[lab]'")
