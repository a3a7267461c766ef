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
    "`-C` and `-i`": (
        *(33, 92, 99, 188, 189, 194, 1001, 1002, 1040, 1041, 1042, 1043, 1273, 1434),
        *(2058, 2059, 2060),
    ),
    "`-C -`": (38, 256),
    "several URLs and one `-o` without `#1`": (27, 87, 199, 1240, 1280, 1328),
    "`{a,b}` in `-T`": (490, 491, 492),
    "`-H` with a line that is no header": (4, 56, 60, 98, 218, 1121, 1147, 1333),
    "`--interface`": (1045, 1046, 1082),
    "`-b` and a file with heads of answers": (8,),
    "`-b` or `-u`, and a redirect to another origin": (1104,),
    "`-T` and more files than URLs": (26,),
    "`--digest`, `--anyauth` and a body": (177, 245, 246),
    "`-F` with parts within parts": (173, 186, 1133, 1315),
    "the file of options that is read before all": (433, 436),
    "cookies that servers set": (31, 46, 61, 73, 392, 442, 444, 1105, 1151, 1160, 1258, 1415),
    "`-i` and a redirect that is one too many": (25, 274, 1261),
    "`-i` and `--retry`": (197, 1633, 1634, 1635),
    "`-i`, `-D -` together": (1066,),
    "`--connect-to` or `-p`, and a proxy's answer to CONNECT": (83, 95, 275, 2050),
    "a body with a Content-Length that can't be": (178,),
    "trailers": (266, 1116, 1417),
    "`--resolve`, `--connect-to` that can't be read": (3019, 3020),
    "`-w`: `certs`": (217,),
    "`Expect: 100-continue` before a large body": (1070, 1129, 1130, 1131),
    "codings of transfer other than chunked": (387, 418),
    "Digest with `userhash`": (2061, 2063, 2064, 2066, 2067, 2069),
    "a server of HTTP/1.0": (1074,),
}
"""Tests that differ, by the line of docs/get.md that says so."""
