"""What transfers come over, with what decides about its subflows once there is something to decide.

Most responses are whole with their first packets, and no strategy wants anything of them.
"""

from __future__ import annotations

from mphttp.core import PathManager
from mphttp.kernel.values import SocketAddress

from .kernel_calls import KernelCalls
from .loop import Engine
from .observed import Observed, Reader


class Managed(Observed):
    """What one or more transfers come over, as far as a path manager decides about it.

    Args:
        reader: takes snapshots of it.
        remote: where the peer is.
        engine: wakes it.
        path_names: the paths that may be used, preferred first, or None for all.

    Attributes:
        engine: the same.
        refused_hint: what mends it where the peer refuses a subflow, or one is reset.
        joins: whether further subflows are MPTCP's, which a middlebox may refuse to all.
        reasons_later: whether events tell why a subflow ended, after a look may have found it so.
    """

    refused_hint = "`mphttp doctor URL` tries each path"
    joins = False
    reasons_later = True

    def __init__(
        self,
        reader: Reader,
        remote: SocketAddress,
        engine: Engine,
        path_names: tuple[str, ...] | None,
    ) -> None:
        super().__init__(reader, remote, path_names)
        self.engine = engine
        self._calls = KernelCalls()
        self._controlled = False
        self._managed: PathManager | None = None

    @property
    def _manager(self) -> PathManager:
        """What decides, made when it is asked for first."""
        with self.lock:
            if self._managed is None:
                self._managed = PathManager(
                    self.table,
                    self.remote,
                    hint=self.refused_hint,
                    joins=self.engine.joins if self.joins else None,
                    harm=self.engine.harm if self.joins else None,
                    reasons_later=self.reasons_later,
                )
                self._managed.controlled = self._controlled
            return self._managed

    @property
    def busy(self) -> bool:
        """Whether a subflow is being opened, or drained before it is closed."""
        return bool(self._calls) or (self._managed is not None and self._managed.busy)
