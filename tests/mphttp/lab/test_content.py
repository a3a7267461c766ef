"""The origin's content."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.lab.content import BLOCK, MAX_SIZE, blocks, sha256_of


@given(st.integers(0, 300_000), st.integers(0, 300_000), st.integers(0, 300_000))
def test_a_part_is_cut_from_the_whole(size: int, start: int, stop: int) -> None:
    whole = b"".join(blocks(size))
    assert len(whole) == size
    assert b"".join(blocks(size, start, stop)) == whole[start:stop]


def test_pieces_are_small() -> None:
    assert max(len(piece) for piece in blocks(10 * BLOCK, 7)) == BLOCK


def test_no_two_kilobytes_are_alike() -> None:
    whole = b"".join(blocks(4 << 20))
    assert len({whole[at : at + 1024] for at in range(0, len(whole), 1024)}) == 4096


def test_bodies_share_their_beginning_whatever_their_size() -> None:
    assert b"".join(blocks(100_000)).startswith(b"".join(blocks(70_000)))


def test_the_end_of_the_largest_body_is_there_at_once() -> None:
    (last,) = blocks(MAX_SIZE, MAX_SIZE - 10)
    assert len(last) == 10


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 1_000_000])
def test_digest_is_that_of_the_content(size: int) -> None:
    assert sha256_of(size) == hashlib.sha256(b"".join(blocks(size))).digest()


def test_content_stays_the_same_for_ever() -> None:
    """Others may have written its checksum down."""
    assert (
        sha256_of(1_000_000).hex()
        == "f35e13e70d82d56cb7581440e57c3350594660bc813abf2d8fa7e6a9abcdbbb7"
    )
