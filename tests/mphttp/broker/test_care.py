"""What is decided for connections that nobody claims, without a kernel."""

from __future__ import annotations

import pwd
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.broker.machine.asking import ASK_AFTER, Asking
from mphttp.broker.machine.calls import (
    Announce,
    Ask,
    Call,
    End,
    Failure,
    Hand,
    Join,
    Prioritise,
    Told,
    Withdraw,
)
from mphttp.broker.machine.care import Caretaker
from mphttp.broker.machine.rules import Facts, Rule, first_match
from mphttp.broker.machine.rules_file import read_rules
from mphttp.broker.machine.rules_found import RulesFile
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionEstablished,
    Event,
    SubflowClosed,
    SubflowEstablished,
)
from mphttp.kernel.path_manager.endpoints import Endpoint, InKernelSettings
from mphttp.kernel.path_manager.tables import AddressFlag
from mphttp.kernel.values import FourTuple, SocketAddress
from mphttp.strategies import FullMesh, Handover, KernelPathManager

SERVER = SocketAddress("192.0.2.1", 443)
HOSTS = ("10.0.1.1", "10.0.2.1", "10.0.3.1", "fd00::1")
FLAGS = (
    AddressFlag.SUBFLOW,
    AddressFlag.SUBFLOW | AddressFlag.BACKUP,
    AddressFlag.SUBFLOW | AddressFlag.FULLMESH,
    AddressFlag.SIGNAL,
    AddressFlag.SIGNAL | AddressFlag.SUBFLOW,
    AddressFlag(0),
)


def pair(host: str, port: int, remote: SocketAddress = SERVER) -> FourTuple:
    return FourTuple(SocketAddress(host, port), remote)


@dataclass
class Kernel:
    """Does what it is asked as a kernel does, and holds it against what must never be."""

    care: Caretaker
    settings: InKernelSettings = field(default_factory=InKernelSettings)
    now: float = 0.0
    port: int = 50_000
    firsts: dict[int, FourTuple] = field(default_factory=dict)
    further: dict[int, set[FourTuple]] = field(default_factory=dict)
    ready: set[int] = field(default_factory=set)
    claimed: set[int] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    refuses: bool = False

    def event(self, event: Event) -> None:
        self.care.on_event(event, self.now)
        self.work()

    def connect(self, token: int, host: str, *, server_side: bool = False) -> None:
        self.port += 1
        first = pair(host, self.port)
        self.firsts[token], self.further[token] = first, set()
        self.claimed.discard(token)
        self.event(ConnectionCreated(token, first, server_side, False))
        self.ready.add(token)
        self.event(ConnectionEstablished(token, first, server_side, False))

    def close(self, token: int) -> None:
        if self.firsts.pop(token, None):
            self.claimed.discard(token)
            self.event(ConnectionClosed(token))

    def configure(self, settings: InKernelSettings) -> None:
        self.settings = settings
        self.care.configure(settings)
        self.work()

    def wait(self, seconds: float = 0.1) -> None:
        self.now += seconds
        self.care.on_time(self.now)
        self.work()

    def work(self) -> None:
        while calls := self.care.take_calls():
            for call in calls:
                self.calls.append(call)
                self.carry_out(call)

    def carry_out(self, call: Call) -> None:
        assert call.token not in self.claimed, "a connection that is claimed is left alone"
        if call.token not in self.firsts:  # it ended before the call was made
            if isinstance(call, Ask):
                self.care.told(call, None, self.now)
            else:
                self.care.failed(call, Failure.NOT_OURS, self.now)
            return
        match call:
            case Ask(token):
                self.care.told(call, Told(token in self.ready, True, 1000), self.now)
            case Join(token, local, remote):
                assert call.token in self.ready
                assert local.host is None or local.host in {e.host for e in self.settings.endpoints}
                assert remote.port
                named = call if local.host else self.care.named(call, "10.0.1.1")
                if self.refuses:
                    self.care.failed(named, Failure.REFUSED, self.now)
                    return
                self.port += 1
                joined = pair(named.local.host or "", self.port, remote)
                self.further[token].add(joined)
                limit = self.settings.subflows
                assert len(self.further[token]) <= limit, "the limit holds"
                told = SubflowEstablished(token, joined, named.local.id or 0, 0, False, 0)
                self.care.on_event(told, self.now)
            case End(token, ended) | Prioritise(token, ended):
                assert ended == self.firsts[token] or ended in self.further[token]
            case Announce(_, address):
                assert address.flags == AddressFlag.SIGNAL
            case Withdraw() | Hand():
                pass


