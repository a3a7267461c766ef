"""Range connections beside the subflows of a connection that refuses to be joined.

The connection goes on as it was: what it has of subflows, the strategy controls as before, and each
subflow that it asks for is tried there first. What is refused, or was killed before it had brought
anything, is opened once more, as a connection that fetches parts. Whoever reads the body takes both
from the assembly (`reader`), which had only counted the bytes until then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mphttp.core import Note, SubflowRecord, SubflowTable
from mphttp.engine.account import Account, Taken
from mphttp.engine.connection import Connection
from mphttp.engine.driven import Driven
from mphttp.kernel.values import Path, SocketAddress
from mphttp.report import SubflowReport
from mphttp.strategies import Close, Command, Open, SetBackup, SetOption

from .assembly import Assembly
from .carrier import PartsCarrier, unread_of
from .control import PartsControl, State
from .link import Linker
from .plan import LEAST_SHARE


class _Control(PartsControl):
    """Takes the connection for one subflow, which it is to the parts: any that it has left."""

    def take(self) -> State:
        """Take down the state of all connections."""
        return super().take()._replace(as_one=True)


class PartsBeside(PartsCarrier):
    """One response of which subflows bring some, and further connections the rest."""

    control_of = _Control

    @property
    def mechanism_name(self) -> str:
        """Names of what carries out the calls."""
        return f"{self.first.mechanism_name}+{super().mechanism_name}"

    @property
    def busy(self) -> bool:
        """Whether a subflow or a connection is being opened or drained."""
        return self.first.busy or super().busy

    # The strategy's side.

    def alive(self) -> list[SubflowRecord]:
        """Return the subflows, unless the first response is over, and the connections."""
        own = super().alive()
        first = next((record for record in own if record.id >= 0), None)
        subflows = self.first.alive() if first is not None else []
        if first is not None and first.backup:  # nobody reads from it
            subflows = [replace(record, backup=True) for record in subflows]
        return subflows + [record for record in own if record.id < 0]

    def remotes(self) -> list[SocketAddress]:
        """Return the peer's addresses: the connection's own, then those that it announced."""
        return self.first.remotes()

    def command(self, exchange: Driven, command: Command, now: float, path: Path | None) -> None:
        """Let who has the subflow carry it out; opens are tried as subflows first."""
        if self._is_mine(command, now):
            super().command(exchange, command, now, path)
        else:
            self.first.command(exchange, command, now, path)

    def _is_mine(self, command: Command, now: float) -> bool:
        match command:
            case Close(subflow) | SetBackup(subflow):
                return subflow.id < 0 or self._stands_for(subflow.id, now)
            case SetOption(subflow):
                return subflow.id < 0
            case _:  # where the first response is over, so is the connection
                return not self.assembly.first.goes_on

    def _stands_for(self, subflow_id: int, now: float) -> bool:
        """Tell whether a subflow is the connection's last, without which others bring the rest."""
        subflows = self.first.alive()
        if len(subflows) != 1 or subflows[0].id != subflow_id:
            return False
        self.look(now)
        own = self.table.alive()
        return any(record.id < 0 for record in own) and any(r.id == subflow_id for r in own)

    def open_otherwise(self, exchange: Driven, command: Open, path: Path, now: float) -> bool:
        """Fetch parts over a path on which no subflow is to be had."""
        if exchange not in self.transfers.under_way:
            self.transfers.under_way.append(exchange)
        super().command(exchange, command, now, path)
        return True

    def make_calls(self) -> None:
        """Make all calls that are wanted; on the engine's thread, without the lock."""
        self.first.make_calls()
        super().make_calls()

    def look(self, now: float) -> None:
        """Read all there is."""
        self.first.look(now)
        super().look(now)

    def _is_news(self, note: Note) -> bool:
        """Tell whether the connection doesn't tell it: that one of its subflows ended by itself."""
        record = note.subflow
        asked = record is not None and record.left_at != record.closed_at
        return record is None or record.id < 0 or asked

    def acknowledged(self, before: Taken) -> tuple[int | None, int | None]:
        """Return the bytes of the request that have arrived since, and those that haven't."""
        return self.first.acknowledged(before)

    # The report's side.

    def rows(self, account: Account, table: SubflowTable | None = None) -> list[SubflowReport]:
        """Tell of the further connections; the first one tells of its subflows."""
        own = Account(account.sent_at, ended_at=account.ended_at)
        return [row for row in super().rows(own, table) if row.id is None or row.id < 0]

    def delivered(self, account: Account) -> int | None:  # noqa: ARG002  it counts the body
        """Return the bytes of the body that have come."""
        return self.bytes_received()

    def _leave_first(self, exchange: Driven, now: float, state: Taken | None) -> Taken | None:  # noqa: ARG002  the connection's is what counts
        return self.first.leave(exchange, now, whole=self.assembly.first.read_whole)


def beside(
    first: Connection, assembly: Assembly, linker: Linker, server: tuple[str, int]
) -> Callable[[int], PartsBeside | None]:
    """Return what lets others help from now on, unless it is too late for that then.

    It takes the bytes of the body that were read.

    Args:
        first: the connection of the response.
        assembly: what has come, for the reader.
        linker: makes further connections.
        server: name and port, for the limit on connections to it.
    """

    def make(position: int) -> PartsBeside | None:
        if assembly.resource.length - position - unread_of(first.reader) < LEAST_SHARE:
            return None
        assembly.begin(position)
        return PartsBeside(first, assembly, linker, server)

    return make
