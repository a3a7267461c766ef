"""What is found on machines that can and that can't."""

from __future__ import annotations

import pytest

from mphttp.kernel import Finding, best_mechanism, findings
from mphttp.kernel.errors import NotPermitted, NotSupported

from .namespaces import Net


def found() -> dict[str, Finding]:
    return {finding.name: finding for finding in findings()}


def test_a_machine_that_can(net: Net) -> None:
    """All that is needed is ok, nothing is to mend, and netlink is chosen."""
    assert [f for f in findings() if f.needed and (not f.ok or f.mend)] == []
    mechanism = best_mechanism()
    assert (mechanism.name, mechanism.reason) == ("netlink", None)
    mechanism.close()


def test_without_the_privilege(net: Net) -> None:
    net.leave_privilege()
    missing = found()["CAP_NET_ADMIN"]
    assert not missing.ok
    assert "net_admin" in missing.mend
    mechanism = best_mechanism()
    assert mechanism.name == "readonly"
    assert isinstance(mechanism.reason, NotPermitted)
    assert missing.mend in mechanism.reason.hint
    assert found()["broker"].mend in mechanism.reason.hint
    assert not found()["control"].ok
    assert mechanism.fileno() is None
    assert mechanism.events() == ()


def test_with_the_kernels_own_path_manager(net: Net) -> None:
    net.sysctl("net.mptcp.pm_type", 0)
    other = found()["path manager"]
    assert not other.ok
    assert other.mend.startswith("sudo sysctl -w net.mptcp.")
    mechanism = best_mechanism()
    assert mechanism.name == "readonly"
    assert isinstance(mechanism.reason, NotSupported)
    assert mechanism.reason.hint == other.mend


def test_the_command_that_mends_the_path_manager_does(net: Net) -> None:
    net.sysctl("net.mptcp.pm_type", 0)
    name, value = found()["path manager"].mend.rpartition(" ")[2].split("=")
    net.sysctl(name, value)
    assert found()["path manager"].ok


def test_with_mptcp_switched_off(net: Net) -> None:
    net.sysctl("net.mptcp.enabled", 0)
    assert not found()["mptcp"].ok
    assert found()["mptcp"].mend == "sudo sysctl -w net.mptcp.enabled=1"
    assert "full info" not in found()


@pytest.mark.parametrize("which", ["all", "c2"])
def test_strict_reverse_path_filtering(net: Net, which: str) -> None:
    """The larger of an interface's value and that of all holds, and 2 on the interface mends it."""
    net.sysctl(f"net.ipv4.conf.{which}.rp_filter", 1)
    strict = {name: f for name, f in found().items() if not f.ok and f.needed}
    assert set(strict) == ({"rp_filter c2"} if which == "c2" else {"rp_filter c1", "rp_filter c2"})
    for finding in strict.values():
        name, value = finding.mend.rpartition(" ")[2].split("=")
        net.sysctl(name, value)
    assert found()["rp_filter"].ok
