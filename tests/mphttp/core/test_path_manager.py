"""The path manager against a simple kernel: any commands, faults and orders of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mphttp.core import (
    Answer,
    CloseSubflow,
    Failure,
    KernelCall,
    OpenSubflow,
    PathManager,
    State,
    SubflowTable,
)
from mphttp.kernel.errors import KernelError, NotReady
from mphttp.strategies import Close, Command, Open, Path, SetBackup, SetOption, Subflow

from .model_kernel import PATHS, REMOTE, ModelKernel, path_of

NAMES = ("wifi", "lte", "gone")


class Subflows(RuleBasedStateMachine):
    """Some transfers on one connection, whose kernel and peer do what they may at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = ModelKernel()
        self.table = SubflowTable(path_of)
        self.manager = PathManager(self.table, REMOTE)
        self.now = 0.0
        self.calls: list[KernelCall] = []
        self.waiting: dict[int, Command] = {}  # a command that wants an answer, by transfer
        self.running: list[int] = []
        self.retired: list[int] = []
        self.transfers = 0
        self.told = True  # whether the manager knows of all that ended

    @initialize()
    def look_first(self) -> None:
        self.manager.on_snapshot(self.kernel.info(), self.now)
        self.take()

    def take(self) -> None:
        """Take what came out, and check it."""
        for effect in self.manager.take_effects():
            match effect:
                case Answer(transfer) | Failure(transfer):
                    assert transfer in self.running, "an answer for one that has ended"
                    del self.waiting[transfer]  # type: ignore[arg-type]  # or a second answer
                case CloseSubflow(subflow):
                    self.check_close(subflow.id)
                    self.calls.append(effect)
                case _ if isinstance(effect, KernelCall):
                    self.calls.append(effect)

    def check_close(self, subflow_id: int) -> None:
        """See that something works besides what is to be closed, as far as was told."""
        never_worked = self.kernel.rows.get(subflow_id)
        if never_worked is None or not never_worked.established:
            return
        record = self.table.get(subflow_id)
        if record is None or record.opened_at is None:
            return  # refused, or abandoned, while it was opened
        closing = {call.subflow.id for call in self.calls if isinstance(call, CloseSubflow)}
        others = self.kernel.working - closing - {subflow_id}
        assert others or not self.told, "the last working subflow is closed"

    # Transfers.

    @precondition(lambda self: len(self.running) < 3)
    @rule()
    def begin(self) -> None:
        self.transfers += 1
        self.running.append(self.transfers)

    def idle(self) -> list[int]:
        return [transfer for transfer in self.running if transfer not in self.waiting]

    @precondition(lambda self: self.idle())
    @rule(data=st.data())
    def command(self, data: Any) -> None:
        transfer = data.draw(st.sampled_from(self.idle()))
        ids = st.integers(1, max(1, self.kernel._ids))
        subflows = ids.map(lambda i: Subflow(i, Path("wifi")))
        paths = st.sampled_from(NAMES).map(Path)
        command = data.draw(
            st.one_of(
                st.builds(Open, paths, backup=st.booleans()),
                st.builds(Close, subflows, lost=st.booleans()),
                st.builds(SetBackup, subflows, st.booleans()),
                st.builds(SetOption, subflows, st.just(0), st.just(1), st.just(2)),
            )
        )
        self.waiting[transfer] = command
        path = PATHS.get(command.path.name) if isinstance(command, Open) else None
        self.manager.command(transfer, command, self.now, path)
        self.take()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def retire(self, data: Any) -> None:
        """A response has ended; the engine hears of it later."""
        transfer = data.draw(st.sampled_from(self.running))
        self.running.remove(transfer)
        self.waiting.pop(transfer, None)
        self.manager.retire(transfer, self.now)
        self.retired.append(transfer)
        ready = [e for e in self.manager.take_effects() if not isinstance(e, Answer | Failure)]
        assert not ready

    @precondition(lambda self: self.retired)
    @rule()
    def release(self) -> None:
        self.manager.release(self.retired.pop(0), self.now)
        self.take()

    # The kernel and the peer.

    @precondition(lambda self: self.calls)
    @rule(refused=st.booleans(), early=st.booleans())
    def call(self, refused: bool, early: bool) -> None:
        call = self.calls.pop(0)
        self.carry_out(call, refused=refused, early=early)
        self.take()

    def carry_out(self, call: KernelCall, *, refused: bool = False, early: bool = False) -> None:
        try:
            if refused and not isinstance(call, CloseSubflow):
                kind = NotReady if early and isinstance(call, OpenSubflow) else KernelError
                raise kind("refused by the kernel")
            row = self.kernel.carry_out(call)
        except KernelError as error:
            self.manager.failed(call, error, self.now)
        else:
            self.manager.completed(call, self.now, row)

    @precondition(lambda self: any(not row.established for row in self.kernel.rows.values()))
    @rule(data=st.data(), confirmed=st.booleans(), told=st.booleans())
    def establish(self, data: Any, confirmed: bool, told: bool) -> None:
        syns = [i for i, row in self.kernel.rows.items() if not row.established]
        event = self.kernel.establish(data.draw(st.sampled_from(syns)), confirmed=confirmed)
        if told:
            self.manager.on_event(event, self.now)
            self.take()

    @precondition(lambda self: self.kernel.rows)
    @rule(data=st.data(), error=st.sampled_from([0, 104, 111]), told=st.booleans())
    def end(self, data: Any, error: int, told: bool) -> None:
        event = self.kernel.end(data.draw(st.sampled_from(sorted(self.kernel.rows))), error)
        self.told = False
        if told:
            self.manager.on_event(event, self.now)
            self.take()

    @rule()
    def look(self) -> None:
        self.manager.on_snapshot(self.kernel.info(), self.now)
        self.told = True
        self.take()

    @rule(
        data=st.data(),
        count=st.integers(0, 10**6),
        delivered=st.integers(0, 10**7),
        waiting=st.integers(0, 10**6),
    )
    def bring(self, data: Any, count: int, delivered: int, waiting: int) -> None:
        """Bytes come, and are looked at: what holds up others may be closed for that."""
        if not self.kernel.working:
            return
        row_id = data.draw(st.sampled_from(sorted(self.kernel.working)))
        row = self.kernel.rows[row_id]
        self.kernel.rows[row_id] = replace(row, bytes_received=row.bytes_received + count)
        self.now += 0.1
        info = self.kernel.info()
        self.manager.on_snapshot(info, self.now)
        self.told = True
        self.manager.weigh(replace(info, bytes_received=delivered), self.now, waiting)
        self.take()

    @rule(seconds=st.sampled_from([0.001, 0.03, 0.5, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.manager.on_time(self.now)
        self.take()

    # What must always hold.

    @invariant()
    def every_record_is_known_to_the_kernel_or_on_its_way(self) -> None:
        for record in self.table.open():
            assert record.closed_at is None
            assert record.state is not State.CLOSED
            assert (record.left_at is None) == (record.state in (State.OPENING, State.ESTABLISHED))

    def settle(self) -> None:
        """Let everything that was begun come to its end."""
        for _ in range(30):
            while self.calls:
                self.carry_out(self.calls.pop(0))
                self.take()
            self.look()
            self.time_passes(1.0)
            self.take()

    def teardown(self) -> None:
        self.settle()
        assert not self.waiting, "a command without an answer"
        for transfer in list(self.running):
            self.running.remove(transfer)
            self.manager.retire(transfer, self.now)
            self.retired.append(transfer)
        while self.retired:
            self.release()
        self.settle()
        initial = {1} & set(self.kernel.rows)
        left = set(self.kernel.rows)
        assert left == initial or len(left) == 1, f"nobody owns {left}"
        assert {record.id for record in self.table.open()} == left
        assert not self.manager.busy
        assert self.manager.next_time(self.now) is None


TestSubflows = Subflows.TestCase
TestSubflows.settings = settings(
    stateful_step_count=40,
    deadline=None,
)
