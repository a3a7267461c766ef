"""Hosts and ports as URLs, sockets, TLS and proxies write them. Pure."""

from __future__ import annotations


def checked_port(port: int) -> int:
    """Return a port that there can be.

    Raises:
        ValueError: it is none; `getaddrinfo` would take it for another, 65536 less.
    """
    if not 1 <= port <= 65535:
        raise ValueError(f"port {port} is outside of 1 to 65535")
    return port


def to_dial(host: str) -> str:
    """Return a URL's host as `getaddrinfo` takes it: the zone of an address after a plain "%".

    Args:
        host: without brackets; a zone is after "%25" (RFC 6874, section 2) or, as people write it
            and curl takes it, after "%".
    """
    return host.replace("%25", "%", 1) if ":" in host else host


def without_zone(host: str) -> str:
    """Return a host without the zone of its address, which means nothing to others (RFC 6874, 4).

    Args:
        host: with or without brackets.
    """
    if ":" not in host or "%" not in host:
        return host
    return host.partition("%")[0] + ("]" if host.startswith("[") else "")


def absolute(scheme: bytes, host: bytes, port: int | None, target: bytes) -> bytes:
    """Return a URL in absolute form, as a proxy is sent it that reads requests (RFC 9112, 3.2.2).

    Args:
        scheme: such as b"http".
        host: a name or an IP address, without brackets; a zone stays here (RFC 6874, section 4).
        port: TCP port, or None for the scheme's.
        target: path and query.
    """
    named = without_zone(host.decode("ascii")).encode()
    place = b"[%b]" % named if b":" in named else named
    return b"%b://%b%b%b" % (scheme, place, b"" if port is None else b":%d" % port, target)


def in_certificate(host: str) -> str:
    """Return a host as certificates and server_name have it (RFC 6066, 3): without a last dot."""
    return without_zone(host).removesuffix(".")


def in_ascii(host: str) -> bytes:
    """Return a host as it is sent.

    Raises:
        ValueError: no host's name can be so.
    """
    try:
        return host.encode("ascii" if host.isascii() else "idna")
    except UnicodeError as error:
        raise ValueError(f"{host!r} is no name of a host: {error}") from None


def one_line(words: bytes | str, what: str) -> None:
    """Refuse what would end a line before its time.

    Args:
        words: what is to be sent within one line.
        what: how it is called.

    Raises:
        ValueError: there is a line break in it, or a zero byte.
    """
    text = words.decode("latin-1") if isinstance(words, bytes) else words
    if any(sign in text for sign in "\r\n\0"):
        raise ValueError(f"{what} can't have a line break in it")
