"""`mphttp lab run` from outside: the command's terminal, signals and exit code; nothing stays."""

from __future__ import annotations

import argparse
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from mphttp.lab import Lab, LabError, command, names

pytestmark = pytest.mark.slow  # each starts a laboratory

RUN = [sys.executable, "-m", "mphttp", "lab", "run"]

# Tells where it is, leaves a process of its own behind that ignores everything, and stays.
STAYS = """
import os, signal, subprocess, sys
orphan = "import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", orphan], start_new_session=True)
print(os.environ["MPHTTP_LAB_CA"], os.readlink("/proc/self/ns/net"), flush=True)
signal.pause()
"""


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *arguments], capture_output=True, text=True, timeout=50, check=False, **options
    )


def processes_in(network: str) -> list[str]:
    """Return the processes that are in a network namespace."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            if os.readlink(entry) == network:
                found.append(entry.parts[2])
        except OSError:
            continue
    return found


def assert_nothing_stays(told: str) -> None:
    ca, network = told.split()
    assert not Path(ca).parent.exists()
    nobody_stays_in(network)


def nobody_stays_in(network: str) -> None:
    """Wait for the end of those that are killed already, or of the next to have this number."""
    end = time.monotonic() + 20
    while found := processes_in(network):
        assert time.monotonic() < end, found
        time.sleep(0.01)


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_and_output_are_the_command_s(code: int) -> None:
    done = run("--", "sh", "-c", f"echo out; echo err >&2; exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "out\n", "err\n")


def test_a_signal_that_ends_the_command_is_128_and_its_number() -> None:
    assert run("--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("name", ["no-such-command", "/no/such/command"])
def test_a_command_that_isn_t_there_is_127(name: str) -> None:
    done = run("--", name)
    assert done.returncode == 127
    assert name in done.stderr


def test_a_command_that_can_t_be_run_is_126(tmp_path: Path) -> None:
    assert run("--", str(tmp_path)).returncode == 126


def test_the_command_s_own_options_stay_its_own() -> None:
    done = run("--link", "a=1mbit,1ms", "--", "printf", "%s|", "--link", "--", "-x")
    assert done.stdout == "--link|--|-x|"


@pytest.mark.parametrize(
    "arguments",
    [["--link", "wifi", "--", "true"], ["--"], ["--server-limit", "x", "--", "true"]],
)
def test_a_command_line_that_has_no_meaning_is_2_with_a_hint(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "hint: " in done.stderr


def test_a_name_given_twice_makes_no_lab() -> None:
    done = run("--link", "a=1mbit,1ms", "--link", "a=1mbit,1ms", "--", "true")
    assert done.returncode == command.CANNOT_MAKE_LAB
    assert "each with its own name" in done.stderr


def test_the_command_keeps_its_directory_and_environment(tmp_path: Path) -> None:
    environment = {**os.environ, "MINE": "kept", "http_proxy": "http://127.0.0.1:1"}
    done = run("--", "sh", "-c", "echo $PWD $MINE [$http_proxy]", cwd=tmp_path, env=environment)
    assert done.stdout == f"{tmp_path} kept []\n"


def test_interfaces_carry_the_links_names_and_the_first_is_the_system_s_choice() -> None:
    done = run("--link", "a=1mbit,1ms", "--link", "b=1mbit,1ms", "--", "ip", "route", "show")
    defaults = [line.split() for line in done.stdout.splitlines() if line.startswith("default")]
    assert [line[4] for line in defaults] == ["a", "b"]
    assert [int(line[line.index("metric") + 1]) for line in defaults] == [100, 101]


def test_without_privilege_nothing_of_the_network_can_be_changed() -> None:
    done = run("--no-privilege", "--", "ip", "link", "set", "wifi", "down")
    assert done.returncode != 0
    done = run("--no-privilege", "--", "grep", "^Cap", "/proc/self/status")
    assert {line.split()[1] for line in done.stdout.splitlines()} == {"0" * 16}


def test_interfaces_are_up_when_the_command_starts() -> None:
    """The kernel may take a second to say so, and path finders look at it."""
    done = run("--", "ip", "-o", "link", "show", "up")
    flags = {line.split(":")[1].split("@")[0].strip(): line for line in done.stdout.splitlines()}
    assert "NO-CARRIER" not in flags["wifi"] + flags["lte"]


def test_a_limit_that_the_kernel_refuses_is_one_sentence() -> None:
    done = run("--server-limit", "4000000", "--", "true")
    assert done.returncode == command.CANNOT_MAKE_LAB
    assert done.stderr == "error: This kernel's server can't have a limit of 4000000 subflows.\n"


def test_the_server_s_limit_is_what_was_asked_for() -> None:
    with Lab(["a=1mbit,1ms"], server_subflow_limit=5) as lab:
        process = lab.in_server(["ip", "mptcp", "limits"], stdout=subprocess.PIPE, text=True)
        told, _ = process.communicate(timeout=20)
    assert "subflows 5" in told


def test_the_end_of_the_block_leaves_nothing() -> None:
    with Lab() as lab:
        process = lab.in_client([sys.executable, "-c", STAYS], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        told = process.stdout.readline()
    assert process.wait(20) == -signal.SIGKILL
    process.stdout.close()
    assert_nothing_stays(told)


def test_an_exception_leaves_nothing() -> None:
    with suppress(ZeroDivisionError), Lab() as lab:
        ca = Path(lab.environment[names.CA])
        assert ca.exists()
        raise ZeroDivisionError
    assert not ca.parent.exists()


def test_the_death_of_the_keeper_ends_everything_in_the_lab() -> None:
    with Lab() as lab:
        process = lab.in_client([sys.executable, "-c", STAYS], stdout=subprocess.PIPE, text=True)
        assert process.stdout
        ca, network = process.stdout.readline().split()
        lab._keeper.kill()
        assert process.wait(20) == -signal.SIGKILL
        with pytest.raises(LabError, match="ended"):
            lab.counters()
    process.stdout.close()
    nobody_stays_in(network)
    shutil.rmtree(Path(ca).parent)  # all that nobody is left to remove


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGHUP])
def test_a_signal_to_the_lab_s_user_leaves_nothing(end: signal.Signals) -> None:
    with started([*RUN, "--", sys.executable, "-c", STAYS]) as (process, told):
        process.send_signal(end)
        # Everybody in the lab has these pipes; their end is everybody's.
        process.communicate(timeout=30)
    assert_nothing_stays(told)


@pytest.mark.parametrize(
    ("end", "code"),
    [(signal.SIGINT, 128 + signal.SIGINT), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_signal_to_the_whole_job_leaves_nothing(end: signal.Signals, code: int) -> None:
    with started([*RUN, "--", sys.executable, "-c", STAYS]) as (process, told):
        os.killpg(process.pid, end)
        process.communicate(timeout=30)
    assert process.returncode == code
    assert_nothing_stays(told)


class started:  # noqa: N801  reads as a function
    """A process group of its own, and the first line that it wrote."""

    def __init__(self, argv: list[str]) -> None:
        pipes: dict[str, int] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._process = subprocess.Popen(argv, text=True, process_group=0, **pipes)

    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        assert self._process.stdout
        return self._process, self._process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.__exit__(None, None, None)


# A command on a terminal: says so, and takes Ctrl-C as it likes.
ON_TERMINAL = """
import signal, sys
def stop(*_):
    print("interrupted", flush=True)
    sys.exit(9)
