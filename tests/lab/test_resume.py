"""`mphttp get -C -` against nginx over two paths: killed, continued, and never mixed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mphttp.lab import LabClient
from mphttp.lab.content import blocks

from .leaks import eventually
from .test_nginx import SIZE, WITH_MPTCP, address, folder, nginx

__all__ = ["folder"]

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SLOWLY = ("--limit-rate", "400kB", "--strategy", "fullmesh")
LARGE = 16_000_000
"""More than the buffers of both kernels hold."""
LONG_AGO = 1_000_000_000


@pytest.fixture
def served(folder: Path) -> Path:
    """The file that nginx serves."""
    return folder / "root" / "bytes" / str(SIZE)


@pytest.fixture
def configure(folder: Path) -> Any:
    """Add a line to nginx's configuration before it runs."""

    def configure(line: str) -> None:
        configuration = folder / "nginx.conf"
        text = configuration.read_text()
        configuration.write_text(text.replace("access_log off;", f"access_log off; {line}"))

    return configure


@pytest.fixture
def killed(lab: LabClient, folder: Path, tmp_path: Path, configure: Any) -> Iterator[Any]:
    """A download that is killed in the middle; yields what makes it and returns the file."""
    running: list[Any] = []

    def killed(*lines: str, at: int = SIZE // 4) -> Path:
        for line in lines:
            configure(line)
        running.append(nginx(lab, folder, WITH_MPTCP))
        running[0].__enter__()
        file = tmp_path / "file"
        with subprocess.Popen([*command(file), *SLOWLY]) as process:
            eventually(lambda: file.exists() and file.stat().st_size > at, wanted=True)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert at < file.stat().st_size < SIZE
        return file

    yield killed
    running[0].__exit__(None, None, None)


def command(file: Path, *options: str, scheme: str = "http") -> list[str]:
    words = [sys.executable, "-m", "mphttp", "get", "-C", "-", "-o", str(file)]
    return [*words, *options, address(scheme)]


def again(file: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run it once more, to the end; return its report and what it said."""
    line = [*command(file, *options), "--report", "-", "--strategy", "fullmesh"]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return json.loads(done.stdout), done.stderr


def alone(file: Path) -> bool:
    return not Path(f"{file}.mphttp").exists()


def test_a_killed_download_goes_on_where_it_ended(killed: Any, served: Path) -> None:
    """Not a byte is fetched twice; both paths carry the rest."""
    file = killed()
    here = file.stat().st_size
    report, words = again(file)
    assert file.read_bytes() == served.read_bytes()
    assert (report["status"], report["bytes"], words) == (206, SIZE - here, "")
    assert {subflow["path"] for subflow in report["subflows"]} == {"wifi", "lte"}
    assert alone(file)


def test_a_file_that_is_whole_stays_as_it_is(killed: Any) -> None:
    file = killed()
    again(file)
    report, words = again(file)
    assert (report["status"], report["bytes"]) == (416, 0)
    assert words == "note: everything is here already\n"


def test_a_file_that_has_changed_meanwhile_starts_over(killed: Any, served: Path) -> None:
    file = killed()
    served.write_bytes(b"".join(blocks(SIZE))[::-1])
    os.utime(served, (LONG_AGO, LONG_AGO))  # nginx's tags are made of time and size
    report, words = again(file)
    assert file.read_bytes() == served.read_bytes()
    assert (report["status"], report["bytes"]) == (200, SIZE)
    assert words == "note: the object has changed: starting over\n"
    assert alone(file)


def test_a_server_without_ranges_starts_over(killed: Any, served: Path) -> None:
    file = killed("max_ranges 0;")
    report, words = again(file)
    assert file.read_bytes() == served.read_bytes()
    assert report["status"] == 200
    assert words == "note: the server doesn't send parts: starting over\n"


def test_without_a_tag_an_old_date_is_enough(killed: Any, served: Path) -> None:
    os.utime(served, (LONG_AGO, LONG_AGO))
    file = killed("etag off;")
    assert again(file)[0]["status"] == 206
    assert file.read_bytes() == served.read_bytes()


def test_without_a_tag_a_date_of_right_now_is_not(killed: Any, served: Path) -> None:
    """What changes within the same second keeps its date (RFC 9110, 8.8.2.2)."""
    os.utime(served, (now := time.time(), now))
    file = killed("etag off;")
    report, words = again(file)
    assert file.read_bytes() == served.read_bytes()
    assert report["status"] == 200
    assert "nothing shows that the bytes here are of the same version" in words


def test_curls_backend_goes_on_too(killed: Any, served: Path) -> None:
    pytest.importorskip("pycurl")
    file = killed()
    report, _ = again(file, "--backend", "curl")
    assert file.read_bytes() == served.read_bytes()
    assert report["status"] == 206


def test_a_server_that_goes_away_and_comes_back(
    lab: LabClient, folder: Path, served: Path, tmp_path: Path
) -> None:
    """One command gets the whole file, even into a pipe, where nothing can be taken back."""
    served.write_bytes(b"".join(blocks(LARGE)))
    out = tmp_path / "out"
    line = [sys.executable, "-m", "mphttp", "get", address(), "--strategy", "fullmesh"]
    line += ["--retry", "20", "--retry-delay", "200ms"]
    with nginx(lab, folder, WITH_MPTCP):
        shell = ["sh", "-c", '"$@" | cat > "$0"; exit', str(out), *line]
        process = subprocess.Popen(shell, stderr=subprocess.PIPE)
        eventually(lambda: out.exists() and out.stat().st_size > SIZE, wanted=True)
    with nginx(lab, folder, WITH_MPTCP):
        _, words = process.communicate(timeout=30)
    assert b"the body isn't whole" in words
    assert b"trying again in 0.2 s" in words
    assert out.read_bytes() == served.read_bytes()
