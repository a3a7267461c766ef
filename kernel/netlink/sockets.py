"""The two sockets: one that asks and is answered, one that listens to the path manager's events.

Thin: what the bytes mean is the codec's business.
"""

from __future__ import annotations

import errno
import itertools
import socket
import struct
import threading
from collections.abc import Iterable

from ..errors import KernelError, NotPermitted, NotSupported, ProtocolError
from ..hints import GRANT_NET_ADMIN, NEEDS_LINUX
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
        """
        self._sequence = itertools.count(1)
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        seconds, fraction = divmod(timeout, 1)
        waits = struct.pack("@ll", int(seconds), int(fraction * 1e6))
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
        """
        sequence = next(self._sequence)
        flags = MessageFlag.REQUEST | (MessageFlag.DUMP if dump else MessageFlag.ACK)
        message = pack_message(Message(kind, flags, sequence, payload))
        with self._lock:
            self._socket.sendto(message, (_KERNEL, 0))
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
            NotPermitted: CAP_NET_ADMIN is missing.
        """
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.setblocking(False)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.bind((0, 0))
        try:
            for number in (group, *more_groups):
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, number)
        except PermissionError as error:
            self._socket.close()
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
