"""One request: find out what it is about, decide, act, and say what came of it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path as File

from mphttp.kernel.broker.messages import (
    Answer,
    Claim,
    GetOption,
    Hello,
    OnConnection,
    Open,
    Refused,
    Request,
    SetOption,
    Watching,
    Welcome,
)
from mphttp.kernel.errors import KernelError

from .actions import Passed, act
from .descriptor import as_socket, interface_name, look
from .namespace import Namespace
from .namespaces import Namespaces
from .policy import Facts, policy
from .rules import Rules

_CONGESTION_CONTROLS = File("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
_SO_PEERGROUPS = 59  # include/uapi/asm-generic/socket.h, since 4.13
_GROUP_SIZE = 4
_MOST_GROUPS = 256  # what Python's getsockopt has room for


@dataclass(eq=False, slots=True)
class Client:
    """A process that is connected to the broker.

    Args:
        sock: connected to it.
        user: its user id when it connected (SO_PEERCRED).
        process: its process id then.
        group: its group id then.
        greeted: whether it has said hello.
        watched: the connections of which it is told events.
    """

    sock: socket.socket
    user: int
    process: int
    group: int
    greeted: bool = False
    watched: set[tuple[Namespace, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request.

    Args:
        answer: for the client.
        effect: for the log; None for what changes nothing.
        watch: the connection whose events the client is told from now on.
        claims: token of the connection in the broker's own network namespace that the client looks
            after by itself from now on.
    """

    answer: Answer
    effect: str | None = None
    watch: tuple[Namespace, int] | None = None
    claims: int | None = None


class Service:
    """Carries out requests.

    Args:
        namespaces: where connections can be.
        rules: the configuration.
    """

    def __init__(self, namespaces: Namespaces, rules: Rules) -> None:
        self._namespaces = namespaces
        self._rules = rules

    def carry_out(
        self, request: Request, descriptors: Sequence[int], client: Client, watched: int
    ) -> Outcome:
        """Carry out one request.

        Args:
            request: what is asked.
            descriptors: what was passed with it; they stay the caller's.
            client: who asks.
            watched: connections that processes of its user watch.
        """
        sock = as_socket(descriptors[0]) if len(descriptors) == 1 else None
        try:
            groups = _groups(client) if self._rules.excluded_groups else frozenset()
            facts = Facts(len(descriptors), groups, watched=watched)
            if isinstance(request, Hello):
                return self._greet(request, facts, client)
            return self._on_connection(request, facts, sock, client)
        except KernelError as error:
            return Outcome(Refused.of(error))
        except OSError as error:
            return Outcome(Refused.of(KernelError("it did not work", errno=error.errno or 0)))
        finally:
            if sock is not None:
                sock.detach()

    def _greet(self, hello: Hello, facts: Facts, client: Client) -> Outcome:
        decision = policy(hello, facts, self._rules)
        if isinstance(decision, Refused):
            return Outcome(decision)
        client.greeted = True
        return Outcome(Welcome(self._rules.options))

    def _on_connection(
        self, request: OnConnection, facts: Facts, sock: socket.socket | None, client: Client
    ) -> Outcome:
        descriptor = None if sock is None else look(sock)
        facts = replace(facts, descriptor=descriptor)
        namespace = passed = None
        if sock is not None and descriptor is not None and descriptor.connection is not None:
            namespace = self._namespaces.find(sock, client)
            facts = _more_facts(facts, request, sock, namespace)
            passed = None if namespace is None else Passed(sock, namespace, descriptor.connection)
        decision = policy(request, facts, self._rules)
        if isinstance(decision, Refused):
            return Outcome(decision)
        assert passed is not None
        assert namespace is not None
        with self._namespaces.inside(namespace) if _by_bpf(request) else nullcontext():
            answer = act(request, passed, facts.interface or "")
        claims = passed.connection.token if namespace is self._namespaces.own else None
        if isinstance(answer, Watching):
            return Outcome(answer, watch=(namespace, answer.token), claims=claims)
        silent = isinstance(answer, Refused) or isinstance(request, Claim)
        return Outcome(answer, None if silent else decision.effect, claims=claims)


def _by_bpf(request: OnConnection) -> bool:
    """Whether it acts in the network namespace where the thread is."""
    return isinstance(request, SetOption | GetOption)


def _more_facts(
    facts: Facts, request: OnConnection, sock: socket.socket, namespace: Namespace | None
) -> Facts:
    """Find out what only some requests ask for."""
    if namespace is None:
        return replace(facts, within_reach=False)
    if isinstance(request, Open):
        interface = interface_name(sock, request.interface_index)
        local = interface is not None and namespace.has(request.address, interface)
        return replace(facts, interface=interface, address_is_local=local)
    if isinstance(request, SetOption):
        return replace(facts, congestion_controls=_congestion_controls())
    return facts


def _groups(client: Client) -> frozenset[int]:
    """List a client's groups as they were when it connected.

    Raises:
        OSError: they are more than there is room for.
    """
    size = _MOST_GROUPS * _GROUP_SIZE
    memory = memoryview(client.sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, size))
    return frozenset([client.group, *memory.cast("I")])


def _congestion_controls() -> frozenset[str]:
    try:
        return frozenset(_CONGESTION_CONTROLS.read_text().split())
    except OSError:
        return frozenset()
