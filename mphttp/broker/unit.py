"""The files that `mphttp setup` writes: systemd's units, the variables of the kernel. Pure."""

from __future__ import annotations

from collections.abc import Sequence

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
    names = " ".join(capabilities)
    command = " ".join([python, "-I", "-m", "mphttp.broker", *options])
    return f"""\
[Unit]
Description=Lets users control the paths of their own MPTCP connections
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
ProtectProc=invisible
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
"""


def socket_unit(path: str) -> str:
    """Write the unit of the socket, which the group alone may connect to."""
    return f"""\
[Unit]
Description=Where mphttpd is asked

[Socket]
ListenSequentialPacket={path}
SocketGroup={GROUP}
SocketMode=0660
DirectoryMode=0755
Backlog=128

[Install]
WantedBy=sockets.target
"""


def variables(setting: str) -> str:
    """Write the kernel's variables.

    Args:
        setting: such as "net.mptcp.pm_type=1".
    """
    name, _, value = setting.partition("=")
    return f"""\
# Paths of new MPTCP connections are opened by programs, not by the kernel (`mphttp setup`).
{name} = {value}
"""
