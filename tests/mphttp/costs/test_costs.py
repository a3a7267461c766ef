"""What files and NetworkManager say of paths."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.costs import machine, network_manager
from mphttp.costs.machine import Costs
from mphttp.costs.wishes import Wishes, read_wishes
from tests.mphttp.broker.brokers import eventually

from .buses import GUESSED, NO, UNKNOWN, YES, bus
from .buses import network_manager as running_manager

SAMPLE = """
[paths]
order = ["eth0", "wlan0"]
metered = ["wwan*"]
unmetered = ["usb0"]
never = ["docker*"]
cost = {ppp0 = 5, wlan0 = 0}
"""


def ranked(wishes: Wishes, *names: str) -> list[str]:
    return sorted(names, key=wishes.rank)


def test_a_file() -> None:
    wishes, complaints = read_wishes(SAMPLE, "FILE", Wishes())
    assert not complaints
    assert ranked(wishes, "ppp0", "wwan1", "usb0", "wlan0", "eth0") == [
        *("eth0", "wlan0", "usb0", "wwan1", "ppp0")
    ]
    metered = [n for n in ("wwan0", "ppp0", "usb0", "wlan0", "eth1") if wishes.is_metered(n)]
    assert metered == ["wwan0", "ppp0"]
    assert wishes.is_barred("docker0")


def test_a_file_beats_what_the_machine_tells_and_the_users_the_systems() -> None:
    system, _ = read_wishes('[paths]\nmetered = ["a"]\nnever = "b"', "FILE", Wishes())
    both, _ = read_wishes('[paths]\nmetered = ["c"]', "FILE", system)
    assert (both.metered, both.never) == (("c",), ("b",))
    told = Wishes(unmetered=("a",), told={"a": True, "b": True})
    assert (told.is_metered("a"), told.is_metered("b")) == (False, True)


BAD = {
    "[paths]\n\nmeterd = []": "FILE, line 3: 'meterd' means nothing here; did you mean 'metered'?",
    "[paths]\nmetered = 7": "FILE, line 2: metered must be names of interfaces",
    "[paths]\ncost = {a = -1}": "FILE, line 2: cost must be numbers",
    "[paths]\ncost = {a = true}": "FILE, line 2: cost must be numbers",
    "[path]\norder = []": "FILE: 'path' means nothing here",
    "paths = 7": "FILE: 'paths' must be a table",
    "[paths": "FILE: it is no TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_what_is_wrong_has_its_place(text: str) -> None:
    wishes, (complaint,) = read_wishes(text, "FILE", Wishes())
    assert wishes == Wishes()
    assert complaint.startswith(BAD[text])


@given(st.text())
def test_any_text_is_wishes_or_complaints(text: str) -> None:
    read_wishes(text, "FILE", Wishes())


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The system's file and the user's, which aren't there yet; there is no bus."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    monkeypatch.setattr(network_manager, "_BUS", tmp_path / "none")
    monkeypatch.setattr(machine, "SYSTEM_FILE", tmp_path / "system.toml")
    monkeypatch.setattr(machine, "_FRESH", 0.0)
    (tmp_path / "mphttp").mkdir()
    return tmp_path / "system.toml", machine.user_file()


def test_files_are_read_when_they_change(files: tuple[Path, Path]) -> None:
    system, user = files
    costs = Costs()
    assert not costs.now().any
    system.write_text('[paths]\nmetered = ["a"]\n')
    assert costs.now().is_metered("a")
    user.write_text('[paths]\nunmetered = ["a"]\nodrer = []\n')
    assert not costs.now().is_metered("a")
    assert [problem.partition(", ")[2] for problem in costs.problems] == [
        "line 3: 'odrer' means nothing here; did you mean 'order'?"
    ]
    user.unlink()
    assert costs.now().is_metered("a")
    assert not costs.problems


def test_without_a_bus_nobody_asks_and_no_thread_is_made(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_manager, "metered", lambda: pytest.fail("asked"))
    assert not Costs().now().any


def test_import_costs_nothing() -> None:
    code = "import sys, mphttp; print([m for m in sys.modules if 'jeepney' in m or 'tomllib' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_network_manager_says(files: tuple[Path, Path]) -> None:
    words = {"wwan0": YES, "wlan0": GUESSED, "eth0": NO, "eth1": UNKNOWN}
    with running_manager(words) as manager:
        assert network_manager.metered() == {"wwan0": True, "wlan0": True, "eth0": False}
        costs = Costs()
        eventually(lambda: costs.now().is_metered("wwan0"), True)
        assert ranked(costs.now(), "wwan0", "eth0") == ["eth0", "wwan0"]
        manager.set("wwan0", NO)
        eventually(lambda: costs.now().is_metered("wwan0"), False)


@pytest.mark.parametrize("address", ["unix:path=/nowhere", "nonsense", ""])
def test_a_bus_that_is_not_there_is_silence(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    assert network_manager.metered() == {}


def test_a_bus_without_network_manager_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    with bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        assert network_manager.metered() == {}


def test_without_jeepney_it_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jeepney.io.blocking", None)
    assert network_manager.metered() == {}


def test_a_child_process_asks_anew(files: tuple[Path, Path]) -> None:
    system, _ = files
    system.write_text('[paths]\nmetered = ["a"]\n')
    costs = Costs()
    assert costs.now().is_metered("a")
    costs.after_fork()
    assert costs.now().is_metered("a")
    assert os.path.exists(system)
