"""The base of every strategy, and how one is stepped."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from .commands import Command
from .view import Path, Transfer

Steps = Generator[Command, Any, None]
"""What `Strategy.run` returns: commands out, answers in."""


@dataclass(frozen=True)
class Strategy:
    """When to open and close subflows: a decision without socket, clock, thread, log or chance.

    One object serves any number of transfers at once: what a transfer has to remember lives in the
    local variables of its generator.

    Attributes:
        name: as on the command line and in the report.
        keep: whether the subflows that it opened stay, as backups, when its response ends, so that
            the next one on the connection finds them in `transfer.subflows` (`SetBackup`).
        in_kernel: whether subflows are wanted that the kernel's own path manager opens, unasked.
        early: whether it is at work as soon as a request leaves, before its response's head; it is
            anyhow where the request has a large body.
        rests: whether it has nothing to do while a stream is idle, so that thousands of idle ones
            cost nothing.
    """

    name: ClassVar[str] = ""
    keep = False
    in_kernel = False
    early = False
    rests = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__.lower()

    def run(self, transfer: Transfer) -> Steps:
        """Decide for one transfer: for its request, if that is large, and for its response.

        Args:
            transfer: the view, renewed before each step.

        Yields:
            `Until`, `Open`, `Close`, `SetBackup` or `SetOption`.
        """
        raise NotImplementedError

    def __and__(self, other: Strategy) -> Strategy:
        """Run two strategies side by side: see `Together`."""
        from .together import Together

        return Together((self, other))

    def connect_on(self, paths: Sequence[Path]) -> Path | None:  # noqa: ARG002  for those who override
        """Choose the path of the first subflow; None leaves it to the system's routing.

        Args:
            paths: those that reach the destination, preferred first.
        """
        return None

    def resume_on(self, paths: Sequence[Path]) -> Sequence[Path]:
        """Choose where a body goes on whose last connection broke off, in the order of trying.

        It is asked where `run` itself opens nothing then, and the server gives parts of the body.

        Args:
            paths: those that reach the destination, preferred first.
        """
        return paths

    @property
    def deadline(self) -> float | None:
        """Seconds after the request by which the body should be there, or None (for the report)."""
        return None

    def parameters(self) -> dict[str, Any]:
        """Return what the strategy was made with, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def returns_at_once(strategy: Strategy) -> bool:
    """Tell whether each step is known to be short: whether it is one of this package's own."""
    parts = getattr(strategy, "strategies", ())
    return type(strategy).__module__.startswith(_OURS) and all(map(returns_at_once, parts))


_OURS = __name__.rpartition(".")[0] + "."
