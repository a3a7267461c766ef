"""The kernel calls that a path manager wants, until somebody makes them without a lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from mphttp.core import (
    CloseSubflow,
    KernelCall,
    OpenSubflow,
    SetSubflowBackup,
    SetSubflowOption,
    WithdrawAddress,
)
from mphttp.kernel.errors import KernelError, NoSuchSubflow
from mphttp.kernel.mechanism import Control
from mphttp.kernel.values import SocketAddress, SubflowInfo


class KernelCalls:
    """A queue of calls, and what carries them out.

    Attributes:
        control: that, or None where nothing does, or no longer.
    """

    def __init__(self) -> None:
        self.control: Control | None = None
        self._wanted: deque[KernelCall] = deque()
        self._listens = False

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def add(self, call: KernelCall) -> None:
        """Put a call at the end of the queue."""
        self._wanted.append(call)

    def close(self) -> None:
        """Make no more calls: the connection is closed."""
        self.control = None
        self._wanted.clear()

    def listen(self) -> Mapping[int, SocketAddress]:
        """Subscribe to the connection's events, once; return what was announced before that."""
        if self._listens or self.control is None:
            return {}
        self._listens = True
        self.control.listen()
        return self.control.announced()

    def made(self) -> Iterator[tuple[KernelCall, SubflowInfo | KernelError | None]]:
        """Make all calls, those that come meanwhile, too; yield each with what came of it."""
        while self._wanted:
            call = self._wanted.popleft()
            outcome: SubflowInfo | KernelError | None
            try:
                outcome = self._carry_out(call)
            except KernelError as error:
                outcome = error
            yield call, outcome

    def _carry_out(self, call: KernelCall) -> SubflowInfo | None:
        control = self.control
        if control is None:
            raise NoSuchSubflow("the connection is closed")
        match call:
            case OpenSubflow(path, remote, backup):
                return control.open(path, remote, backup=backup)
            case CloseSubflow(subflow):
                control.close(subflow)
            case WithdrawAddress(subflow):
                control.withdraw(subflow)
            case SetSubflowBackup(subflow, backup):
                control.set_backup(subflow, backup)
            case SetSubflowOption(subflow, level, name, value):
                control.setsockopt(subflow, level, name, value)
        return None
