"""An ordinary user of a machine with two uplinks, and a server that has no MPTCP.

Nothing of the lab is in the way: two interfaces with a default route each, Linux as it comes, and
`mphttp get` as the user nobody, who has no capability at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import mphttp
from mphttp.lab import names
from mphttp.lab.content import sha256_of
from tests.kernel.namespaces import Net, in_child, ip
from tests.lab.web_servers import HTTP, configured, make_site

pytestmark = pytest.mark.slow  # all together

SIZE = 4_000_000
URL = f"http://{names.SERVER_ADDRESS}:{HTTP}/bytes/{SIZE}"
NOBODY = 65534
AS_NOBODY = (
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
    "--no-new-privs",
)


@pytest.fixture
def as_root() -> Callable[[Callable[[], object]], None]:
    """Run a function in a process of its own, which may leave for other namespaces."""
    if os.geteuid():
        pytest.skip("needs root, who alone may become somebody else")
    return in_child


def two_uplinks() -> Net:
    """Make both machines; the client's paths are c1 and c2, each with 16 Mbit/s."""
    net = Net(user_namespace=False)
    net.start()
    net.sysctl("net.mptcp.pm_type", 0)
    for n in (1, 2):
        ip(f"route add default via 10.0.{n}.2 dev c{n} metric {100 + n}")
    with net.server():
        ip(f"address add {names.SERVER_ADDRESS}/32 dev lo")
        for n in (1, 2):
            limit = "rate 16mbit burst 20kb latency 50ms"
            subprocess.run(f"tc qdisc add dev s{n} root tbf {limit}".split(), check=True)
    return net


@contextmanager
def within_reach() -> Iterator[tuple[list[str], dict[str, str], Path]]:
    """Show this interpreter and its packages where everybody may read them.

    Gives the command of the interpreter, its environment, and a folder to write to.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as undo:
        folder = Path(name)
        folder.chmod(0o755)
        python = Path(sys.executable).resolve()
        shown = {
            "base": Path(sys.base_prefix),
            "site": Path(sysconfig.get_path("purelib")),
            "project": Path(next(iter(mphttp.__path__))).resolve().parent,
        }
        for place, source in shown.items():
            (folder / place).mkdir()
            subprocess.run(["mount", "--bind", str(source), str(folder / place)], check=True)
            undo.callback(subprocess.run, ["umount", str(folder / place)], check=True)
        home = folder / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        seen = os.pathsep.join(str(folder / place) for place in ("project", "site"))
        environment = {
            "PYTHONPATH": seen,
            "LD_LIBRARY_PATH": str(folder / "base" / "lib"),  # for a Python that has a libpython
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [str(folder / "base" / python.relative_to(sys.base_prefix))]
        yield command, environment, home


@contextmanager
def nginx(net: Net, folder: Path) -> Iterator[None]:
    """Serve a file over plain TCP from the server's namespace."""
    with net.server():
        process = subprocess.Popen(configured("nginx", make_site(folder, SIZE)))
        listens = f"ss -Hltn sport = :{HTTP}".split()
        while not subprocess.run(listens, check=True, capture_output=True).stdout:
            assert process.poll() is None, "nginx ended"
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def get(*options: str) -> dict[str, Any]:
    """Run `mphttp get` as nobody, check the body, and return the report."""
    with within_reach() as (python, environment, home):
        body, report = home / "body", home / "report"
        command = [*AS_NOBODY, *python, "-m", "mphttp", "get", *options, URL]
        outputs = ["-o", str(body), "--report", str(report)]
        subprocess.run([*command, *outputs], env=environment, check=True)
        assert body.stat().st_uid == NOBODY
        assert hashlib.sha256(body.read_bytes()).digest() == sha256_of(SIZE)
        told: dict[str, Any] = json.loads(report.read_text())
        return told


def carried(told: dict[str, Any]) -> dict[str, int]:
    return {subflow["path"]: subflow["bytes_received"] for subflow in told["subflows"]}


def test_both_paths_carry_a_file(
    as_root: Callable[[Callable[[], object]], None], tmp_path: Path
) -> None:
    def downloads() -> None:
        net = two_uplinks()
        with nginx(net, tmp_path):
            told = get("--strategy", "fullmesh")
        assert (told["mechanism"], told["problems"]) == ("ranges", [])
        brought = carried(told)
        assert sorted(brought) == ["c1", "c2"]
        assert min(brought.values()) > SIZE / 5

    as_root(downloads)


def test_a_deadline_out_of_danger_leaves_the_second_path_alone(
    as_root: Callable[[Callable[[], object]], None], tmp_path: Path
) -> None:
    def downloads() -> None:
        net = two_uplinks()
        with nginx(net, tmp_path):
            told = get("--deadline", "30s")
        assert told["problems"] == []
        assert list(carried(told)) == ["c1"]

    as_root(downloads)
