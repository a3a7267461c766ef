"""What the tests of the HTTP side share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import trustme

from mphttp.lab import names

from .requests.servers import Keep, Service, Start, Talk


@pytest.fixture(scope="session", autouse=True)
def few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust one authority, who signs nothing, except in the lab, which says whom to trust.

    Every client reads all that it trusts when it is made, which for the usual bundle takes longer
    than most of these tests.
    """
    with pytest.MonkeyPatch.context() as patch:
        if names.INSIDE not in os.environ:
            file = tmp_path_factory.mktemp("authorities") / "ca.pem"
            trustme.CA().cert_pem.write_to_path(str(file))
            for variable in names.CA_VARIABLES:
                patch.setenv(variable, str(file))
        yield


@pytest.fixture
def keep() -> Iterator[Keep]:
    """Close what is given, at the end."""
    with ExitStack() as stack:

        def keep(service: Any) -> Any:
            stack.callback(service.close)
            return service

        yield keep


@pytest.fixture
def start(keep: Keep) -> Start:
    """Start servers that do with each connection what a function says."""

    def start(talk: Talk) -> Service:
        service: Service = keep(Service(talk))
        return service

    return start
