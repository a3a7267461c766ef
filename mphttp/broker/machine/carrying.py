"""Carrying out what was decided for a connection: netlink, and nothing else."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path as File

from mphttp.kernel.errors import KernelError, NoSuchSubflow, NotReady, NotSupported
from mphttp.kernel.netlink.sockets import RequestError
from mphttp.kernel.path_manager.commands import (
    PathManagerMessage,
    announce,
    remove,
    set_backup,
    subflow_create,
    subflow_destroy,
)
from mphttp.kernel.path_manager.refusals import translate
from mphttp.kernel.reading.listing import SocketLister
from mphttp.kernel.reading.sock_diag import ListedSubflow

from ..namespace import Namespace
from .calls import Announce, Ask, End, Failure, Join, Prioritise, Told, Withdraw

_PROC = File("/proc")

Carried = Join | Prioritise | Announce | Withdraw | End


def carry_out(call: Carried, namespace: Namespace) -> Failure | None:
    """Do what was decided; return why it came to nothing, or None.

    Args:
        call: what it is.
        namespace: of the connection.
    """
    try:
        namespace.request(_message(call))
    except RequestError as error:
        return _failure(translate(error, "it was refused"))
    except (KernelError, ValueError):
        return Failure.REFUSED
    return None


def _failure(error: KernelError) -> Failure:
    match error:
        case NotReady():
            return Failure.TOO_EARLY
        case NotSupported():
            return Failure.NOT_OURS
        case NoSuchSubflow() if "token" in error.extack:
            return Failure.NOT_OURS
        case _:
            return Failure.REFUSED


def _message(call: Carried) -> PathManagerMessage:
    match call:
        case Join(token, local, remote):
            return subflow_create(token, local, remote)
        case Prioritise(token, pair, backup):
            return set_backup(token, pair, backup)
        case Announce(token, address):
            return announce(token, address)
        case Withdraw(token, local_id):
            return remove(token, local_id)
        case End(token, pair):
            return subflow_destroy(token, pair)


def find_out(ask: Ask, lister: SocketLister, *, programs: bool) -> Told | None:
    """Tell whose a connection is; None where there is no such connection any more.

    Args:
        ask: which.
        lister: asks the kernel.
        programs: whether the program's name is wanted, which takes a look at every process.
    """
    connection = lister.connection(ask.token)
    if connection is None or connection.fell_back:
        return None
    subflows = _first_of(ask, lister) or lister.subflows(ask.token)
    program = program_with(connection.inode) if programs and connection.inode else ""
    return Told(
        ready=any(one.fully_established for one in subflows),
        client=any(one.began for one in subflows),
        user=connection.user,
        program=program,
    )


def _first_of(ask: Ask, lister: SocketLister) -> list[ListedSubflow]:
    """Return the first subflow, if it is bound to no interface: no other is looked at then."""
    first = lister.subflow(ask.pair)
    return [first] if first is not None and first.token == ask.token else []


def program_with(inode: int) -> str:
    """Name the program that has a socket, as /proc/PID/exe does, or else /proc/PID/comm; or "".

    Args:
        inode: of the socket.
    """
    wanted = f"socket:[{inode}]"
    for process in filter(str.isdecimal, os.listdir(_PROC)):
        with suppress(OSError):  # it has ended, or can't be looked at
            for entry in os.scandir(_PROC / process / "fd"):
                if os.readlink(entry.path) == wanted:
                    return _name(_PROC / process)
    return ""


def _name(process: File) -> str:
    with suppress(OSError):
        return os.path.basename(os.readlink(process / "exe")).removesuffix(" (deleted)")
    with suppress(OSError):
        return (process / "comm").read_text().strip()
    return ""
