"""Standard input and output over a tunnel: a thread for each direction, and no byte kept back.

Two threads, since either side may make the other wait: a program that writes much before it reads
must not be stopped by what it hasn't read.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import socket
import threading
from typing import BinaryIO, cast

from mphttp.network.channel import PlainChannel
from mphttp.tunnel import Tunnel, Unmet

from ..environment import Environment, write_all
from ..exits import ExitCode, Failure

_AT_ONCE = 65536
_SOON = 5
"""Seconds after which the kernel asks a peer that has said all whether it is still there."""


class Broken(Exception):
    """The connection broke before both sides had ended."""

    def failure(self) -> Failure:
        """Say so to people."""
        if isinstance(self.__cause__, Unmet):
            return Failure(ExitCode.STRATEGY, str(self))
        return Failure(ExitCode.RECEIVE, f"the connection broke: {self}")


def relay(tunnel: Tunnel, environment: Environment) -> bool:
    """Pass on what comes in both directions, until both have ended.

    Args:
        tunnel: the connection.
        environment: has standard input and output.

    Returns:
        Whether both ended as they should.

    Raises:
        Broken: the connection did.
        BrokenPipeError: nobody reads standard output any more.
        Failure: standard output can't be written.
    """
    sending = _Sending(tunnel, environment.stdin)
    thread = threading.Thread(target=sending.run, name="mphttp-stdin", daemon=True)
    thread.start()
    try:
        _receive(tunnel, environment, sending)
    except Unmet as error:
        raise Broken(error.strerror) from error
    environment.abandon_stdout()  # its reader sees the end, too
    _wait(sending, tunnel)
    if sending.error is not None and not sending.error_is_late:
        raise Broken(sending.error.strerror or str(sending.error)) from sending.error
    return True


def _receive(tunnel: Tunnel, environment: Environment, sending: _Sending) -> None:
    channel = PlainChannel(tunnel.sock)
    data = tunnel.ahead or _received(channel)
    while data:
        tunnel.received(len(data))
        write_all(environment.stdout, data)
        data = _received(channel)
    if not tunnel.is_whole() and sending.error is None:
        raise Broken("no path to the other end is left")


def _received(channel: PlainChannel) -> bytes:
    try:
        return channel.receive(_AT_ONCE, None)
    except OSError as error:
        raise Broken(error.strerror or str(error)) from error


def _wait(sending: _Sending, tunnel: Tunnel) -> None:
    """Wait until all is sent, unless nobody is there to take it.

    A peer that has closed its socket can't be told from one that only has said all, until something
    is sent to it: keep-alives are, which it answers with a reset once its kernel has forgotten it.
    """
    sending.error_is_late = True
    if sending.from_terminal:
        return
    sock = tunnel.sock
    for option, seconds in ((socket.TCP_KEEPIDLE, _SOON), (socket.TCP_KEEPINTVL, _SOON)):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, option, seconds)
    poll = select.poll()
    poll.register(sending.done, select.POLLIN)
    poll.register(sock, 0)  # errors and hang-ups alone
    poll.poll()


class _Sending:
    """What comes from standard input, on its way out.

    Args:
        tunnel: where it goes.
        stdin: where it comes from.

    Attributes:
        error: what ended it before its time, or None.
        error_is_late: whether the other side had said all by then.
        done: can be read from once it has ended.
    """

    def __init__(self, tunnel: Tunnel, stdin: BinaryIO) -> None:
        self.error: OSError | None = None
        self.error_is_late = False
        self.done = os.eventfd(0, os.EFD_CLOEXEC)
        self.from_terminal = stdin.isatty()
        self._tunnel = tunnel
        self._stdin = cast("io.RawIOBase", getattr(stdin, "raw", stdin))

    def run(self) -> None:
        """Send until there is nothing more to come."""
        try:
            self._send()
        except OSError as error:
            self.error = error
            self._tunnel.connection.shut_down()  # who receives sees it
        finally:
            os.eventfd_write(self.done, 1)

    def _send(self) -> None:
        channel = PlainChannel(self._tunnel.sock)
        while data := self._read():
            self._tunnel.sent(len(data))
            channel.send(data, None)
        with contextlib.suppress(OSError):
            self._tunnel.sock.shutdown(socket.SHUT_WR)

    def _read(self) -> bytes:
        while (data := self._stdin.read(_AT_ONCE)) is None:  # whoever shares it doesn't block
            poll = select.poll()
            poll.register(self._stdin, select.POLLIN)
            poll.poll()
        return data
