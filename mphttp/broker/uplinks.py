"""What `mphttp setup --routes` does to a machine: a routing table for each uplink. Pure.

Whoever manages the network here says when its routes have changed: NetworkManager by its
dispatcher, ifupdown by its hooks; systemd-networkd has none, so that a service watches.
"""

from __future__ import annotations

from pathlib import Path

from .installation import Remove, Run, Step, Write

SCRIPT = "/usr/local/lib/mphttp/routes"
SERVICE = "mphttp-routes.service"

_UNIT = f"/etc/systemd/system/{SERVICE}"
_EXECUTABLE = 0o755
_HOOKS = {
    "NetworkManager": ("/etc/NetworkManager/dispatcher.d/90-mphttp",),
    "ifupdown": ("/etc/network/if-up.d/mphttp", "/etc/network/if-post-down.d/mphttp"),
}
"""By what calls them when addresses or routes have changed."""
_SIGNS = {
    "NetworkManager": ("usr/sbin/NetworkManager", "etc/NetworkManager"),
    "ifupdown": ("sbin/ifup", "etc/network/if-up.d"),
    "systemd-networkd": ("run/systemd/netif",),
}
"""Files of which one is there, beneath "/", where something manages the network."""


def managers(root: Path) -> list[str]:
    """Name what manages the network of a machine.

    Args:
        root: the folder that stands for "/".
    """
    return [name for name, signs in _SIGNS.items() if any((root / sign).exists() for sign in signs)]


def install(found: list[str], *, systemd: bool) -> list[Step]:
    """List the steps to a machine that has a routing table for each uplink.

    Args:
        found: what manages its network.
        systemd: whether systemd runs here.
    """
    text = Path(__file__).with_name("uplink_routes.sh").read_text()
    why = "a routing table for each uplink, for what leaves from its addresses"
    steps: list[Step] = [Write(SCRIPT, text, why, _EXECUTABLE)]
    for name in found:
        hook, why = f"#!/bin/sh\nexec {SCRIPT}\n", f"{name} has it look again"
        steps += [Write(path, hook, why, _EXECUTABLE) for path in _HOOKS.get(name, ())]
    if systemd and not any(name in _HOOKS for name in found):
        steps += [
            Write(_UNIT, _service(), "looks again whenever addresses or routes change"),
            Run(("systemctl", "daemon-reload"), "systemd learns of it"),
            Run(("systemctl", "enable", "--now", SERVICE), "now, and after each start"),
        ]
    return [*steps, Run((SCRIPT,), "the same now, for the uplinks that there are")]


def undo(*, systemd: bool) -> list[Step]:
    """List the steps back.

    Args:
        systemd: whether systemd runs here.
    """
    stop = Run(("systemctl", "disable", "--now", SERVICE), "nothing looks any more", needed=False)
    hooks = [path for paths in _HOOKS.values() for path in paths]
    return [
        *([stop] if systemd else []),
        *(Remove(path, "its hook") for path in (*hooks, _UNIT)),
        Run((SCRIPT, "remove"), "its tables and rules", needed=False),
        Remove(SCRIPT, "what made them"),
    ]


def _service() -> str:
    return f"""\
[Unit]
Description=Keeps a routing table for each uplink
After=network.target

[Service]
ExecStart={SCRIPT} watch
Restart=on-failure
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
RestrictAddressFamilies=AF_NETLINK AF_UNIX AF_INET AF_INET6

[Install]
WantedBy=multi-user.target
"""
