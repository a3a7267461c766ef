"""A test that asks for `net` or `root_net` runs in network namespaces of its own."""

from __future__ import annotations

import pytest

from mphttp.kernel.reading.info import mptcp_error

from .namespaces import Net, in_child, skip_without_bpf


@pytest.fixture(scope="session")
def namespaces_work() -> None:
    """Skip, with the reason, where namespaces can't be made."""
    if mptcp_error():
        pytest.skip("this kernel makes no MPTCP sockets")
    try:
        in_child(lambda: Net().start())
    except pytest.fail.Exception as failed:
        pytest.skip(f"no network namespaces here: {str(failed).splitlines()[-1]}")


@pytest.fixture
def net(namespaces_work: None) -> Net:
    return Net()


@pytest.fixture(scope="session")
def bpf_works(namespaces_work: None) -> None:
    """Skip, with the reason, where options of one subflow can't be set."""
    skip_without_bpf()


@pytest.fixture
def root_net(bpf_works: None) -> Net:
    return Net(user_namespace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    net = pyfuncitem.funcargs.get("net") or pyfuncitem.funcargs.get("root_net")
    if not isinstance(net, Net):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    def run() -> None:
        net.start()
        pyfuncitem.obj(**arguments)

    in_child(run)
    return True
