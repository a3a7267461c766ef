"""`python -m mphttp.lab.keeper`: the process that is the lab.

    user of the lab ──socket── keeper (waits, then removes the directory)
                                 └── process 1 of a process namespace: networks, forwarder
                                       └── origin

However the lab's user ends, its end of the socket closes; process 1 reads that, ends, and the
kernel kills whatever is left in its namespace. Namespaces go with the last process in them, and
the control sockets have no file. So nothing needs to be caught, and SIGKILL is as good as an exit.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, NoReturn

import trustme

from . import linux, messages, names
from .control import Control
from .errors import LabError
from .network import Networks, within
from .spec import Link
from .trouble import explain

IPPROTO_MPTCP = 262


def main() -> None:
    """Make the lab that standard input describes, and keep it while its user has the socket."""
    user = socket.socket(fileno=int(sys.argv[1]))
    wanted = json.load(sys.stdin)
    # At a logout everybody gets it, and the directory is still to be removed.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="mphttp-lab-") as directory:
        try:
            entrances = isolate()
        except OSError as error:
            messages.send(user, messages.refusal(explain(error)))
            return
        child = os.fork()
        if not child:
            become_first_process(user, wanted, Path(directory), entrances)
        user.close()
        os.waitpid(child, 0)


def isolate() -> tuple[str, ...]:
    """Leave the machine's mounts and, with the next fork, its processes.

    Root stays in its own user namespace, where BPF works; anybody else, or a root without the
    privilege, becomes root of a new one.

    Returns:
        The kinds of the new namespaces, in the order in which others can enter them.
    """
    more = linux.CLONE_NEWNS | linux.CLONE_NEWPID
    try:
        linux.unshare(more)
    except PermissionError:
        linux.new_user_namespace(more)
        return ("user", "pid", "mnt")
    return ("pid", "mnt")


def become_first_process(
    user: socket.socket, wanted: dict[str, Any], directory: Path, entrances: tuple[str, ...]
) -> NoReturn:
    """Set everything up, say so, and forward packets until the lab's user is gone.

    Args:
        user: the lab's user has the other end.
        wanted: what `Lab` asks for.
        directory: for the certificates.
        entrances: kinds of the namespaces around the networks.
    """
    try:
        linux.die_with_parent(signal.SIGKILL)
        _keep(user, wanted, directory, entrances)
    except LabError as error:
        messages.send(user, messages.refusal(error))
    except OSError as error:
        messages.send(user, messages.refusal(explain(error)))
    except EOFError:
        os._exit(0)
    except Exception:
        traceback.print_exc()
    # Not sys.exit: the directory is the parent's to remove.
    os._exit(1)


def _keep(
    user: socket.socket, wanted: dict[str, Any], directory: Path, entrances: tuple[str, ...]
) -> None:
    _mount_proc()
    links = [Link(**{**link, "trace": tuple(link["trace"])}) for link in wanted["links"]]
    link_names = tuple(link.name for link in links)
    networks = Networks.make(link_names, wanted["server_subflow_limit"])
    ca = _start_origin(networks, directory)
    control = Control(links, networks)
    control.listen()
    control.serve(user, is_owner=True)
    doors = [os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY) for kind in entrances]
    made = {"environment": names.environment(ca, link_names)}
    messages.send(user, made, [*doors, networks.client])
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # orphans come to process 1; the kernel reaps them
    control.run()


def _mount_proc() -> None:
    """Show this namespace's processes in /proc; where a container forbids it, the old one stays."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    try:
        linux.mount("proc", "/proc", "proc")
    except PermissionError:
        return


def _start_origin(networks: Networks, directory: Path) -> str:
    """Start the origin on sockets that listen already, and return the authority's PEM file."""
    ca, certificate = _make_certificate(directory)
    with within(networks.server):
        http = _listen(names.PORT, IPPROTO_MPTCP) + _listen(names.PORT_PLAIN, socket.IPPROTO_TCP)
        https = _listen(names.PORT_TLS, IPPROTO_MPTCP)
        numbers = [",".join(str(sock.fileno()) for sock in group) for group in (http, https)]
        subprocess.Popen(
            [sys.executable, "-m", "mphttp.lab.origin", *numbers, certificate],
            pass_fds=[sock.fileno() for sock in (*http, *https)],
            stdin=subprocess.DEVNULL,
        )
    for sock in (*http, *https):
        sock.close()
    return ca


def _make_certificate(directory: Path) -> tuple[str, str]:
    """Write an authority's certificate, and a key with the server's; return both paths."""
    authority = trustme.CA()
    issued = authority.issue_cert(names.SERVER_ADDRESS, names.SERVER_ADDRESS_V6, "localhost")
    ca, certificate = str(directory / "ca.pem"), str(directory / "server.pem")
    authority.cert_pem.write_to_path(ca)
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    return ca, certificate


def _listen(port: int, protocol: int) -> list[socket.socket]:
    """Listen on the server's addresses, each family with a socket of its own."""
    listening = []
    for family, address in (
        (socket.AF_INET, names.SERVER_ADDRESS),
        (socket.AF_INET6, names.SERVER_ADDRESS_V6),
    ):
        sock = socket.socket(family, socket.SOCK_STREAM, protocol)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(128)
        listening.append(sock)
    return listening


if __name__ == "__main__":
    main()
