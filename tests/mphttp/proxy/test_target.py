"""Hosts and ports as they stand in requests."""

from __future__ import annotations

import pytest

from mphttp.proxy.target import Target, absolute, authority, checked_host


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (b"example.org:443", Target("example.org", 443)),
        (b"under_score.example:1", Target("under_score.example", 1)),
        (b"[2001:db8::1]:22", Target("2001:db8::1", 22)),
        (b"[fe80::1%eth0]:22", Target("fe80::1%eth0", 22)),
        (b"127.1:80", Target("127.1", 80)),
        (b"example.org.:80", Target("example.org.", 80)),
    ],
)
def test_an_authority(text: bytes, target: Target) -> None:
    assert authority(text) == target


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b":",
        b":80",
        b"a:",
        b"a",
        b"a:0",
        b"a:65536",
        b"a:1x",
        b"a b:1",
        b"a\tb:1",
        b"2001:db8::1:22",
        b"[::1:80",
        b"::1]:80",
        b"[name]:80",
        b"a@b:80",
        b"a/b:80",
        b"a\x00b:80",
        b"-a:80",
        b"\xc3\xa9:80",
        b"a:80:80",
        b"x" * 256 + b":80",
    ],
)
def test_no_authority(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        authority(text)


@pytest.mark.parametrize(
    ("text", "target", "path"),
    [
        (b"http://example.org/a?b=c", Target("example.org", 80), b"/a?b=c"),
        (b"HTTP://example.org:8080", Target("example.org", 8080), b"/"),
        (b"http://example.org?q", Target("example.org", 80), b"/?q"),
        (b"http://[::1]:81/x#part", Target("::1", 81), b"/x"),
        (b"http://example.org/a@b:c//d", Target("example.org", 80), b"/a@b:c//d"),
    ],
)
def test_the_absolute_form(text: bytes, target: Target, path: bytes) -> None:
    assert absolute(text) == (target, path)


@pytest.mark.parametrize(
    "text",
    [
        b"/",
        b"*",
        b"https://a/",
        b"ftp://a/",
        b"http:/a",
        b"http://",
        b"http://u:p@a/",
        b"http://a:b/",
        b"//a/",
    ],
)
def test_what_isn_t_forwarded(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        absolute(text)


def test_a_host_has_no_brackets() -> None:
    assert checked_host(b"::1") == "::1"
    with pytest.raises(ValueError, match="no name"):
        checked_host(b"[::1]")


@pytest.mark.parametrize("target", [Target("::1", 1), Target("a", 65535)])
def test_it_is_written_as_it_is_read(target: Target) -> None:
    assert authority(str(target).encode()) == target
