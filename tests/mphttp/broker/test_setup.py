"""`mphttp setup`: what it writes, and that it takes all of it back."""

from __future__ import annotations

import configparser
import io
import os
import shlex
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mphttp.broker.__main__ import _parser
from mphttp.broker.installation import Remove, Run, Write, install, undo
from mphttp.broker.unit import command_line, service, socket_unit
from mphttp.cli import main
from mphttp.cli import setup as cli_setup
from mphttp.cli.environment import Environment
from mphttp.kernel.hints import NEEDS_LINUX
from tests.root import ROOT

BOTH = ("--subflow-options", "--other-namespaces")
FILES = {
    "etc/sysctl.d/90-mphttp.conf",
    "etc/systemd/system/mphttpd.service",
    "etc/systemd/system/mphttpd.socket",
}


class _Repeated(dict[str, str]):
    """Keeps all values of a key that is there several times."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, list) and key in self:
            value = [*self[key], *value]
        super().__setitem__(key, value)  # type: ignore[assignment]


def parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(dict_type=_Repeated, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def setup(*options: str) -> Done:
    """Run `mphttp setup` in this process, which starts for each of these tests otherwise."""
    out, err = io.BytesIO(), io.StringIO()
    environment = replace(Environment.of_process(), stdout=out, stderr=err)
    code = main(["setup", *options], environment)
    return Done(code, out.getvalue().decode(), err.getvalue())


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_it_writes_three_files_and_removes_them(tmp_path: Path) -> None:
    assert setup("--root", str(tmp_path)).returncode == 0
    assert files(tmp_path) == FILES
    done = setup("--root", str(tmp_path), "--undo")
    assert done.returncode == 0
    assert files(tmp_path) == set()
    assert setup("--root", str(tmp_path), "--undo").returncode == 0  # again: nothing to do


def test_a_dry_run_changes_nothing_and_tells_all(tmp_path: Path) -> None:
    done = setup("--dry-run", "--root", str(tmp_path))
    assert done.returncode == 0
    assert files(tmp_path) == set()
    for word in ("groupadd", "net.mptcp.", "CAP_NET_ADMIN", "mphttpd.socket", "SocketGroup=mphttp"):
        assert word in done.stdout
    assert "the kernel opens none by itself any more" in done.stdout


def test_every_step_has_one_back() -> None:
    for systemd in (False, True):
        there = install("python", "/run/x.sock", "net.mptcp.pm_type=1", (), systemd=systemd)
        back = undo("net.mptcp.pm_type=0", systemd=systemd)
        written = [step.path for step in there if isinstance(step, Write)]
        assert sorted(written) == sorted(step.path for step in back if isinstance(step, Remove))
        commands = [step.command for step in (*there, *back) if isinstance(step, Run)]
        assert any(command[0] == "systemctl" for command in commands) == systemd
        assert {command[0] for command in commands} >= {"groupadd", "groupdel", "sysctl"}


def test_root_alone_may_change_what_it_writes(tmp_path: Path) -> None:
    """Whatever the umask is, and whatever was there."""
    there = tmp_path / "etc/sysctl.d/90-mphttp.conf"
    there.parent.mkdir(parents=True)
    there.write_text("")
    there.chmod(0o666)
    before = os.umask(0)
    try:
        assert setup("--root", str(tmp_path)).returncode == 0
    finally:
        os.umask(before)
    for name in FILES:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o644
        assert not stat.S_IMODE((tmp_path / name).parent.stat().st_mode) & 0o022


def test_where_others_may_change_the_folder_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "etc/sysctl.d").mkdir(parents=True)
    (tmp_path / "etc/sysctl.d").chmod(0o777)
    done = setup("--root", str(tmp_path))
    assert done.returncode == 23
    assert "others may change what is in its folder" in done.stderr
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    "target",
    ["{outside}", "../../../../../../../../{outside}", "../../outside", "/.."],
    ids=["absolute", "upwards", "beside", "above"],
)
@pytest.mark.parametrize("link", ["etc", "etc/systemd", "etc/systemd/system"])
def test_no_link_leads_out_of_the_root(tmp_path: Path, link: str, target: str) -> None:
    """A link in it is read as if the root were "/"; what is outside stays as it was."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(target.format(outside=outside))
    inside = root / str(outside).lstrip("/")
    inside.mkdir(parents=True)  # where an absolute one leads
    (root / "outside").mkdir()
    done = setup("--root", str(root))
    assert done.returncode == 0, done.stderr
    assert files(outside) == set()
    written = {path.name for path in root.rglob("*mphttp*") if path.is_file()}
    assert written == {Path(name).name for name in FILES}
    assert setup("--root", str(root), "--undo").returncode == 0
    assert files(root) == set()


def test_a_link_in_a_files_place_is_replaced_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("as it was")
    for name in FILES:
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).symlink_to(outside)
    assert setup("--root", str(tmp_path / "root")).returncode == 0
    assert outside.read_text() == "as it was"
    assert not any((tmp_path / "root" / name).is_symlink() for name in FILES)
    assert setup("--root", str(tmp_path / "root"), "--undo").returncode == 0
    assert outside.read_text() == "as it was"


def test_links_that_lead_round_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "etc").symlink_to("etc")
    done = setup("--root", str(tmp_path))
    assert done.returncode == 23
    assert "Too many levels of symbolic links" in done.stderr