def joins(kernel: Kernel) -> list[tuple[str | None, str]]:
    return [(c.local.host, c.remote.host) for c in kernel.calls if isinstance(c, Join)]


endpoints = st.lists(
    st.builds(Endpoint, st.integers(1, 8), st.sampled_from(HOSTS), st.sampled_from(FLAGS)),
    max_size=5,
    unique_by=(lambda e: e.id, lambda e: e.host),
).map(tuple)
tokens = st.integers(1, 3)
steps = st.one_of(
    st.tuples(st.just("connect"), tokens, st.sampled_from(HOSTS[:3]), st.booleans()),
    st.tuples(st.just("close"), tokens),
    st.tuples(st.just("claim"), tokens),
    st.tuples(st.just("wait"), st.floats(0, 3)),
    st.tuples(st.just("configure"), endpoints, st.integers(0, 4), st.integers(0, 4)),
    st.tuples(st.just("announce"), tokens, st.integers(1, 3)),
    st.tuples(st.just("withdraw"), tokens, st.integers(1, 3)),
    st.tuples(st.just("end a subflow"), tokens),
    st.tuples(st.just("refuse"), st.booleans()),
    st.tuples(st.just("look anew")),
)


def take(kernel: Kernel, step: tuple[object, ...]) -> None:
    match step:
        case ("connect", int(token), str(host), bool(server_side)):
            kernel.close(token)
            kernel.connect(token, host, server_side=server_side)
        case ("close", int(token)):
            kernel.close(token)
        case ("claim", int(token)) if token in kernel.firsts:
            kernel.claimed.add(token)
            kernel.care.claim(token)
        case ("wait", float(seconds)):
            kernel.wait(seconds)
        case ("configure", tuple(found), int(subflows), int(accepted)):
            # A limit that falls ends nothing, here as in the kernel.
            most = max(subflows, kernel.settings.subflows)
            kernel.configure(InKernelSettings(found, most, accepted))
        case ("announce", int(token), int(number)) if token in kernel.firsts:
            at = SocketAddress(f"192.0.2.{number + 1}", 0)
            kernel.event(AddressAnnounced(token, number, at))
        case ("withdraw", int(token), int(number)) if token in kernel.firsts:
            kernel.event(AddressRemoved(token, number))
        case ("end a subflow", int(token)) if kernel.further.get(token):
            ended = min(kernel.further[token])
            kernel.further[token].discard(ended)
            kernel.event(SubflowClosed(token, ended, 0, 0, 0, None))
        case ("refuse", bool(refuses)):
            kernel.refuses = refuses
        case ("look anew",):
            kernel.care.forget_all_but(kernel.firsts)
            for token, first in kernel.firsts.items():
                kernel.care.found(token, first, (), kernel.now)


@given(st.lists(steps, max_size=30))
def test_whatever_happens_no_promise_is_broken(script: list[tuple[object, ...]]) -> None:
    """Limits hold, only endpoints are used, each once, and what is claimed is left alone."""
    kernel = Kernel(Caretaker())
    for step in script:
        if step[0] == "look anew" and any(kernel.further.get(t) for t in kernel.firsts):
            continue  # a look tells of all subflows: see the tests with a real kernel
        take(kernel, step)
    for _ in range(3):
        kernel.wait(3)
    assert not kernel.care.take_calls()
    assert not kernel.care.busy or kernel.firsts


@given(endpoints, st.integers(0, 8))
def test_each_endpoint_is_used_once_in_their_order(found: tuple[Endpoint, ...], limit: int) -> None:
    kernel = Kernel(Caretaker())
    kernel.configure(InKernelSettings(found, limit, 0))
    kernel.connect(1, "10.0.1.1")
    kernel.wait()
    usable = [
        e.host
        for e in found
        if e.flags & AddressFlag.SUBFLOW and ":" not in e.host and e.host != "10.0.1.1"
    ]
    assert [host for host, _ in joins(kernel)] == usable[:limit]


def test_nothing_is_done_before_a_client_could_claim() -> None:
    kernel = Kernel(Caretaker())
    kernel.configure(InKernelSettings((Endpoint(1, "10.0.2.1", AddressFlag.SUBFLOW),), 2, 0))
    kernel.connect(1, "10.0.1.1")
    assert not kernel.calls
    assert kernel.care.next_time() is not None
    kernel.care.claim(1)
    kernel.wait()
    assert not kernel.calls


def test_a_claim_that_comes_before_its_connection_is_told_holds() -> None:
    kernel = Kernel(Caretaker())
    kernel.care.claim(1)
    kernel.connect(1, "10.0.1.1")
    kernel.wait()
    assert not kernel.calls
    kernel.close(1)
    kernel.connect(1, "10.0.1.1")  # another one, by the same token
    kernel.wait()
    assert kernel.calls


