"""The subflows of one connection, changed by socket options: the paper's own way."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..addresses import unmapped
from ..bpf.options import option_bytes
from ..errors import CallRefused, KernelError, NoSuchSubflow, NotReady, OpenRefused
from ..readonly.control import ConnectionControl
from ..values import FourTuple, Path, SocketAddress, SubflowInfo
from . import calls

_UNREACHABLE = frozenset(
    {
        errno.EACCES,
        errno.EADDRNOTAVAIL,
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOSPC,
        errno.ETIMEDOUT,
    }
)
_HINTS = {
    errno.EACCES: "the peer asked for no further subflows to its initial address; it may announce "
    "another",
    errno.ENOSPC: "a connection has at most 32 subflows at once: close one",
}


class SockoptControl(ConnectionControl):
    """The subflows of one connection, changed by socket options.

    Subflows are known by the kernel's unique ids here, as everywhere. The ids of the options are
    recycled, and looked up anew for each call.
    """

    def open(self, path: Path, remote: SocketAddress, *, backup: bool = False) -> SubflowInfo:
        """Send the SYN of a new subflow and return at once.

        Args:
            path: where it leaves; the kernel takes the interface that has its address.
            remote: address and port of the peer; port 0 is the connection's own.
            backup: ask the peer to use it only when no regular subflow works, by MP_PRIO as soon as
                the handshake is over.

        Raises:
            NotReady: the connection is not fully established yet.
            OpenRefused: no SYN could be sent, it was refused at once, or the peer forbade it; or
                there are 32 subflows already.
            CallRefused: any other refusal.
        """
        what = f"no subflow was opened on {path.name} from {path.address} to {remote.host}"
        local = unmapped(SocketAddress(path.address, 0))
        try:
            pair = FourTuple(local, unmapped(remote))
            number = calls.open_tuple(self._socket, pair)
        except ValueError as error:
            raise CallRefused(f"{what}: {error}") from None
        except OSError as error:
            raise _translated(error, what, opening=True) from None
        if backup:
            with _translating(what):
                calls.set_prio(self._socket, number, low=True)
        return self._opened(number, what)

    def close(self, subflow: SubflowInfo) -> None:
        """End a subflow; its unacknowledged data goes on over the others.

        Raises:
            NoSuchSubflow: it is gone already, or the connection is.
        """
        with _translating("the subflow was not closed"):
            calls.close_id(self._socket, self._number(subflow))

    def set_backup(self, subflow: SubflowInfo, backup: bool) -> None:
        """Send MP_PRIO: pause a subflow (True) or resume it (False).

        Raises:
            NoSuchSubflow: it is gone already, or the connection is.
        """
        with _translating("the subflow's priority was not changed"):
            calls.set_prio(self._socket, self._number(subflow), backup)

    def setsockopt(self, subflow: SubflowInfo, level: int, name: int, value: int | bytes) -> None:
        """Set an option on one subflow alone: any that its TCP socket takes.

        Raises:
            CallRefused: the socket refused it.
            NoSuchSubflow: the subflow is gone.
        """
        with _translating(f"option {name} of level {level} was not set"):
            number = self._number(subflow)
            calls.set_option(self._socket, number, level, name, option_bytes(value))

    def getsockopt(self, subflow: SubflowInfo, level: int, name: int, size: int) -> bytes:
        """Read an option of one subflow: any that its TCP socket has.

        Raises:
            The same as `setsockopt`.
        """
        with _translating(f"option {name} of level {level} was not read"):
            return calls.get_option(self._socket, self._number(subflow), level, name, size)

    def _number(self, subflow: SubflowInfo) -> int:
        """Find the number that a subflow has now."""
        wanted = _plain(subflow.tuple)
        for status in calls.get_ids(self._socket):
            if self._tuple_of(status.id) == wanted:
                return status.id
        raise NoSuchSubflow(f"subflow {subflow.id} is gone already")

    def _tuple_of(self, number: int) -> FourTuple | None:
        try:
            return calls.get_tuple(self._socket, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # it went between the list and here
                return None
            raise

    def _opened(self, number: int, what: str) -> SubflowInfo:
        pair = self._tuple_of(number)
        for subflow in reversed(self.info().subflows):
            if pair is not None and _plain(subflow.tuple) == pair:
                return subflow
        raise OpenRefused(f"{what}: it was refused at once")


def _plain(pair: FourTuple) -> FourTuple:
    return FourTuple(*map(unmapped, pair))


@contextmanager
def _translating(what: str) -> Iterator[None]:
    try:
        yield
    except KernelError:
        raise
    except OSError as error:
        raise _translated(error, what) from None


def _translated(error: OSError, what: str, *, opening: bool = False) -> KernelError:
    number = error.errno or 0
    kind: Callable[..., KernelError] = CallRefused
    if number == errno.EBADF:
        kind = NoSuchSubflow
    elif opening and number == errno.ENOTCONN:
        kind = NotReady
    elif opening and number in _UNREACHABLE:
        kind = OpenRefused
    return kind(what, errno=number, hint=_HINTS.get(number, "") if opening else "")