ODD = [
    "a space",
    "100%n",
    "$HOME",
    "${X}",
    "ümlaut",
    "a;b",
    'a"quote',
    "it's",
    "back\\slash",
    "a\tb",
]


@pytest.mark.slow
@pytest.mark.parametrize("odd", ODD)
def test_systemd_reads_the_interpreters_path_as_it_is(tmp_path: Path, odd: str) -> None:
    python = tmp_path / odd / "python"
    python.parent.mkdir()
    line = command_line([str(python), "-I", "50%"])
    unit = tmp_path / "x.service"
    unit.write_text(f"[Service]\nExecStart={line}\n")
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    shell = not line.startswith(':"/tmp') and "/bin/sh" in line
    assert verified(unit)
    assert shlex.split(line[1:].replace("%%", "%"))[-2:] == ["-I", "50%"]
    python.unlink()
    assert verified(unit) is (shell or shutil.which("systemd-analyze") is None)


def verified(unit: Path) -> bool:
    """Tell whether systemd finds the program that a unit starts; it does where it isn't here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return True
    command = [analyze, "verify", "--man=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode == 0


def test_a_shell_starts_what_systemd_would_not(tmp_path: Path) -> None:
    python = tmp_path / 'it\'s "odd" \\ here' / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
    python.chmod(0o755)
    words = shlex.split(command_line([str(python), "-I", "x y"])[1:])
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "<-I><x y>"


@pytest.mark.skipif(not ROOT, reason="asks what root can't do")
def test_an_ordinary_user_is_told_what_to_do() -> None:
    # The interpreter may be where only root can look, so it becomes ordinary once it runs.
    program = "import os, shutil, sys; from mphttp.cli import main, setup; "
    program += "os.seteuid(65534); sys.exit(main(['setup']))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 23
    assert done.stderr.startswith("error: only root")
    assert "hint: sudo mphttp setup" in done.stderr


@pytest.mark.parametrize("options", [(), BOTH])
def test_the_service_starts_what_the_broker_understands(options: tuple[str, ...]) -> None:
    unit = parsed(service("/usr/bin/python3", options))
    python, *rest = unit["Service"]["ExecStart"].split()
    assert python == "/usr/bin/python3"
    assert rest[:3] == ["-I", "-m", "mphttp.broker"]
    _parser().parse_args(rest[3:])


def test_the_service_has_one_capability() -> None:
    unit = parsed(service("/usr/bin/python3"))["Service"]
    for name in ("CapabilityBoundingSet", "AmbientCapabilities"):
        assert unit[name] == "CAP_NET_ADMIN"
    more = parsed(service("/usr/bin/python3", BOTH))["Service"]["CapabilityBoundingSet"]
    assert set(more.split()) == {"CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"}


def test_the_service_looks_at_programs_only_where_rules_may_name_them() -> None:
    units = [parsed(service("/usr/bin/python3", o)) for o in ((), ("--program-names",))]
    plain, more = (unit["Service"] for unit in units)
    assert plain["ProtectProc"] == "invisible"
    assert more["ProtectProc"] == "default"
    named = {"CAP_NET_ADMIN", "CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"}
    assert set(more["CapabilityBoundingSet"].split()) == named
    assert {unit["Install"]["WantedBy"] for unit in units} == {"multi-user.target"}


def test_the_service_sees_next_to_nothing() -> None:
    unit = parsed(service("/usr/bin/python3"))["Service"]
    assert unit["DynamicUser"] == unit["NoNewPrivileges"] == unit["ProtectHome"] == "yes"
    assert unit["ProtectSystem"] == "strict"
    families = {"AF_UNIX", "AF_NETLINK", "AF_INET", "AF_INET6"}
    assert set(unit["RestrictAddressFamilies"].split()) == families
    assert unit["SystemCallFilter"].split("\n") == [
        "@system-service",
        "~@privileged @resources @obsolete",
        "capset",
    ]


def test_the_socket_is_the_groups() -> None:
    unit = parsed(socket_unit("/run/mphttp/broker.sock"))["Socket"]
    assert unit["ListenSequentialPacket"] == "/run/mphttp/broker.sock"
    assert (unit["SocketGroup"], unit["SocketMode"]) == ("mphttp", "0660")


def test_systemd_finds_little_to_complain_of(tmp_path: Path) -> None:
    """`systemd-analyze security` says 2.0 at most; where there is no systemd, nobody says."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        print("systemd isn't here: the unit's exposure isn't known")
        return
    unit = tmp_path / "mphttpd.service"
    unit.write_text(service("/usr/bin/python3"))
    command = [analyze, "security", "--no-pager", "--offline=true", "--threshold=20", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("setting", ["", "pm_type", "path_manager"])
def test_a_kernel_without_a_manager_to_select_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """As Linux 5.10 and 5.15: no command is run, and another kernel is what mends it."""
    if setting:
        (tmp_path / setting).write_text("")
    ran: list[object] = []
    monkeypatch.setattr(cli_setup, "SYSCTL", tmp_path)
    monkeypatch.setattr(cli_setup, "_do", lambda step, *_: ran.append(step))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    err = io.StringIO()
    code = main(["setup"], Environment(io.BytesIO(), io.BytesIO(), err, {}, lambda _: ""))
    assert (code == 0, bool(ran), NEEDS_LINUX in err.getvalue()) == (
        (True, True, False) if setting else (False, False, True)
    )