def test_one_that_is_not_ready_is_asked_for_ever_more_rarely() -> None:
    kernel = Kernel(Caretaker())
    kernel.care.found(1, pair("10.0.1.1", 1), (), 0.0)
    kernel.firsts[1] = pair("10.0.1.1", 1)
    for _ in range(100):
        kernel.wait(0.1)
    asked = [call for call in kernel.calls if isinstance(call, Ask)]
    assert 5 < len(asked) < 15


def test_the_last_subflow_stays_when_its_endpoint_goes() -> None:
    kernel = Kernel(Caretaker())
    kernel.configure(InKernelSettings((Endpoint(1, "10.0.1.1", AddressFlag.SUBFLOW),), 2, 0))
    kernel.connect(1, "10.0.1.1")
    kernel.wait()
    kernel.configure(InKernelSettings((), 2, 0))
    assert not any(isinstance(call, End | Withdraw) for call in kernel.calls)


def test_a_peer_that_denies_it_is_not_joined_at_its_first_address() -> None:
    kernel = Kernel(Caretaker())
    kernel.configure(InKernelSettings((Endpoint(1, "10.0.2.1", AddressFlag.SUBFLOW),), 2, 2))
    kernel.connect(1, "10.0.1.1")
    kernel.care.on_event(ConnectionEstablished(1, kernel.firsts[1], False, True), kernel.now)
    kernel.wait()
    assert not joins(kernel)
    kernel.event(AddressAnnounced(1, 3, SocketAddress("192.0.2.9", 0)))
    assert joins(kernel) == [(None, "192.0.2.9")]


@pytest.mark.parametrize("strategy", [Handover(), KernelPathManager()])
def test_a_rule_hands_over_unless_it_leaves_it_to_the_kernel(strategy: Handover) -> None:
    kernel = Kernel(Caretaker())
    kernel.configure(InKernelSettings((Endpoint(1, "10.0.2.1", AddressFlag.SUBFLOW),), 2, 0))
    kernel.care.use_rules([Rule(strategy, ports=frozenset({443}))])
    kernel.connect(1, "10.0.1.1")
    kernel.wait()
    handed = any(isinstance(call, Hand) for call in kernel.calls)
    assert (handed, bool(joins(kernel))) == ((False, True) if strategy.in_kernel else (True, False))


def test_rules_are_not_for_connections_of_clients_of_this_machine() -> None:
    facts = Facts(SERVER, client=False, user=0)
    assert first_match([Rule(FullMesh())], facts) is None


# Asking an idle peer.


def test_a_peer_is_asked_while_it_is_silent_if_it_is_known_to_answer() -> None:
    asking = Asking(wanted=True)
    assert asking.is_due(0.0, 10.0)  # at first to learn whether it answers
    asking.asked(5, 10.0)
    asking.looked(5)
    assert (asking.echoes, asking.after) == (None, None)
    asking.looked(6)
    assert (asking.echoes, asking.after) == (True, ASK_AFTER)
    assert not asking.is_due(ASK_AFTER / 2, 11.0)
    assert asking.is_due(ASK_AFTER, 11.0)
    asking.asked(6, 11.0)
    assert not asking.is_due(ASK_AFTER, 11.0 + ASK_AFTER / 2)
    asking.wanted = False
    assert asking.after is None
    assert not asking.is_due(9.0, 20.0)


def test_a_peer_that_never_answers_is_not_asked_for_ever() -> None:
    asking = Asking(wanted=True)
    asked = 0
    for n in range(100):
        asking.looked(3)
        if asking.is_due(9.0, float(n)):
            asking.asked(3, float(n))
            asked += 1
    assert asking.echoes is False
    assert asked < 12


# The file.

GOOD = """
[[rule]]
port = 22
strategy = "handover"
within = "2s"

[[rule]]
user = ["root", 7]
program = "rsync"
destination = ["192.0.2.0/24", "2001:db8::1"]
paths = ["wlan0", "wwan0"]
strategy = "refresh+mark"
threshold = "4MiB"
dscp = "ef"
"""


def rules_of(text: str) -> tuple[list[Rule], list[str]]:
    rules, complaints = read_rules(text, "FILE", lambda name: pwd.getpwnam(name).pw_uid)
    return rules, [str(complaint) for complaint in complaints]


