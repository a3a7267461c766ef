"""The subflows of a connection, decided upon without input, output, threads or clocks.

What happens, what was asked and the time go in; what is to be done comes out, as values. The driver
(`mphttp.engine`) does it and tells what came of it; so do `mphttp.testing`'s replay and simulation.
"""

from .effects import (
    Answer,
    CloseSubflow,
    Effect,
    Explain,
    Failure,
    KernelCall,
    Note,
    OpenSubflow,
    SetSubflowBackup,
    SetSubflowOption,
    Trouble,
    WithdrawAddress,
)
from .path_manager import PathManager
from .subflow import Cause, State, SubflowRecord
from .table import SubflowTable

__all__ = [
    "Answer",
    "Cause",
    "CloseSubflow",
    "Effect",
    "Explain",
    "Failure",
    "KernelCall",
    "Note",
    "OpenSubflow",
    "PathManager",
    "SetSubflowBackup",
    "SetSubflowOption",
    "State",
    "SubflowRecord",
    "SubflowTable",
    "Trouble",
    "WithdrawAddress",
]
