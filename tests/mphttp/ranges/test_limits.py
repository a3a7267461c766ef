"""What a server may ask for, and what is never asked of it."""

from __future__ import annotations

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest
import trustme

from mphttp import MultipathTransport, Report
from mphttp.ranges.control import MOST_PER_HOST, MOST_PER_PATH
from mphttp.strategies import Close, NDiffPorts, Open, OpenFailed, Steps, Strategy, Transfer, Until
from tests.lab.leaks import eventually
from tests.mphttp.transports.doors import DOORS

from .origins import BODY, QUARTER, Answer, Asked, Origin, Peer, right
from .parts import Case, asked, carried, closing, http_date, once, status
from .test_hostile import download

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]


# Retry-After (RFC 9110, section 10.2.3).


def after_the_first(answer: Answer) -> Answer:
    """Bring the first part, and give one other answer to the next request."""
    return once(right, once(answer))


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("told", "least"),
    [("2", 2.0), ("0", 1.0), (None, 1.0)],
    ids=["seconds", "no seconds", "a date"],
)
def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    code: int, told: str | None, least: float
) -> None:
    """Not a request comes meanwhile, over no connection, and then the same path goes on."""
    refused: list[Asked] = []

    def busy(peer: Peer, asked: Asked) -> None:
        refused.append(asked)
        # A date has no fractions of seconds, so that of this one more than one is left.
        status(code, f"Retry-After: {http_date(2) if told is None else told}")(peer, asked)
        peer.end()

    def gone_on(origin: Origin, report: Report) -> bool:
        return bool(refused) and bool(later(origin))

    def later(origin: Origin) -> list[float]:
        """Return when requests came that were sent after the answer had come."""
        since = [asked for asked in origin.parts if asked.connection > refused[0].connection]
        return [asked.at - refused[0].at for asked in since]

    with Origin(part=after_the_first(busy)) as origin:
        report = download(DOORS["httpx"], origin, Case(right, until=gone_on))
    assert min(later(origin)) >= least
    assert any(f"answered {code}" in problem.what for problem in report.problems)
    assert len(report.subflows) == 2


@dataclass(frozen=True)
class Stubborn(Strategy):
    """Open again and again."""

    name = "stubborn"
    times: int = 5

    def __post_init__(self) -> None:
        object.__setattr__(self, "came", threading.Event())

    def run(self, transfer: Transfer) -> Steps:
        for _ in range(self.times):
            try:
                yield Open(transfer.paths[0])
            except OpenFailed:
                yield Until(elapsed=transfer.elapsed + 0.05)
        self.came.set()

    def until_done(self, *_: object) -> bool:
        """Tell whether all has been tried: whose words the report has depends on who was first."""
        done: bool = self.came.is_set()
        return done


@pytest.mark.parametrize(
    ("answer", "words"),
    [(status(503, "Retry-After: 600"), "the server is busy"), (status(412), "has changed")],
    ids=["busy", "another version"],
)
def test_nor_does_a_strategy_open_more_meanwhile(answer: Answer, words: str) -> None:
    stubborn = Stubborn()
    with Origin(part=answer) as origin:
        case = Case(answer, until=stubborn.until_done)
        report = download(DOORS["httpx"], origin, case, strategy=stubborn)
    assert len({asked.connection for asked in origin.parts}) == 1
    assert any(words in problem.what for problem in report.problems)


# How many connections there are.


def test_no_more_connections_on_a_path_than_one_and_its_successor() -> None:
    case = Case(right, f"{MOST_PER_PATH} connections are on lo already")
    with Origin() as origin:
        download(DOORS["httpx"], origin, case, strategy=Stubborn())
    assert origin.most == MOST_PER_PATH


def test_one_part_a_connection_is_one_connection_at_a_time() -> None:
    with Origin(part=closing("1.0", "X: y")) as origin:
        download(DOORS["httpx"], origin, Case(right, until=asked(8)))
    assert origin.connections >= 8
    assert origin.most <= MOST_PER_PATH + 1  # the server may hear of an end after the next begins


@dataclass(frozen=True)
class WithoutThread(Strategy):
    """Open once more than a host has places, while no thread can be started, and once when one can.

    A stack of 64 TiB is more than there is room for.
    """

    name = "without thread"

    def run(self, transfer: Transfer) -> Steps:
        threading.stack_size(2**46)
        try:
            for _ in range(MOST_PER_HOST + 1):
                try:
                    yield Open(transfer.paths[0])
                except OpenFailed:
                    yield Until(elapsed=transfer.elapsed)
        finally:
            threading.stack_size(0)
        yield Open(transfer.paths[0])


