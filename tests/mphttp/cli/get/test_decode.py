from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.get.decode import Brotli, CodingError, Decoder, Deflate, Gzip, undone


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


CODINGS = [(gzip.compress, Gzip), (zlib.compress, Deflate), (raw, Deflate)]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


@pytest.mark.parametrize(("packed", "decoder"), CODINGS)
@given(data=st.binary(max_size=300), sizes=st.lists(st.integers(0, 40), max_size=20))
def test_what_was_packed_comes_out_however_it_is_cut(
    packed: Callable[[bytes], bytes], decoder: type[Decoder], data: bytes, sizes: list[int]
) -> None:
    assert b"".join(undone(cut(packed(data), sizes), [decoder()])) == data


@pytest.mark.parametrize(("packed", "decoder"), CODINGS)
@given(data=st.binary(max_size=300), missing=st.integers(1, 1000))
def test_a_stream_that_ends_early_is_never_taken_for_whole(
    packed: Callable[[bytes], bytes], decoder: type[Decoder], data: bytes, missing: int
) -> None:
    whole = packed(data)
    begun = whole[: max(1, len(whole) - missing)]
    if begun == whole:
        return
    with pytest.raises(CodingError, match="ends too early"):
        list(undone([begun], [decoder()]))


def test_br_where_its_package_is_installed() -> None:
    brotli = pytest.importorskip("brotli")
    packed = brotli.compress(b"something" * 100)
    pieces = [packed[i : i + 3] for i in range(0, len(packed), 3)]
    assert b"".join(undone(pieces, [Brotli()])) == b"something" * 100
    with pytest.raises(CodingError, match="ends too early"):
        list(undone(pieces[:-1], [Brotli()]))
    with pytest.raises(CodingError):
        list(undone([b"\xff" * 100], [Brotli()]))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.integers(0, 9))
def test_all_members_of_a_gzip_file_count(members: list[bytes], padding: int) -> None:
    packed = b"".join(gzip.compress(member) for member in members) + bytes(padding)
    pieces = [packed[i : i + 7] for i in range(0, len(packed), 7)]
    assert b"".join(undone(pieces, [Gzip()])) == b"".join(members)


@pytest.mark.parametrize(
    ("data", "decoder"),
    [
        (b"not packed", Gzip),
        (gzip.compress(b"x", mtime=0) + b"more", Gzip),
        (b"\xff\xff\xff", Deflate),
        (zlib.compress(b"x") + b"more", Deflate),
    ],
)
def test_what_is_no_such_coding_is_an_error(data: bytes, decoder: type[Decoder]) -> None:
    with pytest.raises(CodingError):
        list(undone([data], [decoder()]))


def test_a_wrong_checksum_is_an_error() -> None:
    packed = bytearray(gzip.compress(b"something"))
    packed[-5] ^= 1
    with pytest.raises(CodingError, match="incorrect data check"):
        list(undone([bytes(packed)], [Gzip()]))


def test_two_codings_are_undone_one_after_the_other() -> None:
    packed = gzip.compress(zlib.compress(b"twice"))
    assert b"".join(undone([packed], [Gzip(), Deflate()])) == b"twice"


@pytest.mark.parametrize("decoder", [Gzip, Deflate])
def test_no_body_at_all_is_whole(decoder: type[Decoder]) -> None:
    """As the answer to HEAD, which names the coding all the same."""
    assert list(undone([], [decoder()])) == []
