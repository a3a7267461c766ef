"""Who may use a proxy: users and passwords, one a line, in a file that is nobody else's."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import stat
from collections.abc import Mapping


class Users:
    """Users and their passwords.

    Args:
        passwords: by user.
    """

    def __init__(self, passwords: Mapping[bytes, bytes]) -> None:
        self._passwords = dict(passwords)

    def know(self, user: bytes, password: bytes) -> bool:
        """Tell whether a user has this password; it takes as long where there is no such user."""
        right = self._passwords.get(user)
        same = hmac.compare_digest(password, right if right is not None else b"\0" + password)
        return same and right is not None

    def authorized(self, field: bytes | None) -> bool:
        """Tell whether a Proxy-Authorization names a user and the password (RFC 7617)."""
        scheme, _, token = (field or b"").strip().partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            user, colon, password = base64.b64decode(token.strip(), validate=True).partition(b":")
        except binascii.Error:
            return False
        return bool(colon) and self.know(user, password)


def read_users(name: str) -> Users:
    """Read a file of lines USER:PASSWORD; empty ones, and those that begin with #, don't count.

    Raises:
        OSError: it can't be read.
        ValueError: others may read it, or a line is none.
    """
    with open(name, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ValueError("others may read or write it")
        return parse_users(file.read())


def parse_users(data: bytes) -> Users:
    """Read such lines.

    Raises:
        ValueError: one is none, or there is none at all.
    """
    passwords = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        user, colon, password = line.partition(b":")
        if not (user and colon and password) or max(len(user), len(password)) > 255:
            raise ValueError(f"line {number} is no USER:PASSWORD")
        passwords[user] = password
    if not passwords:
        raise ValueError("it names nobody")
    return Users(passwords)
