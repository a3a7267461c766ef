"""What carries out the calls of connections that are made now, and of those that were made before.

The choice depends on what others may change while this process runs: the kernel's path manager for
new connections, MPTCP being switched off, a broker that comes or goes. So it is looked at for each
new connection with MPTCP, for a small file and a `stat`, and made anew when something is different.
A connection keeps what it began with, whose events are still read.
"""

from __future__ import annotations

import errno
import math
import threading
import time
from collections.abc import Callable

from mphttp.kernel.errors import KernelError
from mphttp.kernel.hints import hint_for
from mphttp.kernel.mechanism import Mechanism
from mphttp.kernel.reading.info import mptcp_error
from mphttp.kernel.readonly.mechanism import ReadonlyMechanism

WITHOUT_MPTCP = ReadonlyMechanism(KernelError("the connection is plain TCP"))
"""That of connections without MPTCP."""
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN)
"""What may be over soon: no descriptor or memory left, or a broker that doesn't answer."""
_AGAIN_AFTER = 5.0
"""Seconds until what was chosen because of that is chosen anew."""


class Mechanisms:
    """The mechanisms of a process, one of each kind.

    Args:
        adopt: called with each that is new, before it is used; what it raises is passed on.
    """

    def __init__(self, adopt: Callable[[Mechanism], None]) -> None:
        self._adopt = adopt
        self._lock = threading.Lock()
        self._chosen: Mechanism | None = None
        self._situation: object = None
        self._stands_until = -math.inf
        self._known: dict[str, Mechanism] = {}

    def for_new_connections(self) -> Mechanism:
        """Return what carries out the calls of a connection that is made now; any thread may ask.

        Raises:
            OSError: it can't be adopted.
        """
        from mphttp.kernel import probe  # only where a connection is made

        situation, now = probe.situation(), time.monotonic()
        chosen = self._chosen
        if chosen is not None and situation == self._situation and now < self._stands_until:
            return chosen
        with self._lock:
            if situation != self._situation or now >= self._stands_until or self._chosen is None:
                self._chosen = self._known_as(_best())
                self._situation = situation
                reason = self._chosen.reason
                passing = reason is not None and reason.errno in _PASSING
                self._stands_until = now + _AGAIN_AFTER if passing else math.inf
                if mptcp_error():  # the first connection with MPTCP will be after that has changed
                    self._stands_until = now
            return self._chosen

    def all(self) -> list[Mechanism]:
        """Return all that connections may have."""
        return list(self._known.values())

    def close(self) -> None:
        """Release their descriptors."""
        for mechanism in self.all():
            mechanism.close()

    def _known_as(self, mechanism: Mechanism) -> Mechanism:
        """Return the one of the same kind that there is already, or else adopt this one."""
        known = self._known.get(mechanism.name)
        if known is not None and mechanism.reason is None:
            mechanism.close()
            return known
        self._adopt(mechanism)
        self._known[mechanism.name] = mechanism
        return mechanism


def _best() -> Mechanism:
    from mphttp.kernel import probe

    try:
        return probe.best_mechanism()
    except KernelError as error:
        return ReadonlyMechanism(error)
    except OSError as error:  # no descriptor is left, or no memory
        number = error.errno or 0
        what = "subflows can't be controlled"
        return ReadonlyMechanism(KernelError(what, errno=number, hint=hint_for(number)))
