"""Programs that know nothing of paths, through `mphttp proxy` to a SOCKS proxy with MPTCP."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mphttp.lab import LabClient, names
from mphttp.lab.content import sha256_of

from .servers import WITH_MPTCP, serving
from .streams import paths_of, proxy, reports, run
from .test_proxies import microsocks

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_500_000
FILES = 8765
SITE = f"http://{names.SERVER_ADDRESS}:{FILES}"
BIG = hashlib.shake_256(b"big").digest(SIZE)


@pytest.fixture
def site(lab: LabClient, tmp_path: Path) -> Iterator[Path]:
    """Serve files where the server is, by plain TCP; give their folder."""
    folder = tmp_path / "site"
    folder.mkdir()
    command = [sys.executable, "-m", "http.server", "-b", names.SERVER_ADDRESS, "-d", str(folder)]
    with serving(lab, [*command, str(FILES)], FILES):
        yield folder


def curl(place: str, _: Path, folder: Path) -> None:
    (folder / "big").write_bytes(BIG)
    for scheme in ("http", "socks5h"):
        run("curl", "-sSf", "-x", f"{scheme}://{place}", "-o", f"{folder}/{scheme}", f"{SITE}/big")
        assert (folder / scheme).read_bytes() == BIG


def git(place: str, work: Path, folder: Path) -> None:
    """Clone by the protocol that needs nothing of a server but files."""
    source = work / "source"
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    run("git", "init", "-q", str(source))
    (source / "big").write_bytes(BIG)
    run("git", "-C", str(source), "add", "big")
    run("git", "-C", str(source), *who, "commit", "-qm", "big")
    run("git", "clone", "-q", "--bare", str(source), str(folder / "repository.git"))
    run("git", "-C", str(folder / "repository.git"), "update-server-info")
    run("git", "clone", "-q", f"{SITE}/repository.git", str(work / "clone"), http_proxy=place)
    assert (work / "clone" / "big").read_bytes() == BIG


def pip(place: str, work: Path, folder: Path) -> None:
    name = "lab_example-1.0-py3-none-any.whl"
    (folder / "lab-example").mkdir()
    with zipfile.ZipFile(folder / "lab-example" / name, "w") as wheel:
        wheel.writestr("lab_example/big", BIG)
        about = "lab_example-1.0.dist-info"
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: lab-example\nVersion: 1.0\n"
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    (folder / "lab-example" / "index.html").write_text(f'<a href="{name}">{name}</a>')
    words = ("--isolated", "download", "-q", "--no-deps", "--trusted-host", names.SERVER_ADDRESS)
    where = ("--index-url", SITE, "--proxy", f"http://{place}", "-d", str(work))
    run(sys.executable, "-m", "pip", *words, *where, "lab-example")
    with zipfile.ZipFile(work / name) as wheel:
        assert wheel.read("lab_example/big") == BIG


def apt(place: str, work: Path, folder: Path) -> None:
    """Fetch a repository's list of packages, which is large."""
    text = "".join(
        f"Package: example{n}\nVersion: 1\nArchitecture: all\nFilename: example{n}.deb\nSize: 1\n"
        f"SHA256: {hashlib.sha256(str(n).encode()).hexdigest()}\nDescription: {n}\n\n"
        for n in range(6000)
    )
    (folder / "Packages").write_text(text)
    for part in ("lists/partial", "cache/archives/partial", "etc"):
        (work / part).mkdir(parents=True)
    (work / "sources").write_text(f"deb [trusted=yes] {SITE} ./\n")
    options = {
        "Acquire::http::Proxy": f"http://{place}",
        "APT::Sandbox::User": "root",
        "Dir::Etc": work / "etc",
        "Dir::Etc::sourcelist": work / "sources",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::Lists": work / "lists",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    run("apt-get", *words, "update", "-q")
    assert "example5999" in run("apt-cache", *words, "pkgnames", "example5999")


PROGRAMS: dict[str, Callable[[str, Path, Path], None]] = {
    "curl": curl,
    "git": git,
    "pip": pip,
    "apt": apt,
}


DANTE = """
logoutput: stderr
internal: {address} port = {port}
external: {address}
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: root
client pass {{ from: 0/0 to: 0/0 }}
socks pass {{ from: 0/0 to: 0/0 protocol: tcp }}
"""
DANTE_PORT = 1081


@contextmanager
def dante(lab: LabClient) -> Iterator[str]:
    """Run dante's server with MPTCP, and give its place."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "danted.conf")
        file.write_text(DANTE.format(address=names.SERVER_ADDRESS, port=DANTE_PORT))
        words = ["/usr/sbin/danted", "-N", "1", "-f", str(file), "-p", f"{folder}/pid"]
        with serving(lab, [*WITH_MPTCP, *words], DANTE_PORT):
            yield f"{names.SERVER_ADDRESS}:{DANTE_PORT}"


UPSTREAMS = {"microsocks": microsocks, "dante": dante}
CELLS = [*((program, "microsocks") for program in PROGRAMS), ("curl", "dante")]


@pytest.mark.parametrize(("program", "socks"), CELLS)
def test_programs(lab: LabClient, site: Path, tmp_path: Path, program: str, socks: str) -> None:
    """What they fetch is right, and both paths have brought it."""
    report, work = tmp_path / "reports", tmp_path / "work"
    work.mkdir()
    with UPSTREAMS[socks](lab) as upstream:
        words = ("--strategy", "fullmesh", "--upstream", f"socks5h://{upstream}")
        with proxy(report, *words) as place:
            PROGRAMS[program](place, work, site)
    told = max(reports(report), key=lambda report: int(report["bytes"]))
    assert (told["protocol"], told["problems"]) == ("mptcp", [])
    assert min(paths_of(told)[path] for path in ("wifi", "lte")) > 50_000


@pytest.mark.parametrize("fault", ["cut", "blackhole"])
def test_tunnels_survive_a_path(lab: LabClient, tmp_path: Path, fault: str) -> None:
    """All that are under way when the first path goes are whole, and right."""
    report, size = tmp_path / "reports", 300_000
    url = f"http://{names.SERVER_ADDRESS}:{names.PORT}/bytes/{size}"
    with proxy(report, "--strategy", "handover") as place:
        files = [tmp_path / f"body{n}" for n in range(8)]
        pairs = [word for file in files for word in ("-o", str(file), url)]
        words = ["curl", "-sSfZ", "--proxytunnel", "--noproxy", "", "-x", f"http://{place}"]
        with subprocess.Popen([*words, *pairs]) as fetching:
            while not any(file.exists() and file.stat().st_size for file in files):
                assert fetching.poll() is None
            getattr(lab, fault)("wifi")
            assert fetching.wait(40) == 0
    for file in files:
        assert hashlib.sha256(file.read_bytes()).digest() == sha256_of(size)


ASKED = {
    "127.0.0.1:{port}": b"403",
    "127.0.0.1:22": b"403",
    "[::1]:22": b"403",
    "169.254.169.254:80": b"403",
    "[::ffff:169.254.169.254]:80": b"403",
    f"{names.SERVER_ADDRESS}:{names.PORT}": b"403",  # private, as all of the lab is
    "localhost:22": b"403",
    "{own}:{port}": b"403",
}
"""What another machine may ask for, and the answer."""


def test_another_machine(lab: LabClient, tmp_path: Path) -> None:
    """It needs a password, and reaches neither this machine nor a private network."""
    users = tmp_path / "users"
    users.write_text("somebody:secret\n")
    users.chmod(0o600)
    own = names.client_address(0)
    with proxy(tmp_path / "reports", "--users", str(users), listen=f"{own}:0") as place:
        port = place.rpartition(":")[2]

        def ask(target: str, field: str) -> bytes:
            program = (
                "import socket, sys\n"
                f"sock = socket.create_connection(({own!r}, {port}), 20)\n"
                f"sock.sendall(b'CONNECT {target} HTTP/1.1\\r\\nHost: a\\r\\n{field}\\r\\n')\n"
                "sys.stdout.buffer.write(sock.recv(100).split()[1])"
            )
            command = [sys.executable, "-c", program]
            with lab.in_server(command, stdout=subprocess.PIPE) as process:
                told, _ = process.communicate(timeout=30)
            return bytes(told)

        right = "Proxy-Authorization: Basic c29tZWJvZHk6c2VjcmV0\\r\\n"
        assert ask("8.8.8.8:53", "") == b"407"
        for target, answer in ASKED.items():
            assert ask(target.format(port=port, own=own), right) == answer, target
