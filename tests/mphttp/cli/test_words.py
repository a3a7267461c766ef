"""Where words for people go, when nobody can have them."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from mphttp.cli.environment import Words


def test_words_may_be_the_last_that_python_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they are written to is closed by then, and `open` is gone."""
    stream = (tmp_path / "words").open("w")
    words = Words(stream)
    words.write("a word")
    stream.close()
    monkeypatch.delattr(builtins, "open")
    words.flush()
    monkeypatch.undo()
