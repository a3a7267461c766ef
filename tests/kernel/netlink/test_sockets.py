"""The sockets, against the real kernel."""

from __future__ import annotations

import errno
import socket

import pytest

from mphttp.kernel import NetlinkMechanism, NotSupported, ProtocolError
from mphttp.kernel.events import ConnectionClosed
from mphttp.kernel.netlink.codec import (
    Message,
    MessageFlag,
    pack_integer,
    pack_message,
)
from mphttp.kernel.netlink.genetlink import (
    GENL_ID_CTRL,
    pack_generic,
    pack_get_family,
    unpack_family,
)
from mphttp.kernel.netlink.sockets import NETLINK_GENERIC, RequestError, RequestSocket, get_family
from mphttp.kernel.path_manager.tables import Command, EventAttribute, EventType

from ..namespaces import Net


def test_late_answers_are_passed_over() -> None:
    """The answer to a request that timed out doesn't answer the next one."""
    requests = RequestSocket()
    flags = MessageFlag.REQUEST | MessageFlag.ACK
    late = Message(GENL_ID_CTRL, flags, 12345, pack_get_family("nlctrl"))
    requests._socket.sendto(pack_message(late), (0, 0))
    with pytest.raises(NotSupported):
        get_family(requests, "no such thing")
    (answer,) = requests.request(GENL_ID_CTRL, pack_get_family("nlctrl"))
    assert unpack_family(answer.payload).id == GENL_ID_CTRL
    requests.close()


def test_an_answer_that_never_comes_is_an_error() -> None:
    requests = RequestSocket(timeout=0.01)
    with pytest.raises(ProtocolError, match="lost"):
        requests._answers(1)
    requests.close()


def test_a_family_that_this_kernel_lacks() -> None:
    """As on a kernel without MPTCP: the error says what is needed."""
    requests = RequestSocket()
    with pytest.raises(NotSupported, match="no mptcp_xx") as refused:
        get_family(requests, "mptcp_xx")
    assert refused.value.errno == errno.ENOENT
    assert "CONFIG_MPTCP" in refused.value.hint
    requests.close()


def test_a_refusal_has_the_kernels_words(net: Net) -> None:
    """The extended acknowledgement says what is missing, or what is wrong."""
    requests = RequestSocket()
    family = get_family(requests, "mptcp_pm").id
    with pytest.raises(RequestError) as missing:
        requests.request(family, pack_generic(Command.SUBFLOW_CREATE, 1, {}))
    assert missing.value.errno == errno.EINVAL
    assert missing.value.extack
    token = {4: pack_integer(0xABCDEF, 4), 5: pack_integer(1, 1)}
    with pytest.raises(RequestError, match="invalid token"):
        requests.request(family, pack_generic(Command.REMOVE, 1, token))


def test_events_of_other_processes_are_not_believed(net: Net) -> None:
    """Only the kernel tells events, though others can send to the socket too."""
    mechanism = NetlinkMechanism()
    port = mechanism._events._socket.getsockname()[0]
    attributes = {EventAttribute.TOKEN: pack_integer(7, 4)}
    forged = pack_generic(EventType.CLOSED, 1, attributes)
    liar = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
    liar.sendto(pack_message(Message(mechanism._family, 0, 0, forged)), (port, 0))
    assert ConnectionClosed(7) not in mechanism.events()
