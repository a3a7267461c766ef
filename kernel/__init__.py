"""Everything that touches Linux: the six calls, the netlink codec, events, paths."""

if __name__ == "kernel":  # the folder's bare name would give every class a second identity
    raise ImportError("import mphttp.kernel, not kernel")

from .errors import (
    CallRefused,
    KernelError,
    NoSuchSubflow,
    NotMultipath,
    NotPermitted,
    NotReady,
    NotSupported,
    OpenRefused,
    ProtocolError,
)
from .establishment import Draining, Opening
from .info import Capture, capture, tcp_info
from .mechanism import Control, Mechanism
from .netlink_mechanism import NetlinkMechanism
from .paths import path_of, paths_to
from .probe import Finding, best_mechanism, findings
from .readonly_mechanism import ReadonlyMechanism
from .subflows import Subflows
from .values import ConnectionInfo, FourTuple, Path, SocketAddress, SubflowInfo, TCPState

__all__ = [
    "CallRefused",
    "Capture",
    "ConnectionInfo",
    "Control",
    "Draining",
    "Finding",
    "FourTuple",
    "KernelError",
    "Mechanism",
    "NetlinkMechanism",
    "NoSuchSubflow",
    "NotMultipath",
    "NotPermitted",
    "NotReady",
    "NotSupported",
    "OpenRefused",
    "Opening",
    "Path",
    "ProtocolError",
    "ReadonlyMechanism",
    "SocketAddress",
    "SubflowInfo",
    "Subflows",
    "TCPState",
    "best_mechanism",
    "capture",
    "findings",
    "path_of",
    "paths_to",
    "tcp_info",
]
