from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.get.decode import (
    Brotli,
    CodingError,
    Decoder,
    Deflate,
    Gzip,
    Zstandard,
    decoded,
    offered,
    undone,
)


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    package = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    return pytest.importorskip(package).compress(data)


def br(data: bytes) -> bytes:
    return pytest.importorskip("brotli").compress(data, quality=4)


CODINGS = [
    (gzip.compress, Gzip),
    (zlib.compress, Deflate),
    (raw, Deflate),
    (br, Brotli),
    (zstd, Zstandard),
]
MOST = 128 << 10  # bytes in a piece: brotli's last buffer may be somewhat more than was asked for


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


@pytest.mark.parametrize(
    ("packed", "decoder", "padding"), [(gzip.compress, Gzip, 9), (zstd, Zstandard, 0)]
)
@given(members=st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_all_members_count(
    packed: Callable[[bytes], bytes], decoder: type[Decoder], padding: int, members: list[bytes]
) -> None:
    whole = b"".join(packed(member) for member in members) + bytes(padding)
    pieces = [whole[i : i + 7] for i in range(0, len(whole), 7)]
    assert b"".join(undone(pieces, [decoder()])) == b"".join(members)


@pytest.mark.parametrize(("packed", "decoder"), CODINGS)
def test_a_bomb_comes_out_in_bounded_pieces(
    packed: Callable[[bytes], bytes], decoder: type[Decoder]
) -> None:
    size = 8 << 20
    pieces = [len(piece) for piece in undone([packed(bytes(size))], [decoder()])]
    assert sum(pieces) == size
    assert max(pieces) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize(("packed", "decoder"), CODINGS)
def test_a_bomb_in_a_bomb_comes_out_in_bounded_pieces(
    packed: Callable[[bytes], bytes], decoder: type[Decoder]
) -> None:
    size = 32 << 20
    twice = packed(packed(bytes(size)))
    assert len(twice) < 4096
    pieces = [len(piece) for piece in undone([twice], [decoder(), decoder()])]
    assert sum(pieces) == size
    assert max(pieces) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize(("packed", "decoder"), [(gzip.compress, Gzip), (zstd, Zstandard)])
def test_empty_members_cost_time_in_proportion(
    packed: Callable[[bytes], bytes], decoder: type[Decoder]
) -> None:
    """A quadratic copy of what is left would be gigabytes here, and the test's time-out ends it."""
    members = packed(b"") * 100_000
    assert list(undone([members], [decoder()])) == []


def test_empty_blocks_without_end_become_nothing() -> None:
    blocks = b"\0\0\0\xff\xff" * (1 << 20) + b"\1\0\0\xff\xff"
    assert list(undone([blocks], [Deflate()])) == []


@pytest.mark.parametrize(
    "fields", [["gzip, deflate"], ["gzip", "deflate"], ["GZIP ,, identity", "Deflate"]]
)
def test_codings_may_stand_in_any_number_of_fields(fields: list[str]) -> None:
    body = zlib.compress(gzip.compress(b"both"))
    headers = [("Content-Encoding", field) for field in fields]
    assert b"".join(decoded(httpx.Response(200, headers=headers, stream=Once(body)))) == b"both"


@pytest.mark.parametrize(
    "fields", [["gzip, " * 5 + "gzip"], ["gzip"] * 6, ["deflate, br", "gzip"] * 3]
)
def test_more_than_five_codings_are_refused(fields: list[str]) -> None:
    headers = [("Content-Encoding", field) for field in fields]
    with pytest.raises(CodingError, match="codings, and 5 are the most"):
        list(decoded(httpx.Response(200, headers=headers, stream=Once(b""))))


def test_five_codings_are_undone() -> None:
    body = b"five"
    for _ in range(5):
        body = gzip.compress(body)
    response = httpx.Response(
        200, headers={"Content-Encoding": ",".join(["gzip"] * 5)}, stream=Once(body)
    )
    assert b"".join(decoded(response)) == b"five"


def test_what_can_be_undone_is_offered() -> None:
    assert offered().startswith("gzip, deflate")
    for name in offered().split(", "):
        response = httpx.Response(200, headers={"Content-Encoding": name}, stream=Once(b""))
        assert list(decoded(response)) == []


class Once(httpx.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body


@pytest.mark.parametrize(
    ("data", "decoder"),
    [
        (b"not packed", Gzip),
        (gzip.compress(b"x", mtime=0) + b"more", Gzip),
        (b"\xff\xff\xff", Deflate),
        (zlib.compress(b"x") + b"more", Deflate),
        (b"\xff" * 100, Brotli),
        (b"not packed", Zstandard),
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


@pytest.mark.parametrize("decoder", [Gzip, Deflate, Brotli, Zstandard])
def test_no_body_at_all_is_whole(decoder: type[Decoder]) -> None:
    """As the answer to HEAD, which names the coding all the same."""
    assert list(undone([], [decoder()])) == []
