"""Options of one subflow, set by a strategy in the middle of a download."""

from __future__ import annotations

import select
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mphttp.kernel import findings
from mphttp.lab import LabClient
from mphttp.strategies import Open, SetOption, Steps, Transfer, Until

from .downloads import download, url
from .strategies import LTE, Scripted

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 2_000_000
EXPEDITED = 46 << 2


def marks_lte(transfer: Transfer) -> Steps:
    lte = yield Open(LTE)
    yield SetOption(lte, socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
    yield Until(received=SIZE)


@contextmanager
def sent_on(link: str) -> Iterator[Counter[int]]:
    """Count, by their DSCP byte, the TCP packets that leave by a link meanwhile."""
    sent = Counter[int]()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as sniffer:
        sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        sniffer.bind((link, 3))
        yield sent
        while select.select([sniffer], [], [], 0)[0]:
            packet, (_, _, kind, *_) = sniffer.recvfrom(65536)
            if kind == socket.PACKET_OUTGOING and packet[9] == socket.IPPROTO_TCP:
                sent[packet[1]] += 1


def test_packets_of_one_path_are_marked(lab: LabClient) -> None:
    """The DSCP is on the packets of one path alone; where it can't be set, the report says why."""
    (options,) = [finding for finding in findings() if finding.name == "subflow options"]
    with sent_on("wifi") as wifi, sent_on("lte") as lte:
        report = download(Scripted(marks_lte), url(SIZE))
    assert set(wifi) == {0}
    if options.ok:
        assert report.problems == ()
        assert lte[EXPEDITED] > lte[0] > 0  # the handshake came before
    else:
        problem, *_ = report.problems
        assert set(lte) == {0}
        assert options.meaning in problem.what
        assert problem.hint == options.mend