signal.signal(signal.SIGINT, stop)
print("terminal" if sys.stdin.isatty() and sys.stdout.isatty() else "pipe", flush=True)
signal.pause()
"""

# Becomes the leader of a session whose terminal is standard input, as under a terminal emulator.
SESSION = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_the_terminal_and_ctrl_c_are_the_command_s() -> None:
    ours, theirs = pty.openpty()
    argv = [sys.executable, "-c", SESSION, *RUN, "--", sys.executable, "-c", ON_TERMINAL]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        assert read_until(ours, b"\n") == b"terminal\r\n"
        os.write(ours, b"\x03")
        assert read_until(ours, b"d\r\n").endswith(b"interrupted\r\n")
        assert process.wait(30) == 9
    os.close(ours)


def read_until(descriptor: int, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += os.read(descriptor, 1)
    return data


TRAPS = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done"


def test_signals_reach_a_command_as_if_nothing_stood_between() -> None:
    with Lab(["a=1mbit,1ms"]) as lab:
        for start in (lab.in_client, lab.in_server):
            with start(["sh", "-c", TRAPS], stdout=subprocess.PIPE) as process:
                assert process.stdout
                assert process.stdout.readline() == b"ready\n"
                process.terminate()
                assert process.wait(20) == 5


def test_an_interface_is_silent_while_no_application_sends() -> None:
    """Router solicitations and group reports would come within seconds."""
    done = run("--", "sh", "-c", "sleep 5; cat /proc/net/dev")
    counters = {
        line.split(":")[0].strip(): line.split(":")[1].split()
        for line in done.stdout.splitlines()
        if ":" in line
    }
    assert set(counters) == {"lo", "wifi", "lte"}
    assert {column for name in ("wifi", "lte") for column in counters[name]} == {"0"}


def test_interfaces_have_the_planned_addresses_and_no_other() -> None:
    done = run("--", "ip", "-o", "addr", "show", "dev", "lte")
    addresses = [line.split()[3] for line in done.stdout.splitlines()]
    assert addresses == ["10.77.1.2/24", "fd77:0:0:1::2/64"]


# A root without capabilities is to the kernel what an ordinary user is, but for user id 0, which
# nobody may map without CAP_SETFCAP (user_namespaces(7)).
ORDINARY = ["setpriv", "--bounding-set=-all,+setfcap"] if os.geteuid() == 0 else []


def test_an_ordinary_user_has_a_lab_and_the_whole_say_in_it() -> None:
    script = "ip link set lte down && sysctl -qw net.mptcp.pm_type=0 && readlink /proc/self/ns/user"
    done = subprocess.run(
        [*ORDINARY, *RUN, "--", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() != os.readlink("/proc/self/ns/user")


def test_root_stays_in_its_own_user_namespace() -> None:
    """Loading BPF programs needs privilege in the initial one."""
    if os.geteuid() != 0:
        pytest.skip("an ordinary user's lab has a user namespace of its own")
    done = run("--", "readlink", "/proc/self/ns/user")
    assert done.stdout.strip() == os.readlink("/proc/self/ns/user")


def test_mounts_of_the_lab_are_its_own() -> None:
    """Where mounts are shared, as under systemd, the lab's /proc would appear outside."""
    lab = " ".join([*RUN, "--", "true"])
    script = f"mount --make-rshared / && cat /proc/mounts && echo == && {lab} && cat /proc/mounts"
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    before, after = done.stdout.split("==\n")
    assert after == before


def test_two_labs_don_t_know_of_each_other() -> None:
    with Lab(["a=1mbit,1ms"]) as one, Lab(["b=1mbit,1ms"]) as two:
        assert set(one.counters()) == {"a"}
        assert set(two.counters()) == {"b"}
        assert two.run(["true"]) == 0
        one.change("a", rate="2mbit")
        with pytest.raises(LabError, match="no link 'a'"):
            two.change("a", rate="2mbit")


@pytest.mark.parametrize("module", ["pyroute2", "trustme"])
def test_what_isn_t_installed_is_named_with_the_command(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find: Callable[[str], object] = lambda name: None if name == module else object()  # noqa: E731
    monkeypatch.setattr("mphttp.lab.lab.find_spec", find)
    with pytest.raises(LabError, match=module) as caught:
        Lab().__enter__()
    assert caught.value.hint == "pip install 'mphttp[lab]'"


def test_run_takes_its_options_from_any_parser() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["--", "sh", "-c", "exit 4"])) == 4
