"""What stands between here and the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .option import Option, last, several, switch, value
from .session import Scheme


def _socks(scheme: str) -> Callable[[str], str]:
    return lambda text: f"{scheme}://{text}" if text else ""


@dataclass(frozen=True, kw_only=True)
class ProxySettings:
    """What stands between here and the server."""

    proxy: str | None = last(
        Option(("-x", "--proxy"), "go through this proxy (none if empty)", "URL", str),
        Option(
            ("--socks5",),
            "the same by SOCKS5, with addresses that are looked up here",
            "HOST[:PORT]",
            _socks("socks5"),
        ),
        Option(
            ("--socks5-hostname",),
            "the same by SOCKS5, with names that the proxy looks up",
            "HOST[:PORT]",
            _socks("socks5h"),
        ),
    )
    noproxy: str | None = value(
        "--noproxy", metavar="HOSTS", parse=str, means="reach these without a proxy (* is all)"
    )
    proxy_user: str | None = value(
        "-U",
        "--proxy-user",
        metavar="USER[:PASSWORD]",
        parse=str,
        means="authentication with the proxy, by Basic or what --proxy-digest and others say",
    )
    proxy_scheme: tuple[Scheme, ...] = several(
        Option(
            ("--proxy-basic",),
            "authenticate with the proxy by Basic, the default",
            constant="basic",
        ),
        Option(
            ("--proxy-digest",),
            "the same by Digest; of several, the proxy chooses",
            constant="digest",
        ),
        Option(
            ("--proxy-anyauth",),
            "the same by what the proxy offers, and ask without at first",
            constant="any",
        ),
    )
    proxytunnel: bool = switch(
        "-p", "--proxytunnel", means="ask the proxy for a tunnel (CONNECT), for http, too"
    )
    proxy_header: tuple[str, ...] = several(
        Option(("--proxy-header",), "send 'Name: value' to the proxy alone", "LINE", str)
    )
    suppress_connect_headers: bool = switch(
        "--suppress-connect-headers", means="leave the proxy's answer to CONNECT out of -i and -D"
    )
