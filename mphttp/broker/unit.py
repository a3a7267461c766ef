"""The files that `mphttp setup` writes: systemd's units, the variables of the kernel. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[\w/.,+@:=~-]+", re.ASCII)
_NO_PROGRAM = re.compile(r"[\x00-\x1f\x7f\"'\\]")
_SPECIAL = {'"': '\\"', "\\": "\\\\", "%": "%%"}

GROUP = "mphttp"
SERVICE = "mphttpd.service"
SOCKET = "mphttpd.socket"


def service(python: str, options: Sequence[str] = ()) -> str:
    """Write the service's unit: no user of its own, one capability, and next to no machine.

    Args:
        python: the interpreter that has mphttp.
        options: of `python -m mphttp.broker`, such as "--subflow-options".
    """
    capabilities, calls, namespaces = ["CAP_NET_ADMIN"], ["capset"], "yes"
    if "--subflow-options" in options:
        capabilities += ["CAP_BPF", "CAP_PERFMON"]
        calls += ["bpf", "perf_event_open"]
    if "--other-namespaces" in options:
        capabilities += ["CAP_SYS_ADMIN"]
        calls += ["setns"]
        namespaces = "net"
    processes = "invisible"
    if "--program-names" in options:
        capabilities += ["CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"]
        processes = "default"
    names = " ".join(capabilities)
    command = command_line([python, "-I", "-m", "mphttp.broker", *options])
    return f"""\
[Unit]
Description=Looks after MPTCP connections, and lets users control the paths of their own
Requires={SOCKET}
After={SOCKET}

[Service]
ExecStart={command}
Restart=on-failure
DynamicUser=yes
CapabilityBoundingSet={names}
AmbientCapabilities={names}
NoNewPrivileges=yes
LimitNOFILE=16384
MemoryMax=256M
TasksMax=512
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc={processes}
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
PrivateMounts=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6
RestrictNamespaces={namespaces}
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources @obsolete
SystemCallFilter={" ".join(calls)}
SystemCallErrorNumber=EPERM
IPAddressDeny=any
DevicePolicy=closed
UMask=0077

[Install]
WantedBy=multi-user.target
"""


def command_line(words: Sequence[str]) -> str:
    """Write a command as ExecStart= takes it (systemd.service(5), "Command lines").

    Args:
        words: a program's absolute path, and its arguments; any signs may be in them.
    """
    if all(_PLAIN.fullmatch(word) for word in words):
        return " ".join(words)
    if _NO_PROGRAM.search(
        words[0]
    ):  # systemd starts nothing that has such a name, but a shell does
        words = ["/bin/sh", "-c", 'exec "$0" "$@"', *words]
    # The colon is for dollars: what follows them isn't a variable's name.
    return ":" + " ".join(quoted(word) for word in words)


def quoted(word: str) -> str:
    """Write a word so that systemd reads just that (systemd.syntax(7), systemd.unit(5))."""
    signs = (chr(byte) for byte in os.fsencode(word))
    return f'"{"".join(_SPECIAL.get(sign) or _shown(sign) for sign in signs)}"'


def _shown(sign: str) -> str:
    return sign if " " <= sign <= "~" else f"\\x{ord(sign):02x}"


def socket_unit(path: str) -> str:
    """Write the unit of the socket, which the group alone may connect to."""
    return f"""\
[Unit]
Description=Where mphttpd is asked

[Socket]
ListenSequentialPacket={path.replace("%", "%%")}
SocketGroup={GROUP}
SocketMode=0660
DirectoryMode=0755
Backlog=128

[Install]
WantedBy=sockets.target
"""


def variables(*settings: str) -> str:
    """Write the kernel's variables.

    Args:
        settings: such as "net.mptcp.pm_type=1"; with "-" before it, it may be one that isn't there.
    """
    why = "Paths of new MPTCP connections are opened by programs, not by the kernel"
    lines = (setting.replace("=", " = ", 1) for setting in settings)
    return "".join(f"{line}\n" for line in [f"# {why} (`mphttp setup`).", *lines])
