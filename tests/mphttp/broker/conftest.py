"""A test that asks for `net` or `root_net` runs in network namespaces of its own."""

from tests.kernel.conftest import bpf_works, namespaces_work, net, pytest_pyfunc_call, root_net

__all__ = ["bpf_works", "namespaces_work", "net", "pytest_pyfunc_call", "root_net"]
