"""All MPTCP connections of a network namespace, whoever's they are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ..netlink.codec import Message
from ..netlink.sockets import RequestError, RequestSocket
from ..values import FourTuple
from .info import IPPROTO_MPTCP
from .sock_diag import (
    SOCK_DIAG_BY_FAMILY,
    ListedConnection,
    ListedSubflow,
    decode_asks_backup,
    decode_connection,
    decode_device,
    decode_subflow,
    pack_question,
    pack_question_about,
    pack_question_of,
)

NETLINK_SOCK_DIAG = 4


@dataclass(frozen=True, slots=True)
class Listing:
    """A connection and its subflows.

    Args:
        connection: the MPTCP socket.
        subflows: those that are known; none before 6.15 without CAP_NET_ADMIN.
    """

    connection: ListedConnection
    subflows: tuple[ListedSubflow, ...]


class SocketLister:
    """Asks the kernel for the sockets of the network namespace it was made in."""

    def __init__(self) -> None:
        self._requests = RequestSocket(NETLINK_SOCK_DIAG)

    def connections(self) -> list[Listing]:
        """List the MPTCP connections, in the same order each time; none whose handshake isn't over.

        Raises:
            RequestError: this kernel can't list them.
            ProtocolError: its answer can't be read.
        """
        found = [decode_connection(m.payload) for m in self._answers(IPPROTO_MPTCP)]
        found.sort(key=lambda connection: connection.cookie)
        there = {connection.token: connection for connection in found if connection.token}
        subflows: dict[int, list[ListedSubflow]] = {token: [] for token in there}
        for message in self._answers(socket.IPPROTO_TCP) if there else ():
            subflow = decode_subflow(message.payload)
            if subflow is not None and subflow.token in there:
                subflows[subflow.token].append(subflow)
        return [_listing(there[token], subflows[token]) for token in there]

    def connection(self, token: int) -> ListedConnection | None:
        """Return the connection that a token names; None if there is none.

        Raises:
            ProtocolError: the answer can't be read.
        """
        answer = self._one(pack_question_about(token))
        found = None if answer is None else decode_connection(answer)
        return found if found is not None and found.token == token else None

    def subflows(self, token: int) -> list[ListedSubflow]:
        """List the subflows of a connection; every TCP socket is looked at for it.

        Raises:
            RequestError: this kernel can't list them.
            ProtocolError: its answer can't be read.
        """
        found = (decode_subflow(m.payload) for m in self._answers(socket.IPPROTO_TCP))
        return [subflow for subflow in found if subflow is not None and subflow.token == token]

    def subflow(self, pair: FourTuple, device: int = 0) -> ListedSubflow | None:
        """Return the subflow that has these addresses; None if there is none.

        Args:
            pair: its addresses and ports.
            device: index of the interface that it may be bound to.

        Raises:
            ProtocolError: the answer can't be read.
        """
        answer = self._one(pack_question_of(pair, device))
        return None if answer is None else decode_subflow(answer)

    def device_of(self, pair: FourTuple, device: int) -> int | None:
        """Return the index of the interface that a TCP socket is bound to, 0 if to none.

        Of a subflow that is what the kernel made of the index it was asked to use; no privilege is
        needed.

        Args:
            pair: the socket's addresses and ports.
            device: index of the interface that it may be bound to.

        Returns:
            None if there is no such socket, or it is bound to another interface.

        Raises:
            ProtocolError: the answer can't be read.
        """
        answer = self._one(pack_question_of(pair, device))
        return None if answer is None else decode_device(answer)

    def asks_backup(self, pair: FourTuple, device: int) -> bool | None:
        """Tell whether this side asked the peer to have a subflow for a backup.

        Args:
            pair: its addresses and ports.
            device: index of the interface that it may be bound to.

        Returns:
            None where that isn't told: there is no such subflow, or a privilege is missing.

        Raises:
            ProtocolError: the answer can't be read.
        """
        answer = self._one(pack_question_of(pair, device))
        return None if answer is None else decode_asks_backup(answer)

    def _one(self, question: bytes) -> bytes | None:
        try:
            answers = self._requests.request(SOCK_DIAG_BY_FAMILY, question)
        except RequestError:  # ENOENT, mostly
            return None
        return answers[0].payload if answers else None

    def close(self) -> None:
        """Let go of the descriptor."""
        self._requests.close()

    def _answers(self, protocol: int) -> Iterator[Message]:
        for family in (socket.AF_INET, socket.AF_INET6):
            question = pack_question(family, protocol)
            yield from self._requests.request(SOCK_DIAG_BY_FAMILY, question, dump=True)


def _listing(connection: ListedConnection, subflows: list[ListedSubflow]) -> Listing:
    def place(subflow: ListedSubflow) -> tuple[bool, int]:
        return subflow.info.tuple != connection.tuple, subflow.info.id

    return Listing(connection, tuple(sorted(subflows, key=place)))
