"""A kernel and a peer as simple as they can be, to drive the path manager against."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mphttp.core import (
    CloseSubflow,
    KernelCall,
    OpenSubflow,
    SetSubflowBackup,
    WithdrawAddress,
)
from mphttp.kernel.errors import NoSuchSubflow
from mphttp.kernel.events import SubflowClosed, SubflowEstablished
from mphttp.kernel.values import (
    ConnectionInfo,
    FourTuple,
    Path,
    SocketAddress,
    SubflowInfo,
    TCPState,
)

REMOTE = SocketAddress("192.0.2.80", 443)
HOSTS = {"wifi": "10.0.0.1", "lte": "10.0.1.1"}
PATHS = {name: Path(name, 1 + i, host) for i, (name, host) in enumerate(HOSTS.items())}
TOKEN = 1


def path_of(pair: FourTuple) -> str:
    """Name the interface that has a local address."""
    return next(name for name, own in HOSTS.items() if own == pair.local.host)


@dataclass
class ModelKernel:
    """The subflows of one connection as the kernel has them.

    Attributes:
        rows: all that there are, by id; the first has id 1.
    """

    rows: dict[int, SubflowInfo] = field(default_factory=dict)
    _ids: int = 0

    def __post_init__(self) -> None:
        self.establish(self.syn("wifi").id, confirmed=True)

    def syn(self, path: str) -> SubflowInfo:
        """Send the SYN of a new subflow."""
        self._ids += 1
        local = SocketAddress(HOSTS[path], 40000 + self._ids)
        pair = FourTuple(local, REMOTE)
        row = SubflowInfo(self._ids, pair, TCPState.SYN_SENT, 0.02, 0, 0, 0, 0.0)
        self.rows[row.id] = row
        return row

    def establish(self, subflow_id: int, *, confirmed: bool) -> SubflowEstablished:
        """Let the peer answer; return what the kernel tells of it."""
        row = self.rows[subflow_id]
        segments = 2 if confirmed else 1
        row = replace(row, state=TCPState.ESTABLISHED, segments_received=segments)
        self.rows[subflow_id] = row
        return SubflowEstablished(TOKEN, row.tuple, 0, 0, False, 0)

    def end(self, subflow_id: int, error: int = 0) -> SubflowClosed:
        """Let a subflow end; return what the kernel tells of it."""
        row = self.rows.pop(subflow_id)
        return SubflowClosed(TOKEN, row.tuple, 0, 0, error, None)

    def carry_out(self, call: KernelCall) -> SubflowInfo | None:
        """Do what is asked.

        Raises:
            KernelError: as the kernel would.
        """
        if isinstance(call, OpenSubflow):
            return self.syn(call.path.name)
        if call.subflow.id not in self.rows:
            raise NoSuchSubflow(f"subflow {call.subflow.id} is gone")
        match call:
            case CloseSubflow() | WithdrawAddress():
                self.end(call.subflow.id)
            case SetSubflowBackup():
                pass
        return None

    @property
    def working(self) -> set[int]:
        """Ids of those that carry data."""
        return {i for i, row in self.rows.items() if row.established}

    def info(self) -> ConnectionInfo:
        """Tell all of it."""
        return ConnectionInfo(TOKEN, 0, True, tuple(self.rows.values()))
