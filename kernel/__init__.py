"""Everything that touches Linux: the six calls, who carries them out, events, paths.

What all rooms speak of is here: values, errors, events, and `mechanism`, what a way to carry out
the calls has to be. `path_manager`, `broker`, `sockopt` and `readonly` are such ways, `probe` finds
the best that works, `diagnosis` says what a machine lacks and what mends it, and `connection` has
the calls on a socket. Each room imports only from those before it:
netlink, reading, interfaces, bpf, readonly, path_manager, broker, sockopt, diagnosis, connection.
"""

if __name__ == "kernel":  # the folder's bare name would give every class a second identity
    raise ImportError("import mphttp.kernel, not kernel")

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connection.establishment import Draining, Opening
    from .connection.event_stream import EventStream
    from .connection.subflows import Subflows
    from .diagnosis.findings import Finding, findings
    from .errors import (
        CallRefused,
        KernelError,
        LeavesElsewhere,
        NoSuchSubflow,
        NotMultipath,
        NotPermitted,
        NotReady,
        NotSupported,
        OpenRefused,
        ProtocolError,
    )
    from .interfaces.paths import path_of, paths_to
    from .mechanism import Control, Mechanism
    from .path_manager.mechanism import NetlinkMechanism
    from .probe import best_mechanism
    from .reading.info import Capture, capture, tcp_info
    from .readonly.mechanism import ReadonlyMechanism
    from .values import ConnectionInfo, FourTuple, Path, SocketAddress, SubflowInfo, TCPState

__all__ = [
    "CallRefused",
    "Capture",
    "ConnectionInfo",
    "Control",
    "Draining",
    "EventStream",
    "Finding",
    "FourTuple",
    "KernelError",
    "LeavesElsewhere",
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

_HOMES = {
    "CallRefused": ".errors",
    "Capture": ".reading.info",
    "ConnectionInfo": ".values",
    "Control": ".mechanism",
    "Draining": ".connection.establishment",
    "EventStream": ".connection.event_stream",
    "Finding": ".diagnosis.findings",
    "FourTuple": ".values",
    "KernelError": ".errors",
    "LeavesElsewhere": ".errors",
    "Mechanism": ".mechanism",
    "NetlinkMechanism": ".path_manager.mechanism",
    "NoSuchSubflow": ".errors",
    "NotMultipath": ".errors",
    "NotPermitted": ".errors",
    "NotReady": ".errors",
    "NotSupported": ".errors",
    "OpenRefused": ".errors",
    "Opening": ".connection.establishment",
    "Path": ".values",
    "ProtocolError": ".errors",
    "ReadonlyMechanism": ".readonly.mechanism",
    "SocketAddress": ".values",
    "SubflowInfo": ".values",
    "Subflows": ".connection.subflows",
    "TCPState": ".values",
    "best_mechanism": ".probe",
    "capture": ".reading.info",
    "findings": ".diagnosis.findings",
    "path_of": ".interfaces.paths",
    "paths_to": ".interfaces.paths",
    "tcp_info": ".reading.info",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for, so that nothing is imported that isn't used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
