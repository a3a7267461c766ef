"""All MPTCP connections of a network namespace, whoever's they are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from .info import IPPROTO_MPTCP
from .netlink import RequestSocket
from .netlink_codec import Message
from .sock_diag import (
    SOCK_DIAG_BY_FAMILY,
    ListedConnection,
    ListedSubflow,
    decode_connection,
    decode_subflow,
    pack_question,
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
        """List the MPTCP connections, by token; one whose handshake isn't over has none.

        Raises:
            RequestError: this kernel can't list them.
            ProtocolError: its answer can't be read.
        """
        found = [decode_connection(m.payload) for m in self._answers(IPPROTO_MPTCP)]
        there = {connection.token: connection for connection in found if connection.token}
        subflows: dict[int, list[ListedSubflow]] = {token: [] for token in there}
        for message in self._answers(socket.IPPROTO_TCP) if there else ():
            subflow = decode_subflow(message.payload)
            if subflow is not None and subflow.token in there:
                subflows[subflow.token].append(subflow)
        return [
            Listing(there[token], tuple(sorted(subflows[token], key=lambda s: s.info.id)))
            for token in there
        ]

    def close(self) -> None:
        """Let go of the descriptor."""
        self._requests.close()

    def _answers(self, protocol: int) -> Iterator[Message]:
        for family in (socket.AF_INET, socket.AF_INET6):
            question = pack_question(family, protocol)
            yield from self._requests.request(SOCK_DIAG_BY_FAMILY, question, dump=True)
