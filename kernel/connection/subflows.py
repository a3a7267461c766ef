"""The six calls of the paper on a connected socket, for programs without the HTTP side.

Hesmans and Bonaventure, "An enhanced socket API for Multipath TCP" (ANRW 2016), table 1.
"""

from __future__ import annotations

import select
import socket
import time
from types import TracebackType
from typing import Self

from ..bpf.options import only_on_subflows, option_bytes
from ..errors import CallRefused, KernelError, NoSuchSubflow, NotReady, OpenRefused
from ..interfaces.paths import path_of
from ..mechanism import Mechanism
from ..probe import best_mechanism
from ..values import ConnectionInfo, FourTuple, Path, SocketAddress, SubflowInfo
from .establishment import OPEN_TIMEOUT, Opening
from .event_stream import LOOK_EVERY, EventStream

_LOOK_EVERY = 0.05  # seconds; events come sooner, but another reader may have had them
_LOOK_CLOSELY = 0.002  # seconds between looks at what no event tells: the fourth packet


class Subflows:
    """The subflows of one connection; a context manager.

    Calls block until the kernel, or for `open` the peer, has answered. One thread at a time.

    Args:
        sock: a connected MPTCP socket; it stays the caller's.
        mechanism: what carries out the calls, or None for the best that is there. One that is
            given stays the caller's, but its events are read here.

    Raises:
        NotMultipath: the connection fell back to TCP.
    """

    def __init__(self, sock: socket.socket, mechanism: Mechanism | None = None) -> None:
        self._socket = sock
        self._owned = mechanism is None
        self._mechanism = best_mechanism() if mechanism is None else mechanism
        self._streams: list[EventStream] = []
        try:
            self._control = self._mechanism.control(sock)
            self._control.listen()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for stream in self._streams:
            stream.close()
        if self._owned:
            self._mechanism.close()

    def ids(self) -> list[int]:
        """List the subflows that live, by id (paper, section 3.1).

        Raises:
            NotMultipath: the connection fell back to TCP.
        """
        return [subflow.id for subflow in self._live()]

    def tuple_of(self, subflow_id: int) -> FourTuple:
        """Tell a subflow's addresses and ports (paper, section 3.2).

        Raises:
            NoSuchSubflow: it is gone.
        """
        return self._find(subflow_id).tuple

    def open(
        self,
        where: Path | FourTuple,
        remote: SocketAddress | None = None,
        *,
        backup: bool = False,
        timeout: float = OPEN_TIMEOUT,
    ) -> int:
        """Open a subflow and wait until it is established and has settled (paper, section 3.3).

        Args:
            where: the path that it takes, or both its addresses; the local port must be 0, since
                the kernel chooses it.
            remote: address and port of the peer; the connection's own if None, or where it is 0.
            backup: ask the peer to use it only when no regular subflow works.
            timeout: seconds to wait in all, also for the connection to be fully established.

        Returns:
            Its id.

        Raises:
            NotReady: the connection isn't fully established: no data was exchanged.
            OpenRefused: the peer refused it, or never answered.
            KernelError: any other refusal.
        """
        deadline = time.monotonic() + timeout
        path, remote = self._resolve(where, remote)
        subflow = self._send_syn(path, remote, backup, deadline)
        for stream in self._streams:
            stream.on_syn(subflow)
        now = time.monotonic()
        opening = Opening(subflow, now, timeout=deadline - now)
        while opening.outcome is None:
            self._wait(opening)
        if isinstance(opening.outcome, OpenRefused):
            self._abandon(subflow)
            raise opening.outcome
        return opening.outcome.id

    def close(self, subflow_id: int) -> None:
        """Close a subflow; what it had not delivered goes on over the others (paper, section 3.4).

        Raises:
            NoSuchSubflow: it is gone.
        """
        self._control.close(self._find(subflow_id))

    def getsockopt(self, subflow_id: int, level: int, name: int, size: int) -> bytes:
        """Read an option of one subflow (paper, section 3.5); TCP_INFO needs no privilege.

        Args:
            subflow_id: the one.
            level: such as `socket.IPPROTO_TCP`.
            name: such as `socket.TCP_CONGESTION`.
            size: bytes to read; the kernel insists on 4 for an int.

        Raises:
            CallRefused: the kernel refused it; the hint says which options it has here.
            NoSuchSubflow: it is gone.
            NotPermitted: CAP_BPF or CAP_PERFMON is missing.
            NotSupported: libbpf is missing, or this kernel has no BTF; or the connection is of
                another network namespace.
        """
        return self._control.getsockopt(self._find(subflow_id), level, name, size)

    def setsockopt(self, subflow_id: int, level: int, name: int, value: int | bytes) -> None:
        """Set an option on one subflow alone (paper, section 3.5).

        Args:
            subflow_id: the one.
            level: such as `socket.IPPROTO_IP`.
            name: such as `socket.IP_TOS`.
            value: an int of 32 bits, with a sign or without; or the bytes that the option takes.

        Raises:
            The same as `getsockopt`.
        """
        self._control.setsockopt(self._find(subflow_id), level, name, value)

    def setsockopt_all(self, level: int, name: int, value: int | bytes) -> list[int]:
        """Set an option on every subflow: on the connection, or else on one after the other.

        What is set on the connection, the kernel passes on to the subflows that there are and to
        those that come. What it doesn't take there is set on the subflows that there are now.

        Returns:
            Ids of the subflows on which it was set; an option of IPv6 is not on one of IPv4.

        Raises:
            CallRefused: the kernel refused it on the connection, or on each of them.
            KernelError: it could not be set on one subflow alone; see `setsockopt`.
        """
        data = option_bytes(value)
        try:
            self._socket.setsockopt(level, name, data)
        except OSError as error:
            number = error.errno or 0
            if only_on_subflows(level, name, number):
                return self._set_one_by_one(level, name, data)
            what = f"option {name} of level {level} was not set"
            raise CallRefused(what, errno=number) from None
        return self.ids()

    def set_backup(self, subflow_id: int, backup: bool) -> None:
        """Pause a subflow (True) or resume it (False), by MP_PRIO (RFC 8684, section 3.3.8).

        Raises:
            NoSuchSubflow: it is gone.
        """
        self._control.set_backup(self._find(subflow_id), backup)

    def info(self) -> ConnectionInfo:
        """Tell all that the kernel tells of the connection.

        Raises:
            NotMultipath: the connection fell back to TCP.
        """
        return self._control.info()

    def announced(self) -> list[SocketAddress]:
        """List the addresses that the peer has announced and not withdrawn (RFC 8684, section 3.4).

        The port 0 stands for the connection's own; `open` takes it. The kernel tells each once, in
        an event, and no call gives the list (6.18): what was announced before the mechanism was
        there isn't known, nor anything without events. Make the mechanism before the connection.
        """
        self._mechanism.events()
        return list(self._control.announced().values())

    def events(self, *, look_every: float = LOOK_EVERY) -> EventStream:
        """Begin to listen to what happens to the connection from now on.

        What is returned is an iterator, for `for` as well as for `async for`. It has a mechanism of
        its own, so another thread may wait on it, and it ends with the connection.

        Args:
            look_every: seconds between two looks at the connection; retransmission time-outs are
                found by these.

        Raises:
            NotMultipath: the connection fell back to TCP.
        """
        stream = EventStream(
            self._socket, look_every=look_every, announced=self._control.announced()
        )
        self._streams.append(stream)
        return stream

    def _live(self) -> list[SubflowInfo]:
        return [s for s in self._control.info().subflows if not s.closed]

    def _set_one_by_one(self, level: int, name: int, value: bytes) -> list[int]:
        done: list[int] = []
        refusal: KernelError | None = None
        for subflow in self._live():
            try:
                self._control.setsockopt(subflow, level, name, value)
                done.append(subflow.id)
            except NoSuchSubflow:
                pass
            except CallRefused as error:
                refusal = error
        if refusal is not None and not done:
            raise refusal
        return done

    def _find(self, subflow_id: int) -> SubflowInfo:
        for subflow in self._live():
            if subflow.id == subflow_id:
                return subflow
        raise NoSuchSubflow(f"the connection has no subflow {subflow_id}")

    def _resolve(
        self, where: Path | FourTuple, remote: SocketAddress | None
    ) -> tuple[Path, SocketAddress]:
        if isinstance(where, Path):
            return where, remote or SocketAddress(*self._socket.getpeername()[:2])
        if where.local.port:
            raise ValueError(f"the local port must be 0, not {where.local.port}")
        path = path_of(where.local.host)
        if path is None:
            raise OpenRefused(f"no interface has the address {where.local.host}")
        return path, where.remote

    def _send_syn(
        self, path: Path, remote: SocketAddress, backup: bool, deadline: float
    ) -> SubflowInfo:
        while True:
            try:
                return self._control.open(path, remote, backup=backup)
            except NotReady as error:
                if time.monotonic() >= deadline:
                    error.hint = "exchange data first: send the request, then open"
                    raise
            self._poll(deadline, _LOOK_EVERY)
            self._mechanism.events()  # one of them may say that it is established now

    def _wait(self, opening: Opening) -> None:
        settling = opening.established_at is not None
        self._poll(opening.next_deadline, _LOOK_CLOSELY if settling else _LOOK_EVERY)
        now = time.monotonic()
        # The look comes first: an event that is read after it can still say why one is gone.
        looks = [s for s in self._control.info().subflows if s.id == opening.subflow.id]
        for event in self._mechanism.events():
            opening.on_event(event, now)
        for look in looks:
            opening.on_info(look, now)
        if not looks:
            opening.on_gone()
        opening.on_time(now)

    def _poll(self, until: float | None, longest: float) -> None:
        """Sleep until an event comes, but not for long."""
        left = longest if until is None else until - time.monotonic()
        poll = select.poll()
        events = self._mechanism.fileno()
        if events is not None:
            poll.register(events, select.POLLIN)
        poll.poll(1e3 * min(max(left, 0.0), longest))

    def _abandon(self, subflow: SubflowInfo) -> None:
        """Stop a subflow that nobody answered from sending SYNs."""
        try:
            self._control.close(subflow)
        except NoSuchSubflow:
            return  # gone by itself
