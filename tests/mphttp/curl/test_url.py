"""URLs: one reading of each, which is libcurl's."""

from __future__ import annotations

from contextlib import closing

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.curl.url import follow, read


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("http://a.example", "http://a.example/"),
        ("HTTP:/A.example:80/b?c#d", "http://a.example/b?c"),
        ("https:///a.example:0443?c", "https://a.example/?c"),
        ("http://a.example:/", "http://a.example/"),
        ("http://127.1:81/", "http://127.0.0.1:81/"),
        ("http://0x7f.1./", "http://127.0.0.1/"),
        ("http://%6c%6fcalhost/", "http://localhost/"),
        ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
        ("http://[FE80::1%25lo]:81/", "http://[fe80::1%25lo]:81/"),
        ("http://[fe80::1%lo]/", "http://[fe80::1%25lo]/"),
        ("http://B\xfccher.localhost/\xfc b", "http://xn--bcher-kva.localhost/%C3%BC%20b"),
        ("http://me:secret@a.example/", "http://a.example/"),
        ("http://a.example/..//b|c%2f", "http://a.example/..//b|c%2f"),
    ],
)
def test_a_url_has_one_form(text: str, written: str) -> None:
    """Which is the one that libcurl would have made of it, but for what it can't read itself."""
    assert str(read(text)) == written
    assert str(read(written)) == written
    if text.isascii() and "%" not in text:
        assert str(read(libcurl_s(text))) == written


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 3),
        ("/a", 3),
        ("http:", 3),
        ("http:a.example", 3),
        ("http:////a.example", 3),
        ("http:///", 3),
        ("http://a b/", 3),
        ("http://a\\b/", 3),
        ("http://./", 3),
        ("http://a..b/", 3),
        ("http://me:se@cret@a.example/", 3),
        ("http://a.example/\r\nX:1", 3),
        ("http://a.example\0/", 3),
        ("http://me:a%0d%0ab@a.example/", 3),
        ("http://[::1", 3),
        ("http://[::1]x/", 3),
        ("http://[::1%]/", 3),
        ("http://a.example:0/", 3),
        ("http://a.example:65616/", 3),
        ("http://a.example:-1/", 3),
        ("http://a.example:\u0668/", 3),
        ("http://\u2603.localhost/", 3),
        ("file:///etc/passwd", 1),
        ("ftp://a.example/", 1),
        ("data:,x", 1),
        ("http+unix://%2Frun%2Fdocker.sock/", 1),
    ],
)
def test_what_is_no_url(text: str, code: int) -> None:
    with pytest.raises(pycurl.error) as raised:
        read(text)
    assert raised.value.args[0] == code


@pytest.mark.parametrize(
    ("location", "where"),
    [
        (b"/x", "http://a.example:81/x"),
        (b"x/../y?z", "http://a.example:81/b/y?z"),
        (b"?z", "http://a.example:81/b/c?z"),
        (b"#z", "http://a.example:81/b/c?d"),
        (b"//b.example/x", "http://b.example/x"),
        (b"http:/b.example/x", "http://b.example/x"),
        (b"http:///b.example", "http://b.example/"),
        (b"/\\b.example/x", "http://a.example:81/\\b.example/x"),
        (b"/\xfc \xc3\xbc", "http://a.example:81/%FC%20%C3%BC"),
    ],
)
def test_where_a_location_leads(location: bytes, where: str) -> None:
    assert str(follow(read("http://me@a.example:81/b/c?d"), location)) == where


@pytest.mark.parametrize("location", [b"/a\tb", b"//", b"///", b"http://", b"//b:0/", b"http:b"])
def test_a_location_that_leads_nowhere(location: bytes) -> None:
    """Which urljoin would have lead somewhere."""
    with pytest.raises(pycurl.error, match=r"\(3, "):
        follow(read("http://a.example/"), location)


def libcurl_s(text: str) -> str:
    """Return what libcurl makes of a URL, "" if it refuses it; it sends nothing."""
    easy = pycurl.Curl()
    easy.setopt(pycurl.URL, text)
    easy.setopt(pycurl.PATH_AS_IS, 1)
    easy.setopt(pycurl.CONNECT_TO, ["::127.0.0.1:1"])
    easy.setopt(pycurl.OPENSOCKETFUNCTION, lambda *_: pycurl.SOCKET_BAD)
    with closing(easy):
        with pytest.raises(pycurl.error) as raised:
            easy.perform()
        told: str = easy.getinfo(pycurl.EFFECTIVE_URL)
    return told if raised.value.args[0] == pycurl.E_COULDNT_CONNECT else ""


SIGNS = "aB1.:/@?#[]%-_~;=&+!$'()*,|\\\"<>^`{} \xfc"


@given(st.text(SIGNS, max_size=12), st.text(SIGNS, max_size=12))
def test_nobody_reads_another_host(before: str, after: str) -> None:
    """Whatever is taken here, libcurl takes for the same place, or not at all."""
    try:
        url = read(f"http://{before}a.example{after}")
    except pycurl.error:
        return
    assert libcurl_s(str(url)) in (str(url), "")
