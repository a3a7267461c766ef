"""One JSON object a message, over a SOCK_SEQPACKET socket of the local machine (unix(7))."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from typing import Any

from .errors import LabError

_MAX = 65536
_MAX_DESCRIPTORS = 8


def address(text: str) -> str:
    """Return a socket's address from its usual written form, where `@` stands for the zero byte."""
    return text.replace("@", "\0", 1)


def send(sock: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send an object, and copies of descriptors with it."""
    socket.send_fds(sock, [json.dumps(message).encode()], list(descriptors))


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive an object and the descriptors that came with it.

    Raises:
        EOFError: the other end is closed.
    """
    data, descriptors, _, _ = socket.recv_fds(sock, _MAX, _MAX_DESCRIPTORS)
    if not data:
        raise EOFError
    return json.loads(data), descriptors


def refusal(error: LabError) -> dict[str, Any]:
    """Return the message that says no."""
    return {"what": error.what, "hint": error.hint}


def check(message: dict[str, Any]) -> None:
    """Raise the error that a message stands for.

    Raises:
        LabError: the other end said no.
    """
    if "what" in message:
        raise LabError(message["what"], message["hint"])
