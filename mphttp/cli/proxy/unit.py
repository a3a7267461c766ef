"""A systemd user unit for a proxy. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mphttp.broker.unit import command_line


def user_unit(python: str, options: Sequence[str]) -> str:
    """Write the unit.

    Args:
        python: the interpreter that has mphttp.
        options: of `mphttp proxy`.
    """
    return f"""\
[Unit]
Description=Several network paths for any program, by HTTP and SOCKS5 (mphttp proxy)
After=network-online.target

[Service]
ExecStart={command_line([python, "-I", "-m", "mphttp", "proxy", *options])}
Restart=on-failure
SuccessExitStatus=143
LimitNOFILE=65536
MemoryMax=1G
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
UMask=0077

[Install]
WantedBy=default.target
"""
