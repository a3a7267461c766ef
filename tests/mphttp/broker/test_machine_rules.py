"""Rules of the broker: strategies for other programs' connections."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mphttp.kernel.broker.channel import RequestChannel
from mphttp.kernel.broker.messages import Claim
from tests.kernel.namespaces import Net, exchange, ip

from .brokers import Broker, eventually, running
from .machines import SERVER, connection, settled, start, subflows
from .test_machine import FIRST, SECOND, hosts


@contextmanager
def ruled(folder: Path, text: str, *options: str) -> Iterator[Broker]:
    """Run a broker that has these rules."""
    rules = folder / "mphttpd.toml"
    rules.write_text(text)
    with running("--rules", str(rules), *options) as broker:
        yield broker


def echo(net: Net, served: socket.socket) -> None:
    """Send back what comes, as long as something does."""

    def serve() -> None:
        while data := served.recv(1024):
            served.sendall(data)

    threading.Thread(target=serve, daemon=True).start()


def longest_gap(client: socket.socket, cut: Callable[[], None], *, rounds: int = 60) -> float:
    """Type and wait for the echo, a round each 20 ms, and cut the path in between."""
    longest = 0.0
    client.settimeout(20)
    for number in range(rounds):
        if number == rounds // 3:
            cut()
        began = time.monotonic()
        client.sendall(b"typed")
        assert client.recv(1024) == b"typed"
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
    return longest


def blackhole(interface: str) -> None:
    """Drop what leaves and what comes, so that nobody is told."""
    ip(f"link set {interface} arp off", f"link set {interface} address 02:00:00:00:00:99")


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ['"handover"', '"handover"\nstandby = true', '"fullmesh"'])
def test_a_session_survives_its_path(net: Net, tmp_path: Path, strategy: str) -> None:
    start(net)
    with ruled(tmp_path, f"[[rule]]\nstrategy = {strategy}\n") as broker:
        client, served = connection(net)
        if strategy != '"handover"':
            eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})
        else:
            eventually(lambda: any("a connection to" in line for line in broker.log), True)
            assert hosts(settled(net, client)) == {FIRST}
        echo(net, served)
        assert longest_gap(client, lambda: blackhole("c1")) < 2


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ['"handover"', '"handover"\nstandby = true'])
def test_a_session_in_which_only_the_server_speaks_survives_its_path(
    net: Net, tmp_path: Path, strategy: str
) -> None:
    start(net)
    with ruled(tmp_path, f"[[rule]]\nstrategy = {strategy}\n") as broker:
        client, served = connection(net)
        eventually(lambda: any("a connection to" in line for line in broker.log), True)
        stop = threading.Event()

        def speak() -> None:
            while not stop.wait(0.05):
                served.sendall(b"tick\n")

        threading.Thread(target=speak, daemon=True).start()
        client.settimeout(20)
        longest = 0.0
        for number in range(80):
            if number == 40:
                blackhole("c1")
            began = time.monotonic()
            assert client.recv(1024)
            longest = max(longest, time.monotonic() - began)
        stop.set()
        assert longest < 2


@pytest.mark.slow
def test_an_idle_session_is_left_on_its_path(net: Net, tmp_path: Path) -> None:
    """The peer is asked, and answers: its silence is no reason to open anything."""
    start(net)
    with ruled(tmp_path, '[[rule]]\nstrategy = "handover"\n') as broker:
        client, _ = connection(net)
        eventually(lambda: any("a connection to" in line for line in broker.log), True)
        for _ in range(40):
            assert hosts(subflows(net, client)) == {FIRST}
            time.sleep(0.1)


@pytest.mark.slow
def test_refresh_replaces_subflows_of_a_stranger(net: Net, tmp_path: Path) -> None:
    """What another program sends and gets is counted by what the kernel tells of it."""
    start(net)
    with ruled(tmp_path, '[[rule]]\nstrategy = "refresh"\nthreshold = "64KiB"\nrotate = true\n'):
        client, served = connection(net)
        seen: set[tuple[str, str]] = set()

        def used() -> set[tuple[str, str]]:
            client.sendall(bytes(65536))
            left = 65536
            while left:
                left -= len(served.recv(left))
            seen.update(hosts(subflows(net, client)))
            return seen

        eventually(used, {FIRST, SECOND})
        exchange(client, served)


RULES = {
    "port": ("port = {port}", "port = 1"),
    "ports": ("port = [1, {port}]", "port = [1, 2]"),
    "user": ("user = 0", "user = 12345"),
    "destination": ('destination = ["192.0.2.1", "10.9.9.0/24"]', 'destination = "192.0.2.0/24"'),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", RULES)
@pytest.mark.parametrize("fits", [True, False])
def test_a_rule_is_for_what_it_fits(net: Net, tmp_path: Path, what: str, fits: bool) -> None:
    """What it doesn't fit is looked after as the kernel would."""
    start(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    listener = net.listen()
    port = listener.getsockname()[1]
    text = RULES[what][not fits].format(port=port)
    with ruled(tmp_path, f'[[rule]]\nstrategy = "single"\n{text}\n'):
        client, served = net.connect(listener, SERVER)
        exchange(client, served)
        if not fits:
            eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})
        assert hosts(settled(net, client)) == ({FIRST} if fits else {FIRST, SECOND})


