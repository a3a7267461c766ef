"""Packages that a library imports in case they are wanted, and that no command uses."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

UNUSED = ("trio",)
"""httpcore imports trio wherever it is installed, which takes a quarter of a command's start."""


def put_off(name: str) -> None:
    """Let a package be imported only when something of it is used.

    Args:
        name: the package's; one that isn't installed, or is imported already, stays as it is.
    """
    if name in sys.modules or importlib.util.find_spec(name) is None:
        return

    def imported(attribute: str) -> Any:
        if sys.modules.get(name) is module:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    sys.modules[name] = module = ModuleType(name)
    # importlib.util.LazyLoader does it, too, but only until the second `import` of the package.
    vars(module)["__getattr__"] = imported  # PEP 562