def test_a_file_of_rules() -> None:
    (first, second), complaints = rules_of(GOOD)
    assert not complaints
    assert first == Rule(Handover(2.0), ports=frozenset({22}))
    assert second.users == {0, 7}
    assert second.programs == {"rsync"}
    assert second.paths == ("wlan0", "wwan0")
    assert second.fits(Facts(SocketAddress("192.0.2.200", 1), True, 7, "rsync"))
    assert second.fits(Facts(SocketAddress("::ffff:192.0.2.200", 1), True, 0, "rsync"))
    assert not second.fits(Facts(SocketAddress("198.51.100.1", 1), True, 7, "rsync"))
    assert not second.fits(Facts(SocketAddress("192.0.2.200", 1), True, 7, "ssh"))


BAD = {
    "[[rule]]\nport = 22": "FILE, line 1: rule 1: it names no strategy",
    "[[rule]]\nport = 0\nstrategy = 'single'": "FILE, line 2: rule 1: 0 is no port",
    "[[rule]]\nport = true\nstrategy = 'single'": "FILE, line 2: rule 1: True is no port",
    "[[rule]]\nport = []\nstrategy = 'single'": "FILE, line 2: rule 1: 'port' is empty",
    "#\n[[rule]]\nuser = 'nobody at all'\nstrategy = 'single'": "FILE, line 3: rule 1: there is no",
    "[[rule]]\nuser = -1\nstrategy = 'single'": "FILE, line 2: rule 1: there is no user -1",
    "[[rule]]\ndestination = 'example.org'\nstrategy = 'single'": "FILE, line 2: rule 1: 'example",
    "[[rule]]\nprogram = 7\nstrategy = 'single'": "FILE, line 2: rule 1: program must be a name",
    "[[rule]]\nstrategy = 'handovr'": "FILE, line 2: rule 1: there is no strategy 'handovr'",
    "[[rule]]\nstrategy = 7": "FILE, line 2: rule 1: it names no strategy",
    "[[rule]]\nstrategy = 'handover'\nwithn = 3": "FILE, line 3: rule 1: 'withn' is nothing that",
    "[[rule]]\nstrategy = 'handover'\nwithin = '3 parsecs'": "FILE, line 3: rule 1: '3 parsecs'",
    "[[rule]]\nstrategy = 'handover'\nwithin = -1": "FILE, line 3: rule 1: handover: within",
    "[[rule]]\nstrategy = 'handover'\nwithin = [1]": "FILE, line 3: rule 1: handover: within",
    "[rule]\nstrategy = 'handover'": "FILE, line 1: 'rule' must be",
    "rule = 7": "FILE",
    "[[rules]]\nstrategy = 'handover'": "FILE, line 1: 'rules' means nothing here",
    "[[rule]\n": "FILE: it is no TOML",
    "[[rule]]\nstrategy = 'single'\nstrategy = 'single'": "FILE: it is no TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_rule_has_one_sentence_with_its_place(text: str) -> None:
    rules, (complaint,) = rules_of(text)
    assert not rules
    assert complaint.startswith(BAD[text])
    assert "\n" not in complaint


@pytest.mark.parametrize("text", [t for t in BAD if t.startswith("[[rule]]\n")])
def test_the_other_rules_hold(text: str) -> None:
    if "TOML" in BAD[text]:
        return
    rules, complaints = rules_of(f"{text}\n\n[[rule]]\nstrategy = 'fullmesh'\n")
    assert rules == [Rule(FullMesh())]
    assert len(complaints) == 1


def test_a_file_that_cannot_be_read_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    file = tmp_path / "rules.toml"
    rules = RulesFile(file, told.append)
    assert rules.changed() is None
    file.write_text(GOOD)
    assert len(rules.changed() or ()) == 2
    assert rules.changed() is None
    file.write_bytes(b"\xff\xfe")
    assert rules.changed() is None
    assert rules.changed() is None
    assert sum("can't be read" in line for line in told) == 1
    file.unlink()
    assert rules.changed() == []


@given(st.text(max_size=200))
def test_any_text_is_rules_or_complaints(text: str) -> None:
    read_rules(text, "FILE", lambda name: pwd.getpwnam(name).pw_uid)


values = st.one_of(st.integers(), st.booleans(), st.text(max_size=8), st.lists(st.integers(0, 9)))
keys = st.sampled_from(["port", "user", "program", "destination", "paths", "strategy", "within"])


@given(st.dictionaries(keys, values, max_size=5))
def test_any_rule_is_one_or_has_a_complaint(table: dict[str, object]) -> None:
    import json

    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    text = "\n".join(["[[rule]]", *lines])
    rules, complaints = read_rules(text, "FILE", lambda name: pwd.getpwnam(name).pw_uid)
    assert len(rules) + len(complaints) == 1
