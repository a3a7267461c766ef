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

KNOWN: dict[str, tuple[int, ...]] = {
    "`-C -`": (38, 256),
    "`-C` and a server that answers otherwise": (188, 194),
    "several URLs of which one fails": (1293, 1328),
    "`-H` with a name that is none, or a framing that contradicts the body": (60, 1147),
    "`-T` and more files than URLs, or a file of `{a,b}` that isn't there": (491,),
    "the file of options that is read before all": (433, 436),
    "`--retry` and standard output, without `-i`": (1635,),
    "a body with a Content-Length that can't be": (178, 395, 415),
    "folded lines of heads": (1274,),
    "chunks whose lines end with LF alone": (1417,),
    "`-w`: `certs`": (417,),
    "`-w`: `header_json`": (1671,),
    "a host with an empty label": (46,),
    "a server of HTTP/1.0 that keeps the connection": (1074,),
    "HTTP/1.2 and above": (129,),
    "a line of a head of nearly 100 KiB": (1154,),
    "a file that `-d @FILE` can't read": (268,),
    "`no_proxy` and `-x`": (1249,),
    "a `--next` part": (369, 2051),
    "`--output-dir` and a folder that isn't there": (3009,),
}
"""Tests that differ, by the line of docs/get.md that says so."""
