"""The ways to connect to a host, each an address and a path to it, the most preferred first."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mphttp.engine.request import current_request
from mphttp.kernel.values import Path, SocketAddress

from .race import interleaved
from .socket_types import Address, Entry
from .start import Start


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One way to connect; another one to the same place is another candidate.

    Args:
        family: `socket.AF_INET` or `socket.AF_INET6`.
        address: as `socket.connect` takes it.
        path: where the first subflow leaves; None leaves it to the system.
        rank: how preferred the path is, the lowest most.
        costly: whether the path costs money, while others don't.
    """

    family: int
    address: Address
    path: Path | None = None
    rank: int = 0
    costly: bool = False


class Candidates:
    """The ways to connect to a host, and what came of those that were tried.

    A preferred path comes before another, but not with all of a name's addresses: two at a time,
    one of each family where there are both, so that neither a dead family nor a dead path costs
    more than two delays between attempts.

    Args:
        host: a name or an IP address, for words.
        found: what `getaddrinfo` gave.
        start: chooses the path of the first subflow; None leaves it to the system.

    Attributes:
        error: why the last one that failed did.
    """

    def __init__(self, host: str, found: Iterable[Entry], start: Start | None) -> None:
        self.error: OSError = OSError(f"no address is known for {host}")
        self._found = interleaved(found)
        self._start = start
        self._tried: dict[Candidate, OSError | None] = {}

    def __iter__(self) -> Iterator[Candidate]:
        for place in range(0, len(self._found), 2):
            for candidate in self._of(self._found[place : place + 2]):
                self._tried[candidate] = None
                yield candidate

    def _of(self, found: Sequence[Entry]) -> Iterator[Candidate]:
        preferred = [candidate for entry in found for candidate in self._preferred(entry)]
        yield from sorted(preferred, key=lambda candidate: candidate.rank)
        if self._start is not None and not any(map(self._answered, preferred)):
            for family, _, _, _, address in found:
                for rank, path in self._start.elsewhere(*_place(address)):
                    costly = path is not None and self._start.is_costly(path)
                    yield Candidate(family, address, path, rank, costly)

    def _preferred(self, entry: Entry) -> list[Candidate]:
        family, _, _, _, address = entry
        if self._start is None:
            return [Candidate(family, address)]
        try:
            ways = self._start.preferred(*_place(address))
        except OSError as error:  # the next address may be of a family that a path has
            self.error = error
            return []
        return [Candidate(family, address, path, rank) for rank, path in ways]

    def _answered(self, candidate: Candidate) -> bool:
        """Return whether the host itself said no: then its paths aren't dead."""
        error = self._tried.get(candidate)
        return error is not None and error.errno == errno.ECONNREFUSED

    def failed(self, candidate: Candidate, error: OSError) -> None:
        """Record that a candidate didn't do."""
        self.error = self._tried[candidate] = error

    def chosen(self, winner: Candidate) -> None:
        """Record that a candidate did, and tell which paths that are preferred to it didn't."""
        request = current_request()
        if request is not None:
            request.addresses = tuple(_place(address)[0] for *_, address in self._found)
        if self._start is None:
            return
        told: dict[str, tuple[Path, OSError | None]] = {}
        for candidate, error in self._tried.items():
            path = candidate.path or self._start.system
            if candidate.rank < winner.rank and path is not None:
                told[path.name] = path, error
        for name, (path, error) in told.items():
            if winner.path is None or winner.path.name != name:
                self._start.failed(path, error or OSError("no answer in time"))


def _place(address: Address) -> tuple[SocketAddress, int]:
    """Return an address, and the interface of its link, which sockets have as its scope."""
    link = int(address[3]) if len(address) > 3 else 0
    return SocketAddress(str(address[0]), int(address[1])), link
