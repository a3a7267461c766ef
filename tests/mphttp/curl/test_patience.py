"""How long a transfer is waited for, where the limit is what is left of a larger one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mphttp.curl.stream import _Patience


class WhatIsLeft(dict[str, float | None]):
    """A limit that is less each time that somebody asks, as the command line's are."""

    def get(self, kind: str, _: object = None, /) -> float | None:
        value = super().get(kind)
        self[kind] = None if value is None else value / 10
        return value


@pytest.fixture
def transfer() -> Any:
    """What is looked at of a transfer."""
    return SimpleNamespace(hop=SimpleNamespace(connected=True), heard_at=1.0, uploads=lambda: False)


def test_a_limit_is_not_taken_off_twice(transfer: Any) -> None:
    patience = _Patience(transfer, WhatIsLeft(read=1000.0))
    assert patience.left() > 900
    assert patience.left() > 900  # though 100 s are left of the larger one now


def test_a_sign_of_life_begins_a_new_wait(transfer: Any) -> None:
    patience = _Patience(transfer, WhatIsLeft(read=1000.0))
    assert patience.left() > 900
    transfer.heard_at = 2.0
    assert 90 < patience.left() <= 100


def test_what_leaves_has_a_limit_of_its_own(transfer: Any) -> None:
    patience = _Patience(transfer, {"read": 1000.0, "write": 0.0})
    assert (patience.left() > 900, patience.kind) == (True, "read")
    transfer.uploads = lambda: True
    assert patience.left() <= 0
    assert patience.kind == "write"


def test_without_a_connection_libcurl_has_the_limit(transfer: Any) -> None:
    transfer.hop.connected = False
    assert _Patience(transfer, {"read": 0.0}).left() > 900
