"""The battery on the kernel that is here; `make test-kernels` runs it on others."""

from __future__ import annotations

import pytest

from tests.root import ROOT

from . import page
from .cells import Cell, found, no
from .features import FEATURES

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not ROOT, reason="needs root, for BPF")
@pytest.mark.parametrize("name", FEATURES)
def test_a_feature(name: str) -> None:
    cell = found(FEATURES[name], within=50)
    assert cell.word != "wrong", cell.note


def test_what_raises_or_hangs_is_wrong() -> None:
    def fails() -> Cell:
        raise ValueError("so it goes")

    def hangs() -> Cell:
        while True:
            pass

    assert found(fails, within=20) == Cell("wrong", "ValueError: so it goes")
    assert found(hangs, within=0.1).word == "wrong"
    assert no("").word == "wrong"


FOUND = {
    "old": {"release": "6.1.0-50-amd64", "cells": {"x": {"word": "no", "note": "a | table 1007"}}},
    "new": {"release": "7.3.4+deb13-amd64", "cells": {"x": {"word": "yes", "note": ""}}},
}


def test_the_page_has_what_was_found() -> None:
    text = page.table(FOUND)
    assert "| feature | 6.1.0 (old) | 7.3.4 (new) |" in text
    assert "| x | no (1) | yes |" in text
    assert "1. a \\| table N" in text
    assert page.differences(FOUND, text) == []


def test_another_word_than_on_the_page_is_told() -> None:
    text = page.table(FOUND)
    worse = {"new": {"release": "8.0", "cells": {"x": {"word": "wrong", "note": "why"}}}}
    (told,) = page.differences(worse, text)
    assert told == "new, x: wrong (why), not 'yes'"
    assert page.differences({**worse, "else": worse["new"]}, text)[1].startswith("else")
