"""The identifiers that local addresses have within one connection (RFC 8684, section 3.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .addresses import canonical

MAX_ADDRESS_ID = 255


class AddressIds:
    """One address has one identifier for the life of the connection.

    Args:
        known: identifiers, by address.
    """

    def __init__(self, known: Mapping[str, int] | None = None) -> None:
        self._ids: dict[str, int] = {}
        self.replace(known or {})

    def of(self, host: str) -> int:
        """Tell an address's identifier; one that has none gets the lowest that is free."""
        host = canonical(host)
        if host not in self._ids:
            taken = set(self._ids.values())
            self._ids[host] = next(n for n in range(1, MAX_ADDRESS_ID + 1) if n not in taken)
        return self._ids[host]

    def find(self, host: str) -> int | None:
        """Tell the identifier that an address has, if it has one."""
        return self._ids.get(canonical(host))

    def set(self, host: str, number: int) -> None:
        """Take down which identifier an address really has; who had it before has none any more."""
        known = {address: n for address, n in self._ids.items() if n != number}
        self._ids = {**known, canonical(host): number}

    def replace(self, known: Mapping[str, int]) -> None:
        """Forget all, and take down these."""
        self._ids = {canonical(host): number for host, number in known.items()}
