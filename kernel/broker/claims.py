"""Claims connections of a process that needs no broker, so that the machine's leaves them alone."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from contextlib import suppress

from ..errors import KernelError
from .channel import RequestChannel, socket_path
from .messages import Claim

_REST = 30.0
"""Seconds for which a broker that refused, or didn't answer, isn't asked again."""


class Claims:
    """Tells the broker, where there is one, which connections this process looks after."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path = ""
        self._channel: RequestChannel | None = None
        self._rests_until = -math.inf

    def claim(self, sock: socket.socket) -> None:
        """Claim a connection; where no broker is, or it refuses, nothing happens.

        Args:
            sock: the connection's socket.
        """
        path = socket_path()
        if not os.path.exists(path) or time.monotonic() < self._rests_until:
            return
        try:
            self._channel_to(path).ask(Claim(), sock)
        except KernelError:
            self._rests_until = time.monotonic() + _REST

    def close(self) -> None:
        """Let go of the descriptor."""
        with self._lock, suppress(KernelError):
            if self._channel is not None:
                self._channel.close()
                self._channel = None

    def _channel_to(self, path: str) -> RequestChannel:
        with self._lock:
            if self._channel is None or path != self._path:
                self._path, self._channel = path, RequestChannel(path)
            return self._channel
