"""A test that asks for `net` runs in network namespaces of its own."""

from tests.kernel.conftest import namespaces_work, net, pytest_pyfunc_call

__all__ = ["namespaces_work", "net", "pytest_pyfunc_call"]
