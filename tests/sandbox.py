"""Run a command where some families of sockets are refused, as systemd's sandboxes do it.

    python tests/sandbox.py ERRNO FAMILY,FAMILY… COMMAND…

Needs no privilege (seccomp filters; include/uapi/linux/seccomp.h, filter.h).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from pathlib import Path

SOCKET_CALL = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
"""Number of socket(2); None where this isn't known."""

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _FAMILY_AT = 0, 16  # in struct seccomp_data
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


def refusing(number: int, *families: int) -> list[str]:
    """Return the beginning of a command that runs without these families of sockets.

    Args:
        number: errno of the refusal; EAFNOSUPPORT is RestrictAddressFamilies='s.
        families: such as `socket.AF_NETLINK`.
    """
    wanted = ",".join(str(int(family)) for family in families)
    return [sys.executable, str(Path(__file__)), str(number), wanted]


def confine(number: int, families: list[int]) -> None:
    """Refuse these families to this process from now on."""
    count = len(families)
    rules = [(_LOAD, 0, 0, _NUMBER_AT), (_IF_EQUAL, 0, count + 1, SOCKET_CALL or 0)]
    rules += [(_LOAD, 0, 0, _FAMILY_AT)]
    rules += [(_IF_EQUAL, count - n, 0, family) for n, family in enumerate(families)]
    rules += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _FAIL | number)]
    program = b"".join(struct.pack("=HBBI", *rule) for rule in rules)
    memory = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("@HP", len(rules), ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, described, 0, 0)):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    confine(int(sys.argv[1]), [int(family) for family in sys.argv[2].split(",")])
    os.execvp(sys.argv[3], sys.argv[3:])
