"""What `curl_suite` knows of curl's tests: which aren't for us, and which differ as we want it."""

from __future__ import annotations

ELSEWHERE = frozenset(
    {
        *("NTLM", "NTLM_WB", "GSS-API", "Schannel", "SSLpinning", "TLS-SRP", "PSL", "HSTS", "DoH"),
        *("ftp", "alt-svc", "unix-sockets", "http/2", "http/3", "h2c", "nghttpx-h3", "ws", "xattr"),
        *(
            "debug",
            "!debug",
            "ld_preload",
            "ftp",
            "file",
            "gopher",
            "telnet",
            "ldap",
            "dict",
            "mqtt",
        ),
    }
)
"""Features that tests ask for, and that this command hasn't."""

TAKE_VALUE = frozenset()

KNOWN: dict[str, tuple[int, ...]] = {}
"""Tests that differ, by the line of docs/get.md that says so."""
