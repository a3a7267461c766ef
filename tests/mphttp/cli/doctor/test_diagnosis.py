"""What the outcomes of probes mean: outcomes in, lines out; no network."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from mphttp.cli.doctor.answers import certificates, compare
from mphttp.cli.doctor.diagnosis import of_machine, of_server
from mphttp.cli.doctor.outcomes import (
    Answer,
    Connected,
    Joined,
    Outcomes,
    Probed,
    Protocol,
    Route,
)
from mphttp.cli.doctor.told import lines
from mphttp.kernel import Path
from mphttp.kernel.diagnosis.machine import Loopback, Machine
from mphttp.kernel.errors import NotSupported

WIFI, LTE = Path("wifi", 2, "10.0.0.1"), Path("lte", 3, "10.1.0.1")
MACHINE = Machine(settings={"pm_type": "1"}, sockopt=NotSupported("no"), strict=("docker0",))
DONE = Connected(0.01)
TABLE = "sudo ip route add default via 10.1.0.2 dev lte table 1003; sudo ip rule add …"
FILE = Answer("wifi", 200, "http://host", "1000", '"one"')
HTTPS = replace(FILE, host="https://host")


def well(path: Path, base: Path) -> Probed:
    route = Route(path, socket.AF_INET, ("203.0.113.1", 80))
    return Probed(route, DONE, DONE, Protocol.MPTCP, "", Joined(base.name))


def outcomes(wifi: Probed, lte: Probed, *answers: Answer, https: bool = False) -> Outcomes:
    given = answers or (FILE, replace(FILE, path="lte"))
    scheme = "https" if https else "http"
    return Outcomes("host", scheme, ("203.0.113.1",), (wifi, lte), {a.path: a for a in given})


GOOD = (well(WIFI, LTE), well(LTE, WIFI))


def test_subflows_are_preferred_to_ranges() -> None:
    found = of_server(MACHINE, outcomes(*GOOD))
    assert (found.healthy, found.auto) == (True, "subflows")
    assert found.findings[-1].meaning == "over wifi and lte, by subflows (MPTCP)"
    assert not any("docker0" in line for line in lines(found))


def test_what_is_missing_is_missing_only_if_nothing_else_does() -> None:
    """The same outcome has another state where the object can't be had in parts."""
    fell_back = replace(GOOD[1], protocol=Protocol.TCP, joined=Joined("wifi", "refused"))
    states = []
    for why in ("", "no ranges"):
        answers = (replace(FILE, not_in_parts=why), replace(FILE, path="lte", not_in_parts=why))
        found = of_server(MACHINE, outcomes(GOOD[0], fell_back, *answers))
        (line,) = (line for line in lines(found) if " lte: " in line)
        states.append((found.healthy, line.split()[0]))
    assert states == [(True, "optional"), (False, "missing")]


def test_a_subflow_that_leaves_by_another_interface() -> None:
    """Its path counts for nothing, and the commands that mend it have its names."""
    elsewhere = replace(GOOD[1], joined=Joined("wifi", hint=TABLE, elsewhere=True))
    found = of_server(MACHINE, outcomes(GOOD[0], elsewhere))
    (finding,) = (f for f in found.findings if f.name == "lte join")
    assert finding.mend == TABLE
    assert found.ways["subflows"] == ("wifi",)


IGNORES = replace(MACHINE, loopback=Loopback(honours_device=False))


@pytest.mark.parametrize(("tables", "mends"), [([TABLE], [TABLE]), ([], [])])
def test_a_kernel_that_ignores_interfaces(tables: list[str], mends: list[str]) -> None:
    """Nothing is wrong where each path has a routing table of its own."""
    found = of_machine(IGNORES, (WIFI, LTE), tables)
    assert [f.mend for f in found.findings if f.name == "interfaces"] == mends
    assert found.healthy == (not mends)


def test_a_kernel_that_ignores_interfaces_where_joins_work_all_the_same() -> None:
    assert "interfaces" not in {f.name for f in of_server(IGNORES, outcomes(*GOOD)).findings}


def test_where_every_join_is_refused_the_server_is_asked_to_change() -> None:
    refused = [replace(p, joined=Joined("x", "refused")) for p in GOOD]
    found = of_server(MACHINE, outcomes(*refused))
    joins = [f for f in found.findings if f.name.endswith("join")]
    assert all("ip mptcp limits" in finding.mend for finding in joins)


def test_a_path_where_the_preferred_one_is_dead() -> None:
    """A connection begins on the next one."""
    silent = Connected(5, "no answer", silent=True)
    dead = Probed(GOOD[0].route, silent, silent)
    found = of_server(replace(MACHINE, strict=("wifi",)), outcomes(dead, GOOD[1]))
    assert found.ways["subflows"] == ("lte",)
    assert not any("rp_filter" in finding.mend for finding in found.findings)


