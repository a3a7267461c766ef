"""Paths that cost money, though the system prefers them: strategies begin on what is free."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mphttp.lab import LabClient
from tests.mphttp.costs.buses import YES, network_manager

from .downloads import get, url

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000


@pytest.fixture
def metered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let NetworkManager say that wifi, which has the better metric, is metered."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with network_manager({"wifi": YES}):
        yield


def syns(lab: LabClient) -> int:
    return lab.counters()["wifi"].up.syns


def paths(report: dict[str, Any]) -> list[str]:
    return [subflow["path"] for subflow in report["subflows"]]


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize(
    "strategy",
    [("--deadline", "60s"), ("--strategy", "background"), ("--strategy", "cheapest")],
    ids=" ".join,
)
def test_not_one_syn_leaves_where_it_costs(
    lab: LabClient, metered: None, strategy: tuple[str, ...], backend: str
) -> None:
    before = syns(lab)
    report = get(url(SIZE), *strategy, "--backend", backend)
    assert paths(report) == ["lte"]
    assert report["problems"] == []
    assert syns(lab) == before


def test_a_path_that_is_slow_to_answer_is_waited_for(lab: LabClient, metered: None) -> None:
    """Longer than any attempt is waited for where both are free."""
    lab.change("lte", delay="450ms")
    before = syns(lab)
    report = get(url(10_000), "--deadline", "60s")
    assert paths(report) == ["lte"]
    assert syns(lab) == before


def test_a_deadline_in_danger_opens_it(lab: LabClient, metered: None) -> None:
    lab.change("lte", rate="1mbit", delay="20ms")
    report = get(url(SIZE), "--deadline", "5s")
    assert paths(report)[:2] == ["lte", "wifi"]


def test_a_free_path_that_is_dead_is_no_reason_to_fail(lab: LabClient, metered: None) -> None:
    lab.blackhole("lte")
    report = get(url(10_000), "--deadline", "60s")
    assert report["bytes"] == 10_000
    assert "wifi" in paths(report)


def test_who_names_a_path_has_it(lab: LabClient, metered: None) -> None:
    report = get(url(10_000), "--deadline", "60s", "--path", "wifi", "--path", "lte")
    assert paths(report) == ["wifi"]


def test_doctor_and_watch_tell(lab: LabClient, metered: None) -> None:
    command = [sys.executable, "-m", "mphttp", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = {finding["name"]: finding["meaning"] for finding in json.loads(done.stdout)["findings"]}
    assert found["metered"].startswith("wifi costs money, NetworkManager says")


@pytest.mark.parametrize("where", ["never", "metered"])
def test_a_file_says_the_same(
    lab: LabClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "mphttp").mkdir()
    (tmp_path / "mphttp" / "config.toml").write_text(f'[paths]\n{where} = ["wifi"]\n')
    before = syns(lab)
    strategy = ("--strategy", "fullmesh") if where == "never" else ("--deadline", "60s")
    report = get(url(SIZE), *strategy)
    assert paths(report) == ["lte"]
    assert syns(lab) == before


def test_a_bad_file_is_told_and_the_download_goes_on(
    lab: LabClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "mphttp").mkdir()
    file = tmp_path / "mphttp" / "config.toml"
    file.write_text('[paths]\nmeterd = ["wifi"]\n')
    report = get(url(10_000), "--deadline", "60s")
    assert report["bytes"] == 10_000
    (problem,) = report["problems"]
    assert problem["what"].startswith(f"{file}, line 2: 'meterd' means nothing here")
