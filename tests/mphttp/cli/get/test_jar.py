"""Cookies by the rules of RFC 6265 and its successor."""

from __future__ import annotations

import pytest

from mphttp.cli.get.jar import Asked, Cookie, Jar, read_date, set_by

NOW = 1_800_000_000
HERE = Asked("www.example.com", "/a/b/c", secure=False)
BESIDE = Asked("www.example.com", "/a/b/cd", secure=False)
TLS = Asked("www.example.com", "/a/b/c", secure=True)


@pytest.mark.parametrize(
    ("field", "cookie"),
    [
        ("a=b", Cookie("a", "b", "www.example.com", path="/a/b/")),
        (" a = b c ; path=/x", Cookie("a", "b c", "www.example.com", path="/x")),
        ("a=; domain=Example.com", Cookie("a", "", "Example.com", tail=True, path="/a/b/")),
        ("a=b; domain=.example.com; path=/", Cookie("a", "b", "example.com", tail=True)),
        ("a=b; domain=; path=", Cookie("a", "b", "www.example.com", path="/a/b/")),
        ("a=b; HttpOnly; path=/", Cookie("a", "b", "www.example.com", http_only=True)),
        ("a=b; path=/; max-age=5", Cookie("a", "b", "www.example.com", expires=NOW + 5)),
        ("a=b; path=/; max-age=5; expires=Thu, 01 Jan 1970 00:00:00 GMT",
         Cookie("a", "b", "www.example.com", expires=NOW + 5)),
        ("a=b; path=/; max-age=x", Cookie("a", "b", "www.example.com", expires=0)),
        ("a=b; path=/; expires=never", Cookie("a", "b", "www.example.com")),
    ],
)  # fmt: skip
def test_what_a_server_sets(field: str, cookie: Cookie) -> None:
    assert set_by(field, HERE, NOW) == cookie


@pytest.mark.parametrize(
    "field",
    [
        "name",
        "=value",
        "a\tb=c",
        "a=b\tc",
        "a=b\x01",
        f"a={'x' * 4097}",
        f"a=b; c={'x' * 4097}",
        "a=b; domain=com",
        "a=b; domain=com.",
        "a=b; domain=other.com",
        "a=b; domain=xwww.example.com",
        "a=b; domain=deeper.www.example.com",
        "a=b; secure",
        "__Secure-a=b",
        "__Host-a=b; secure; path=/",
    ],
)
def test_what_a_server_may_not_set(field: str) -> None:
    assert set_by(field, HERE, NOW) is None


def test_names_that_promise_something() -> None:
    assert set_by("__Secure-a=b; secure", TLS, NOW) is not None
    assert set_by("__host-a=b; secure; path=/", TLS, NOW) is not None
    assert set_by("__Host-a=b; secure; path=/a", TLS, NOW) is None
    assert set_by("__Host-a=b; secure; path=/; domain=example.com", TLS, NOW) is None


@pytest.mark.parametrize(
    ("host", "field", "kept"),
    [
        ("127.0.0.1", "a=b; domain=127.0.0.1", True),
        ("127.0.0.1", "a=b; domain=0.0.1", False),
        ("::1", "a=b; domain=::1; secure", True),
        ("localhost", "a=b; domain=localhost; secure", True),
        ("host", "a=b; domain=host", False),
    ],
)
def test_addresses_and_this_machine(host: str, field: str, *, kept: bool) -> None:
    assert (set_by(field, Asked(host, "/", secure=False), NOW) is not None) == kept


@pytest.mark.parametrize(
    ("cookie", "asked", "sent"),
    [
        (Cookie("a", "b", "example.com"), HERE, False),
        (Cookie("a", "b", "example.com", tail=True), HERE, True),
        (Cookie("a", "b", "ample.com", tail=True), HERE, False),
        (Cookie("a", "b", "WWW.example.com"), HERE, True),
        (Cookie("a", "b", "0.0.1", tail=True), Asked("127.0.0.1", "/", secure=False), False),
        (Cookie("a", "b", "www.example.com", path="/a/b/c"), HERE, True),
        (Cookie("a", "b", "www.example.com", path="/a/b/"), HERE, True),
        (Cookie("a", "b", "www.example.com", path="/a/b/cd"), HERE, False),
        (Cookie("a", "b", "www.example.com", path="/a/b/c"), BESIDE, False),
        (Cookie("a", "b", "www.example.com", secure=True), HERE, False),
        (Cookie("a", "b", "www.example.com", secure=True), TLS, True),
        (Cookie("a", "b", "localhost", secure=True), Asked("localhost", "/", secure=False), True),
        (Cookie("a", "b", "www.example.com", expires=NOW), HERE, False),
        (Cookie("a", "b", "www.example.com", expires=NOW + 1), HERE, True),
    ],
)  # fmt: skip
def test_who_gets_it(cookie: Cookie, asked: Asked, *, sent: bool) -> None:
    assert Jar([cookie]).field(asked, NOW) == ("a=b" if sent else "")


def test_one_in_place_of_another() -> None:
    jar = Jar()
    jar.take(["a=1; path=/x/", "b=1", "a=2; path=/x", "b=1; max-age=0"], HERE, NOW)
    assert [(cookie.name, cookie.value) for cookie in jar] == [("a", "2")]


def test_what_is_secure_is_not_hidden_by_what_is_not() -> None:
    jar = Jar()
    jar.take(["a=secret; secure; path=/a; domain=example.com"], TLS, NOW)
    jar.take(["a=evil; path=/a/b", "a=evil; path=/a", "a=other; path=/b", "c=d"], HERE, NOW)
    assert sorted(cookie.value for cookie in jar) == ["d", "other", "secret"]
    jar.take(["a=new; path=/a; domain=example.com"], TLS, NOW)
    assert "new" in {cookie.value for cookie in jar}


def test_what_is_too_much() -> None:
    jar = Jar()
    jar.take([f"c{number}=x; path=/" for number in range(60)], HERE, NOW)
    assert len(list(jar)) == 50
    many = Jar(Cookie(f"c{number}", "x" * 500, "www.example.com") for number in range(200))
    assert 7000 < len(many.field(HERE, NOW)) < 8190
    assert (
        Jar(Cookie(f"{n}", "", "www.example.com") for n in range(200)).field(HERE, NOW).count(";")
        == 149
    )


def test_the_longest_paths_stand_first() -> None:
    jar = Jar([Cookie("a", "1", "www.example.com"), Cookie("b", "2", "www.example.com", path="/a")])
    assert jar.field(HERE, NOW) == "b=2; a=1"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("Fri Feb 13 11:56:27 GMT 2037", 2118138987),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 1601 00:00:00 GMT", 0),
        ("tomorrow", None),
        ("Sun, 06 Nov 1994", None),
        ("Sun, 06 Nov 1994 25:00:00 GMT", None),
        ("", None),
    ],
)
def test_dates(text: str, seconds: int | None) -> None:
    assert read_date(text) == seconds
