"""Everything that touches Linux: the six calls, the netlink codec, events, paths."""

if __name__ == "kernel":  # the folder's bare name would give every class a second identity
    raise ImportError("import mphttp.kernel, not kernel")

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from .event_stream import EventStream
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
    "EventStream",
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

_HOMES = {
    "CallRefused": ".errors",
    "Capture": ".info",
    "ConnectionInfo": ".values",
    "Control": ".mechanism",
    "Draining": ".establishment",
    "EventStream": ".event_stream",
    "Finding": ".probe",
    "FourTuple": ".values",
    "KernelError": ".errors",
    "Mechanism": ".mechanism",
    "NetlinkMechanism": ".netlink_mechanism",
    "NoSuchSubflow": ".errors",
    "NotMultipath": ".errors",
    "NotPermitted": ".errors",
    "NotReady": ".errors",
    "NotSupported": ".errors",
    "OpenRefused": ".errors",
    "Opening": ".establishment",
    "Path": ".values",
    "ProtocolError": ".errors",
    "ReadonlyMechanism": ".readonly_mechanism",
    "SocketAddress": ".values",
    "SubflowInfo": ".values",
    "Subflows": ".subflows",
    "TCPState": ".values",
    "best_mechanism": ".probe",
    "capture": ".info",
    "findings": ".probe",
    "path_of": ".paths",
    "paths_to": ".paths",
    "tcp_info": ".info",
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