@pytest.mark.parametrize(
    ("other", "forged", "changing"),
    [
        (replace(FILE, path="lte"), None, None),
        (replace(FILE, path="lte", length="999"), True, False),
        (replace(FILE, path="lte", validator='"two"'), True, False),
        (replace(FILE, path="lte", host="http://portal"), True, False),
        (replace(FILE, path="lte", status=511), True, False),
        (replace(FILE, path="lte", status=0, error="timed out"), None, None),
        (replace(HTTPS, path="lte", validator='"two"'), False, False),
    ],
)
def test_answers_that_are_compared(
    other: Answer, forged: bool | None, changing: bool | None
) -> None:
    first = HTTPS if other.host.startswith("https") else FILE
    reference, others = compare({"wifi": first, "lte": other})
    assert reference == first
    assert set(others) == (set() if forged is None else {"lte"})
    if forged is not None:
        assert (others["lte"].forged, others["lte"].changing) == (forged, changing)


def test_a_page_that_changes_may_be_no_portal() -> None:
    pages = [replace(FILE, path=name, validator="", length=n) for name, n in ("a1", "b2")]
    assert compare({page.path: page for page in pages})[1]["b"].changing


def test_most_paths_are_believed_and_then_what_a_portal_makes_least() -> None:
    portal = replace(FILE, path="wifi", validator="", not_in_parts="no length")
    assert list(compare({"wifi": portal, "lte": replace(FILE, path="lte")})[1]) == ["wifi"]
    more = {name: replace(portal, path=name) for name in ("wifi", "eth0")}
    assert list(compare({**more, "lte": replace(FILE, path="lte")})[1]) == ["lte"]


def test_a_certificate_that_one_path_alone_shows() -> None:
    assert set(certificates({"wifi": "1", "lte": "2"}, {"lte"})) == {"lte"}
    assert certificates({"wifi": "1", "lte": "1"}, {"wifi", "lte"}) == {}
    assert certificates({"wifi": "1", "lte": "2"}, set()) == {}  # a server may have several
    untrusted = Answer("lte", error="self-signed certificate", untrusted=True, tls=True)
    found = of_server(MACHINE, outcomes(*GOOD, HTTPS, untrusted, https=True))
    assert any(f.name == "lte portal" for f in found.findings)


def test_a_certificate_that_nobody_trusts_is_no_portal() -> None:
    bad = [Answer(p, error="self-signed", untrusted=True, tls=True) for p in ("wifi", "lte")]
    found = of_server(MACHINE, outcomes(*GOOD, *bad, https=True))
    told = [f for f in found.findings if f.name.endswith("tls")]
    assert [f.mend for f in told] == [
        "--cacert FILE names certificates to trust; -k trusts any"
    ] * 2
    assert not found.healthy


def test_nothing_of_a_server_breaks_a_line() -> None:
    odd = Answer("lte", 200, "http://\x1b[2Jhost", "1\nok downloads: all", '"\u202e"')
    told = list(lines(of_server(MACHINE, outcomes(*GOOD, FILE, odd))))
    assert all(line.isprintable() for line in told)


def test_a_terminal_gets_whole_words_and_whole_commands() -> None:
    """Every word is as it was, and what mends something stays on one line."""
    elsewhere = replace(GOOD[1], joined=Joined("wifi", hint=TABLE, elsewhere=True))
    found = of_server(MACHINE, outcomes(GOOD[0], elsewhere))
    wrapped, whole = list(lines(found, 60)), list(lines(found))
    assert " ".join(wrapped).split() == " ".join(whole).split()
    assert all(len(line) <= 60 for line in wrapped if " fix: " not in line)
    assert [line for line in whole if " fix: " in line] == [
        line for line in wrapped if " fix: " in line
    ]


def test_many_that_are_alike_share_a_line() -> None:
    silent = Connected(5, "no answer", silent=True)
    dead = tuple(
        Probed(Route(Path(f"d{n}", n, "10.9.0.1"), socket.AF_INET, ("203.0.113.1", 80)), silent)
        for n in range(4)
    )
    found = of_server(MACHINE, replace(outcomes(*GOOD), probed=(*GOOD, *dead)))
    assert any(" d0, d1, d2, d3: " in line for line in lines(found))
    assert [f.name for f in found.findings if f.name in ("d0", "d1", "d2", "d3")] == [
        "d0",
        "d1",
        "d2",
        "d3",
    ]


@pytest.mark.parametrize(("paths", "healthy"), [((WIFI, LTE), True), ((WIFI,), True), ((), False)])
def test_a_machine_without_a_server(paths: tuple[Path, ...], healthy: bool) -> None:
    assert of_machine(MACHINE, paths).healthy == healthy
