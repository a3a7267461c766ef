"""Why a lab can't be made, and what mends it."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from mphttp.lab import command
from mphttp.lab.trouble import explain

DENIED = OSError(errno.EPERM, "unshare: Operation not permitted")


@pytest.mark.parametrize(
    ("name", "value", "mending"),
    [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ],
)
def test_a_switch_that_forbids_it_is_named_with_the_command(
    tmp_path: Path, name: str, value: str, mending: str
) -> None:
    switch = tmp_path / name
    switch.parent.mkdir()
    switch.write_text(f"{value}\n")
    assert explain(DENIED, tmp_path).hint == f"sudo sysctl -w {mending}"


def test_without_such_a_switch_it_is_root_or_the_container(tmp_path: Path) -> None:
    assert "root" in explain(DENIED, tmp_path).hint


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EPROTONOSUPPORT, "Protocol not supported"),
        OSError(errno.ENOPROTOOPT, "Protocol not available"),
        FileNotFoundError(errno.ENOENT, "No such file", "/proc/sys/net/mptcp/pm_type"),
    ],
)
def test_a_kernel_without_multipath_tcp_is_said(error: OSError) -> None:
    assert "Multipath TCP" in explain(error).what


def test_any_other_failure_keeps_the_kernel_s_words() -> None:
    assert "Out of memory" in explain(OSError(errno.ENOMEM, "Out of memory")).what


def test_a_machine_without_user_namespaces_gets_a_sentence_and_no_traceback() -> None:
    """A user namespace in which no further one may be made stands for such a machine."""
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    argv = f"{sys.executable} -m mphttp lab run -- true"
    script = f"{forbid} && exec setpriv --bounding-set=-sys_admin {argv}"
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == command.CANNOT_MAKE_LAB
    assert done.stderr.splitlines()[1:] == ["hint: sudo sysctl -w user.max_user_namespaces=10000"]
