"""Where early bytes are kept: all come back, and memory has its bound."""

from __future__ import annotations

import os
import resource
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.ranges.store import MEMORY, Place, Store
from tests.kernel.namespaces import in_child


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def everything(store: Store, length: int) -> bytes:
    """Take what is there from the beginning on, as a reader does."""
    taken = b""
    while len(taken) < length and (piece := store.take(len(taken))):
        taken += piece
    return taken


CUTS = st.lists(st.integers(1, 400_000), min_size=1, max_size=8)


@given(cuts=CUTS, memory=st.integers(0, 500_000), data=st.data())
def test_all_comes_back_in_order(cuts: list[int], memory: int, data: st.DataObject) -> None:
    """Wherever a piece is, in whatever order they came."""
    body = os.urandom(sum(cuts))
    starts = [sum(cuts[:n]) for n in range(len(cuts))]
    store = Store(memory=memory)
    for n in data.draw(st.permutations(range(len(cuts)))):
        store.put(starts[n], body[starts[n] : starts[n] + cuts[n]])
        assert store.held <= memory
    assert everything(store, len(body)) == body
    assert store.held == 0
    assert store.take(0) == b""
    store.close()


def test_up_to_the_bound_there_is_no_file() -> None:
    before = descriptors()
    store = Store()
    store.put(0, bytes(MEMORY))
    assert (store.held, descriptors()) == (MEMORY, before)
    store.put(MEMORY, b"x")
    assert (store.held, descriptors()) == (MEMORY, before + 1)
    store.close()
    assert (store.held, descriptors()) == (0, before)


def test_memory_that_was_taken_is_used_again() -> None:
    store = Store(memory=10)
    store.put(0, bytes(10))
    store.take(0)
    before = descriptors()
    store.put(10, bytes(10))
    assert descriptors() == before


def test_the_temporary_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nothing is left of it, even if the process is killed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = Store(memory=0)
    store.put(0, b"abc")
    assert not list(tmp_path.iterdir())
    store.close()


def test_in_a_place_each_byte_is_where_it_belongs(tmp_path: Path) -> None:
    """Nothing is held in memory, and the file isn't the store's to close."""
    file = tmp_path / "body"
    with file.open("w+b") as opened:
        store = Store(Place(opened.fileno(), 100))
        store.put(50, b"later")
        store.put(0, b"early")
        assert store.held == 0
        assert store.take(0) == b"early"
        store.close()
        os.fstat(opened.fileno())
    assert file.read_bytes() == bytes(100) + b"early" + bytes(45) + b"later"


def test_a_file_that_was_cut_is_an_error_not_another_body(tmp_path: Path) -> None:
    with (tmp_path / "body").open("w+b") as opened:
        store = Store(Place(opened.fileno(), 0))
        store.put(0, b"abc")
        opened.truncate(0)
        with pytest.raises(OSError, match="lost what was written"):
            store.take(0)


def test_what_could_not_be_written_is_not_there() -> None:
    """Nor is anything else lost."""

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        store = Store(memory=10)
        store.put(0, bytes(10))
        store.put(10, bytes(500))
        with pytest.raises(OSError, match="File too large"):
            store.put(510, bytes(500_000))
        store.hold(510, b"x")
        assert everything(store, 511) == bytes(510) + b"x"

    in_child(full)
