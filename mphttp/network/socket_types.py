"""What sockets, and `getaddrinfo`, take and give, as types."""

from __future__ import annotations

import socket
from collections.abc import Sequence

Address = tuple[str | int | bytes, ...]
"""Host and port, and for IPv6 more (socket(3)); what `connect` takes."""
Entry = tuple[int, int, int, str, Address]
"""Family, type, protocol, canonical name and address, as `getaddrinfo` gives them."""
Found = Sequence[Entry]
"""What `getaddrinfo` gives."""
SocketOption = tuple[int, int, int | bytes | bytearray] | tuple[int, int, None, int]
"""Arguments of `setsockopt`."""


def set_option(sock: socket.socket, option: SocketOption) -> None:
    """Set an option of a socket.

    Raises:
        OSError: the kernel doesn't take it.
    """
    if len(option) == 4:
        sock.setsockopt(option[0], option[1], None, option[3])
    else:
        sock.setsockopt(option[0], option[1], option[2])
