"""The two sockets: one that asks and is answered, one that listens to the path manager's events.

Thin: what the bytes mean is the codec's business.
"""

from __future__ import annotations

import errno
import itertools
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..errors import KernelError, NotPermitted, NotSupported, ProtocolError
from ..hints import ALLOW_NETLINK, GRANT_NET_ADMIN, NEEDS_LINUX, hint_for
from .codec import (
    Acknowledgement,
    Message,
    MessageFlag,
    MessageType,
    pack_message,
    unpack_acknowledgement,
    unpack_messages,
)
from .genetlink import GENL_ID_CTRL, Family, pack_get_family, unpack_family

NETLINK_ROUTE = 0
NETLINK_GENERIC = 16

_KERNEL = 0  # the port of whoever sent a message; processes have others
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_RECEIVE_SIZE = 1 << 16  # the kernel fills at most 32 KiB of a dump at once
_FORBIDDEN = (errno.EAFNOSUPPORT, errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EPROTONOSUPPORT)
"""What sandboxes answer: systemd's RestrictAddressFamilies=, seccomp filters, SELinux."""


class RequestError(KernelError):
    """The kernel answered a request with an error; translated where it is known what it means.

    Args:
        acknowledgement: the answer.
    """

    def __init__(self, acknowledgement: Acknowledgement) -> None:
        super().__init__(
            "the kernel refused a request",
            errno=acknowledgement.errno,
            extack=str(acknowledgement),
        )


class RequestSocket:
    """Asks the kernel and waits for its answer, one request at a time; threads wait in line."""

    def __init__(self, protocol: int = NETLINK_GENERIC, timeout: float = 5.0) -> None:
        """Open it.

        Args:
            protocol: NETLINK_GENERIC or NETLINK_ROUTE.
            timeout: how long the kernel may take to answer, in seconds.

        Raises:
            NotPermitted: this process may not speak netlink.
            KernelError: there is no descriptor left, or no memory.
        """
        self._sequence = itertools.count(1)
        self._lock = threading.Lock()
        seconds, fraction = divmod(timeout, 1)
        waits = struct.pack("@ll", int(seconds), int(fraction * 1e6))
        with _opened(protocol) as self._socket:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, waits)
            for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
                self._socket.setsockopt(_SOL_NETLINK, option, 1)

    def request(self, kind: int, payload: bytes, *, dump: bool = False) -> list[Message]:
        """Send one request and return what answers it, without acknowledgements.

        Args:
            kind: message type, for generic netlink the family's id.
            payload: what follows the header.
            dump: ask for all there are.

        Raises:
            RequestError: the kernel's answer is an error.
            ProtocolError: the answer can't be read, or none came in time.
            NotPermitted: this process may not speak netlink.
        """
        sequence = next(self._sequence)
        flags = MessageFlag.REQUEST | (MessageFlag.DUMP if dump else MessageFlag.ACK)
        message = pack_message(Message(kind, flags, sequence, payload))
        with self._lock:
            try:
                self._socket.sendto(message, (_KERNEL, 0))
            except OSError as error:  # a sandbox may let the socket be made, and no more
                raise _refused(error) from None
            return self._answers(sequence)

    def close(self) -> None:
        """Let go of the descriptor."""
        self._socket.close()

    def _answers(self, sequence: int) -> list[Message]:
        answers: list[Message] = []
        while True:
            # Others are late answers to requests that timed out.
            ours = [message for message in self._receive() if message.sequence == sequence]
            for message in ours:
                if message.type in (MessageType.ERROR, MessageType.DONE):
                    _check(unpack_acknowledgement(message))
                    return answers
                answers.append(message)

    def _receive(self) -> list[Message]:
        try:
            datagram, (port, _) = self._socket.recvfrom(_RECEIVE_SIZE)
        except OSError as error:  # EAGAIN: no answer in time; ENOBUFS: it did not fit
            raise ProtocolError("the kernel's answer was lost", errno=error.errno or 0) from None
        return unpack_messages(datagram) if port == _KERNEL else []


def _check(acknowledgement: Acknowledgement) -> None:
    if acknowledgement.errno:
        raise RequestError(acknowledgement)


def get_family(requests: RequestSocket, name: str) -> Family:
    """Ask for the number and the multicast groups of a generic netlink family.

    Raises:
        NotSupported: this kernel doesn't have it.
    """
    try:
        answers = requests.request(GENL_ID_CTRL, pack_get_family(name))
    except RequestError as refused:
        raise NotSupported(
            f"this kernel has no {name}",
            errno=refused.errno or 0,
            hint=NEEDS_LINUX,
        ) from None
    return unpack_family(answers[0].payload if answers else b"")


class EventSocket:
    """Listens to multicast groups of netlink."""

    def __init__(
        self,
        group: int,
        receive_buffer: int | None = None,
        *,
        more_groups: Iterable[int] = (),
        protocol: int = NETLINK_GENERIC,
    ) -> None:
        """Join.

        Args:
            group: its number, of generic netlink from `get_family`.
            receive_buffer: bytes that may wait to be read; the system's default is enough for
                hundreds of events.
            more_groups: others of the same protocol.
            protocol: NETLINK_GENERIC or NETLINK_ROUTE.

        Raises:
            NotPermitted: CAP_NET_ADMIN is missing, or this process may not speak netlink.
            KernelError: there is no descriptor left, or no memory.
        """
        with _opened(protocol) as self._socket:
            self._socket.setblocking(False)
            if receive_buffer is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self._socket.bind((0, 0))
            for number in (group, *more_groups):
                self._join(number)

    def _join(self, group: int) -> None:
        try:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        except PermissionError as error:
            raise NotPermitted(
                "subflows can't be controlled without CAP_NET_ADMIN",
                errno=error.errno or 0,
                hint=GRANT_NET_ADMIN,
            ) from None

    def fileno(self) -> int:
        """The descriptor, readable when events wait."""
        return self._socket.fileno()

    def receive(self) -> list[Message] | None:
        """Read what waits, without blocking.

        Returns:
            The messages of one read; an empty list if nothing waits; None if the buffer overflowed
            and messages were lost.

        Raises:
            ProtocolError: a message can't be read.
        """
        try:
            datagram, (port, _) = self._socket.recvfrom(_RECEIVE_SIZE)
        except BlockingIOError:
            return []
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return None
            raise
        return unpack_messages(datagram) if port == _KERNEL else []

    def close(self) -> None:
        """Let go of the descriptor."""
        self._socket.close()


@contextmanager
def _opened(protocol: int) -> Iterator[socket.socket]:
    """Make a netlink socket and let it be set up; it is closed if that doesn't work.

    Raises:
        NotPermitted: this process may not speak netlink.
        KernelError: there is no descriptor left, or no memory.
    """
    sock = None
    try:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        yield sock
    except OSError as error:
        if sock is not None:
            sock.close()
        raise _refused(error) from None


def _refused(error: OSError) -> KernelError:
    number = error.errno or 0
    if isinstance(error, KernelError):
        return error
    if number in _FORBIDDEN:
        return NotPermitted("this process may not use netlink", errno=number, hint=ALLOW_NETLINK)
    return KernelError("netlink can't be used", errno=number, hint=hint_for(number))