def test_a_connection_that_gets_no_thread_takes_no_place() -> None:
    words = "another connection needs a thread: can't start new thread"
    case = Case(right, until=asked(1))  # of the last one, after all the words
    with Origin() as origin:
        report = download(DOORS["httpx"], origin, case, strategy=WithoutThread())
    assert origin.connections == 2
    assert any(words in problem.what for problem in report.problems)


def test_no_more_connections_to_a_host_than_its_share() -> None:
    """However many downloads there are: each has its first response, and some have help."""
    downloads = MOST_PER_HOST + 2
    told = threading.Barrier(downloads + 1)

    def one(origin: Origin) -> Report:
        transport = MultipathTransport(NDiffPorts(2), multipath="ranges", verify=False)
        with (
            httpx.Client(transport=transport) as client,
            client.stream("GET", origin.url) as answer,
        ):
            report: Report = answer.extensions["multipath"]
            eventually(lambda: carried(report) > 0 or "lead to" in str(report.problems), True)
            told.wait(20)
            assert answer.read() == BODY
        return report

    with Origin() as origin, ThreadPoolExecutor(downloads) as pool:
        running = [pool.submit(one, origin) for _ in range(downloads)]
        told.wait(20)
        assert origin.most <= downloads + MOST_PER_HOST
        origin.gate.set()
        reports = [each.result() for each in running]
        words = f"{MOST_PER_HOST} connections that fetch parts lead to localhost:{origin.port}"
    without = [words in str(report.problems) for report in reports]
    assert sum(without) == downloads - MOST_PER_HOST


def test_a_place_that_was_given_back_is_taken_again() -> None:
    """One download after the other has its further connection."""
    transport = MultipathTransport(NDiffPorts(2), multipath="ranges", verify=False)
    with Origin() as origin, httpx.Client(transport=transport) as client:
        origin.gate.set()
        for n in range(MOST_PER_HOST + 2):
            with client.stream("GET", origin.url) as answer:
                report: Report = answer.extensions["multipath"]
                eventually(lambda report=report: carried(report) > 0, True)
                assert answer.read() == BODY, n


# A strategy that closes what it opened, and what was there before.


@dataclass(frozen=True)
class Changing(Strategy):
    """Replace the connection that there is by a new one, again and again."""

    name = "changing"
    times: int = 6

    def run(self, transfer: Transfer) -> Steps:
        for _ in range(self.times):
            old = transfer.current
            yield Open(old.path)
            yield Close(old)
            yield Until(received=transfer.received + 20_000, elapsed=transfer.elapsed + 0.2)


@pytest.mark.parametrize("door", ["httpx", "httpx-asyncio", "httpx-trio"])
def test_connections_that_are_replaced_lose_nothing(door: str) -> None:
    """The first response is ended, too; the others go on from the front."""
    with Origin() as origin:
        report = download(
            DOORS[door],
            origin,
            Case(right, until=lambda _, report: len(report.subflows) >= 2),
            strategy=Changing(),
        )
    assert not [p for p in report.problems if "failed with" in p.what]


# TLS.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def of(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize("door", ["httpx", "httpx-asyncio", "httpx-trio"])
def test_parts_over_tls(door: str, authority: trustme.CA, trust: ssl.SSLContext) -> None:
    case = Case(right, until=lambda _, report: carried(report) >= QUARTER)
    with Origin(contexts=(of(authority),)) as origin:
        download(DOORS[door], origin, case, verify=trust)


def test_a_certificate_that_is_not_trusted_brings_no_part(
    authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    """Another machine at the same address, perhaps: the first response goes on alone."""
    case = Case(right, "certificate verify failed")
    with Origin(contexts=(of(authority), of(trustme.CA()))) as origin:
        download(DOORS["httpx"], origin, case, verify=trust)
    assert not origin.parts


def test_a_certificate_for_another_name_brings_no_part(
    authority: trustme.CA, trust: ssl.SSLContext
) -> None:
    case = Case(right, "certificate is not valid for 'localhost'")
    with Origin(contexts=(of(authority), of(authority, "example.org"))) as origin:
        download(DOORS["httpx"], origin, case, verify=trust)
    assert not origin.parts
