"""Who may use a proxy."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from mphttp.proxy.users import parse_users, read_users

FILE = b"# who\n\nsomebody:sec:ret\nother:\xc3\xa9\n"


def field(words: bytes) -> bytes:
    return b"Basic " + base64.b64encode(words)


def test_users_and_passwords() -> None:
    users = parse_users(FILE)
    assert users.know(b"somebody", b"sec:ret")
    assert users.know(b"other", "é".encode())
    for user, password in (
        (b"somebody", b"sec"),
        (b"nobody", b"sec:ret"),
        (b"somebody", b""),
        (b"", b""),
    ):
        assert not users.know(user, password)


def test_the_field() -> None:
    users = parse_users(FILE)
    assert users.authorized(field(b"somebody:sec:ret"))
    assert users.authorized(b"bAsIc  " + base64.b64encode(b"somebody:sec:ret"))
    wrong = [field(words) for words in (b"somebody", b"somebody:", b"somebody:sec:ret:")]
    naked = base64.b64encode(b"somebody:sec:ret")
    for given in (None, b"", b"Basic", b"Basic !", b"Bearer x", naked, *wrong):
        assert not users.authorized(given)


@pytest.mark.parametrize("data", [b"", b"# nobody\n", b"somebody\n", b":secret\n", b"somebody:\n"])
def test_what_names_nobody(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"line 1|nobody"):
        parse_users(data)


def test_a_file_that_others_may_read(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_bytes(FILE)
    file.chmod(0o640)
    with pytest.raises(ValueError, match="others"):
        read_users(str(file))
    file.chmod(0o600)
    assert read_users(str(file)).know(b"other", "é".encode())
