"""The environment variables and files that are heeded, said once for `--help` and the manual."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "http_proxy": "the proxy for http:// (in lower case only)",
        "https_proxy, HTTPS_PROXY": "the proxy for https://",
        "all_proxy, ALL_PROXY": "the proxy for both, where none is named for one",
        "no_proxy, NO_PROXY": "hosts, domains and networks that are reached without a proxy",
        "SSL_CERT_FILE, SSL_CERT_DIR": "certificates to trust in place of the built-in list",
        "SSLKEYLOGFILE": "a file for the keys of TLS connections, for tools that look into them",
        "HOME, XDG_CONFIG_HOME": "where .mphttprc (options that are always given) and .netrc are",
        "NO_COLOR": "if it isn't empty: no colour on terminals",
        "TERM": "dumb: no live progress, but a line now and then",
        "COLUMNS, LINES": "the size of the terminal, if it isn't asked itself",
        "MPHTTP_BROKER": "the broker's socket, in place of /run/mphttp/broker.sock",
        "MPHTTP_LOG": "debug, info or warning: what the library does, on stderr",
        "MPHTTP_TRACEBACK": "if it isn't empty: where an error came from, for reports of bugs",
    }
)

CLIENTS: Mapping[str, str] = MappingProxyType(
    {
        "http_proxy": "clients whose library reads it (`trust_env`)",
        "https_proxy, HTTPS_PROXY": "clients whose library reads it (`trust_env`)",
        "all_proxy, ALL_PROXY": "clients whose library reads it (`trust_env`)",
        "no_proxy, NO_PROXY": "clients whose library reads it (`trust_env`)",
        "SSL_CERT_FILE, SSL_CERT_DIR": "httpx, httpx2",
        "SSLKEYLOGFILE": "clients whose library reads it",
        "HOME, XDG_CONFIG_HOME": "every client (`config.toml`)",
        "MPHTTP_BROKER": "every client",
    }
)
"""Who else heeds a variable, beside the command line."""

FILES: Mapping[str, str] = MappingProxyType(
    {
        "~/.mphttprc": "options of mphttp get that are given each time, in the language of -K",
        "~/.netrc": "logins, read with -n",
        "~/.config/mphttp/config.toml": "which paths cost money, and which are left alone",
        "/etc/mphttp/config.toml": "the same, for all users",
        "FILE.mphttp": "beside a file that isn't whole yet: its validator; -C - goes on from it",
        "/etc/mphttp/mphttpd.toml": "the broker's rules for other programs' connections",
        "/run/mphttp/broker.sock": "where the broker listens",
        "/etc/sysctl.d/90-mphttp.conf": "written by mphttp setup: the userspace path manager",
    }
)


def table() -> str:
    """Return the variables as `--help` lists them."""
    width = max(map(len, VARIABLES))
    lines = (f"  {name:<{width}}  {meaning}" for name, meaning in VARIABLES.items())
    return "environment variables:\n" + "\n".join(lines)