@pytest.mark.slow
def test_a_rule_may_name_a_program(net: Net, tmp_path: Path) -> None:
    start(net)
    listener = net.listen()
    name = Path(sys.executable).resolve().name
    text = f'[[rule]]\nprogram = "{name}"\nstrategy = "fullmesh"\n'
    with ruled(tmp_path, text, "--program-names"):
        client, served = net.connect(listener, SERVER)
        exchange(client, served)
        eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})


@pytest.mark.slow
def test_the_first_rule_that_fits_holds(net: Net, tmp_path: Path) -> None:
    """One that names `kernel` leaves a connection to what the endpoints say."""
    start(net)
    listener = net.listen()
    port = listener.getsockname()[1]
    text = f'[[rule]]\nport = {port}\nstrategy = "kernel"\n[[rule]]\nstrategy = "fullmesh"\n'
    with ruled(tmp_path, text):
        client, served = net.connect(listener, SERVER)
        exchange(client, served)
        other, _ = connection(net)
        eventually(lambda: hosts(subflows(net, other)), {FIRST, SECOND})
        assert hosts(settled(net, client)) == {FIRST}


@pytest.mark.slow
def test_rules_are_read_again_when_they_change(net: Net, tmp_path: Path) -> None:
    start(net)
    with ruled(tmp_path, '[[rule]]\nstrategy = "single"\n') as broker:
        client, _ = connection(net)
        assert hosts(settled(net, client)) == {FIRST}
        (tmp_path / "mphttpd.toml").write_text('[[rule]]\nstrategy = "fullmesh"\n# another\n')
        other, _ = connection(net)
        eventually(lambda: hosts(subflows(net, other)), {FIRST, SECOND})
        assert any("1 rules hold" in line for line in broker.log)


@pytest.mark.slow
def test_a_bad_rule_is_told_with_its_place_and_the_others_hold(net: Net, tmp_path: Path) -> None:
    start(net)
    text = '[[rule]]\nstrategy = "handovr"\n\n[[rule]]\nstrategy = "fullmesh"\n'
    with ruled(tmp_path, text) as broker:
        client, _ = connection(net)
        eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})
        (told,) = [line for line in broker.log if line.startswith("error:")]
        assert "mphttpd.toml, line 2: rule 1: there is no strategy 'handovr'" in told
        assert "did you mean 'handover'?" in told


BAD = """
from dataclasses import dataclass
from mphttp.strategies import Strategy, Until

@dataclass(frozen=True)
class Bad(Strategy):
    how: str = "raises"

    def run(self, transfer):
        if self.how == "raises":
            raise RuntimeError("of its own making")
        if self.how == "exits":
            raise SystemExit(3)
        while self.how == "hangs":
            pass
        while True:
            yield Until(elapsed=0)
"""
ENTRY = "[mphttp.strategies]\nbad = bad_strategy:Bad\n"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["raises", "exits", "hangs", "never waits"])
def test_a_bad_strategy_ends_nobody_elses_service(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    start(net)
    (tmp_path / "bad_strategy.py").write_text(BAD)
    info = tmp_path / "bad_strategy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-strategy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    listener = net.listen()
    port = listener.getsockname()[1]
    bad = f'[[rule]]\nport = {port}\nstrategy = "bad"\nhow = "{how}"\n'
    text = f'{bad}[[rule]]\nstrategy = "fullmesh"\n'
    with ruled(tmp_path, text) as broker:
        client, served = net.connect(listener, SERVER)
        exchange(client, served)
        eventually(lambda: any("bad for a connection to" in line for line in broker.log), True)
        other, _ = connection(net)
        eventually(lambda: hosts(subflows(net, other)), {FIRST, SECOND}, within=20)
        exchange(client, served)
        assert not any("trouble" in line for line in broker.log)


@pytest.mark.slow
def test_a_claim_takes_a_connection_from_its_rule(net: Net, tmp_path: Path) -> None:
    start(net)
    with ruled(tmp_path, '[[rule]]\nstrategy = "handover"\n') as broker:
        client, served = connection(net)
        eventually(lambda: any("a connection to" in line for line in broker.log), True)
        RequestChannel(broker.path).ask(Claim(), client)
        echo(net, served)
        blackhole("c1")
        client.sendall(b".")
        assert hosts(settled(net, client, looks=60)) <= {FIRST}


@pytest.mark.slow
def test_a_strangers_program_may_end(net: Net, tmp_path: Path) -> None:
    """Its connection is over then, and the next one has a rule as well."""
    start(net)
    listener = net.listen()
    port = listener.getsockname()[1]
    code = (
        "import socket\n"
        f"with socket.create_connection(('{SERVER}', {port})) as plain: pass\n"
        "sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)\n"
        f"sock.connect(('{SERVER}', {port}))\n"
        "sock.sendall(b'.'); sock.recv(1)\n"
    )
    with ruled(tmp_path, '[[rule]]\nstrategy = "fullmesh"\n') as broker:
        for _ in range(2):
            program = subprocess.Popen([sys.executable, "-c", code])
            plain, _ = listener.accept()
            served, _ = listener.accept()
            served.recv(1)
            served.sendall(b".")
            assert program.wait(20) == 0
            plain.close()
            served.close()
        client, _ = connection(net)
        eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})
        assert not any("trouble" in line for line in broker.log)
