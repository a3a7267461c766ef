"""Whether tests run as root of the machine; root of a user namespace may do little of that."""

from __future__ import annotations

import os
from pathlib import Path

_EVERYBODY = ["0", "0", str(2**32 - 1)]  # user_namespaces(7): who is who where nothing is mapped

ROOT = os.geteuid() == 0 and Path("/proc/self/uid_map").read_text().split() == _EVERYBODY
