"""What the outcomes of all probes mean, and what mends what doesn't work. Pure.

Who is to blame is told by comparison. A connection that asked for MPTCP and became plain TCP:

    this kernel turned MPTCP off by itself (its counter moved)      the kernel
    the same server speaks MPTCP over another path                  something on this path
    plain TCP is answered here, and SYNs with MPTCP are not         something on this path
    on no path                                                      the server, or what is before it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from mphttp.kernel import Finding, Path, findings
from mphttp.kernel.diagnosis.findings import loosen
from mphttp.kernel.diagnosis.machine import Loopback, Machine

from .answers import Other, certificates, compare
from .outcomes import Answer, Outcomes, Probed, Protocol

_OF_CONTROL = ("mptcp", "blackhole", "path manager", "control")
"""Findings on which it depends whether any subflow can be opened."""
_ON_SERVER = "MPTCP on the server, such as: mptcpize run nginx"
_RANGES = "mphttp get --multipath ranges, which needs no MPTCP"
_TRUST = "--cacert FILE names certificates to trust; -k trusts any"
_AROUND = "another network, or a VPN through what is in the way"


@dataclass(frozen=True)
class Diagnosis:
    """All that was found.

    Args:
        findings: of this machine, and then of the server, path by path.
        paths: towards the server, or the Internet; the preferred one first.
        healthy: whether downloads over all paths will work in some way; without a server, whether
            subflows can be opened and closed.
        ways: names of the paths over which downloads will work, by the way in which they do:
            "subflows" (MPTCP), "ranges".
        auto: the way that `--multipath auto` takes; "" without a server.
        outcomes: what the probes of the server left; None if none was named.
        others: paths that bring another answer, and which.
        not_in_parts: why the object can't be had in parts, "" if it can; None if nobody told.
    """

    findings: tuple[Finding, ...]
    paths: tuple[Path, ...]
    healthy: bool
    ways: Mapping[str, tuple[str, ...]]
    auto: str = ""
    outcomes: Outcomes | None = None
    others: Mapping[str, Other] | None = None
    not_in_parts: str | None = None


def of_machine(
    machine: Machine, paths: Iterable[Path], tables: Iterable[str] | None = None
) -> Diagnosis:
    """Say what a machine can do, whatever the server.

    Args:
        machine: as it was found.
        paths: to the Internet, the preferred one first; those of both families.
        tables: commands for paths that need a routing table of their own on a kernel that ignores
            the interface of a subflow; None if nobody has looked.
    """
    paths = tuple(paths)
    second = _after_first(path for path in paths if ":" not in path.address)
    found = _with_tables(findings(_strict_on(machine, second)), tables)
    lines = [Finding(f"path {path.name}", True, f"from {path.address}") for path in paths]
    if not paths:
        lines = [Finding("path", False, "no interface has a route to the Internet", _CONNECT)]
    elif len({path.name for path in paths}) == 1:
        what = "there is one path; a second one needs an interface with a default route of its own"
        lines.append(Finding("second path", False, what, _CONNECT, needed=False))
    healthy = bool(paths) and all(finding.ok for finding in found if finding.needed)
    return Diagnosis((*found, *lines), paths, healthy, {})


def _with_tables(found: Iterable[Finding], tables: Iterable[str] | None) -> list[Finding]:
    """Say the exact commands, or nothing where each path has a routing table of its own."""
    told = None if tables is None else "; ".join(tables)
    named = (replace(f, mend=told or f.mend) if f.name == "interfaces" else f for f in found)
    return [finding for finding in named if finding.name != "interfaces" or told != ""]


def in_control(machine: Machine) -> bool:
    """Tell whether subflows can be opened at all on a machine."""
    return _in_control(findings(machine))


def of_server(machine: Machine, outcomes: Outcomes) -> Diagnosis:
    """Say what a machine and a server can do together.

    Args:
        machine: as it was found.
        outcomes: what came of the probes.
    """
    if outcomes.disabled:
        machine = replace(machine, loopback=Loopback(disabled=True))
    silent = {p.route.path.name for p in outcomes.probed if not _reached(p) and _silent(p)}
    paths = tuple(probed.route.path for probed in outcomes.probed)
    here = findings(_strict_on(machine, silent & set(_after_first(paths))))
    here = [f for f in here if f.name != "rp_filter" or not silent]
    joined = [p.joined for p in outcomes.probed if p.joined is not None]
    if any(join.tried or join.elsewhere for join in joined):  # these tell it better
        here = [f for f in here if f.name != "interfaces"]
    view = _View(outcomes, {f.name: f for f in here})
    told = [*view.name(), *view.routes(), *view.ranges(), *view.downloads()]
    needed = not view.healthy
    return Diagnosis(
        # What isn't there isn't missing where downloads do without.
        tuple(replace(f, needed=f.needed and needed) if not f.ok else f for f in (*here, *told)),
        tuple(dict.fromkeys(paths)),
        view.healthy,
        view.ways,
        view.auto,
        outcomes,
        view.others,
        None if view.reference is None else view.reference.not_in_parts,
    )


_CONNECT = "connect another interface to a network (nmcli device connect INTERFACE; dhcpcd)"


def _in_control(found: Iterable[Finding]) -> bool:
    return all(finding.ok for finding in found if finding.name in _OF_CONTROL)


def _after_first(paths: Iterable[Path]) -> tuple[str, ...]:
    """Name the interfaces but the preferred one, on which no answer is dropped."""
    return tuple(dict.fromkeys(path.name for path in paths))[1:]


def _strict_on(machine: Machine, names: Iterable[str]) -> Machine:
    matter = set(names)
    return replace(machine, strict=tuple(name for name in machine.strict if name in matter))


def _reached(probed: Probed) -> bool:
    return any(came is not None and came.ok for came in (probed.plain, probed.multipath))


def _silent(probed: Probed) -> bool:
    return all(came is None or came.silent for came in (probed.plain, probed.multipath))


class _View:
    """The outcomes, looked at from all sides.

    Args:
        outcomes: what the probes left.
        machine: findings of the machine, by name.
    """

    def __init__(self, outcomes: Outcomes, machine: Mapping[str, Finding]) -> None:
        self._outcomes = outcomes
        self._machine = machine
        self._probed = outcomes.probed
        self._names = tuple(dict.fromkeys(p.route.path.name for p in self._probed))
        answers = outcomes.answers
        untrusted = {name for name, answer in answers.items() if answer.untrusted}
        shown = {p.route.path.name: p.certificate for p in self._probed if p.certificate}
        self.reference, others = compare(
            {name: answers[name] for name in self._names if name in answers}
        )
        self.others = {**others, **certificates(shown, untrusted)}
        self.ways = {"subflows": self._by_subflows(), "ranges": self._by_ranges()}
        self.healthy = bool(self._names) and self._names in self.ways.values()

    def name(self) -> Iterator[Finding]:
        """Say what the name was resolved to."""
        if self._outcomes.host.strip("[]") not in self._outcomes.addresses:
            addresses = ", ".join(self._outcomes.addresses)
            yield Finding("name", True, f"{self._outcomes.host} has the addresses {addresses}")

    def routes(self) -> Iterator[Finding]:
        """Tell of each path, one after the other."""
        if self._outcomes.around is not None:
            what, mend = self._outcomes.around
            yield Finding("vpn", False, what, mend, needed=False)
        told = set()
        for probed in sorted(self._probed, key=lambda p: self._names.index(p.route.path.name)):
            name = probed.route.path.name
            if not self._is_foreign(probed):
                yield self._connection(probed)
                yield from self._join(probed)
            last = [p for p in self._probed if p.route.path.name == name][-1]
            if probed is last and name not in told:
                told.add(name)
                yield from self._answer(name)

    def ranges(self) -> Iterator[Finding]:
        """Say whether the object can be had in parts, by a connection on each path."""
        if self.reference is None:
            return
        name, names = "ranges", self.ways["ranges"]
        why = self.reference.not_in_parts
        if why:
            mend = "a server that sends files as they are, with a length and a strong entity tag"
            what = f"the object can't be had in parts: {why}"
            yield Finding(name, False, what, mend, needed=False)
        elif names == self._names:
            what = "the object can be had in parts, by a connection on each path"
            yield Finding(name, True, what)
        else:
            yield Finding(name, True, f"the object can be had in parts, over {_and(names)} alone")

    def downloads(self) -> Iterator[Finding]:
        """Say what it all comes to."""
        if not self._outcomes.in_time:
            yield Finding("time", False, "not all could be tried in time", "--max-time SECONDS")
        name = "downloads"
        if self._names and self.ways["subflows"] == self._names:
            yield Finding(name, True, f"over {_and(self._names)}, by subflows (MPTCP)")
            return
        if self._names and self.ways["ranges"] == self._names:
            what = f"over {_and(self._names)}, by ranges (TCP)"
            if self.auto == "subflows":
                alone = _and(self.ways["subflows"])
                what += f" with --multipath ranges; `auto` takes MPTCP, over {alone} alone"
            yield Finding(name, True, what)
            return
        told = [f"by {way} over {_and(names)}" for way, names in self.ways.items() if names]
        answering = [p.route.path.name for p in self._probed if _reached(p)]
        if told:
            what = f"not over all paths, but {' or '.join(told)}"
        elif answering:
            what = f"over one path at a time ({_and(dict.fromkeys(answering))})"
        else:
            what = "not at all: no path reaches the server"
        yield Finding(name, False, what, "what is missing above")

    @property
    def auto(self) -> str:
        """What `--multipath auto` takes on the preferred path."""
        return "subflows" if self.ways["subflows"] else "ranges"

    def _by_subflows(self) -> tuple[str, ...]:
        """Name the paths of a connection that begins where the system chooses."""
        if not _in_control(self._machine.values()):
            return ()
        multipath = {p.route.path.name for p in self._probed if p.protocol is Protocol.MPTCP}
        joined = {p.route.path.name for p in self._probed if p.joined and p.joined.ok}
        first = next((p.route.path.name for p in self._probed if _reached(p)), "")
        answer = self._outcomes.answers.get(first)
        if first not in multipath or answer is None or answer.error:
            return ()
        return tuple(name for name in self._names if name == first or name in joined)

    def _by_ranges(self) -> tuple[str, ...]:
        if self.reference is None or self.reference.not_in_parts:
            return ()
        return tuple(
            name
            for name in self._names
            if name not in self.others
            and (answer := self._outcomes.answers.get(name)) is not None
            and not (answer.error or answer.not_in_parts)
        )

    def _is_foreign(self, probed: Probed) -> bool:
        """Tell whether somebody else answers there, so that what he has is nobody's concern."""
        other = self.others.get(probed.route.path.name)
        mptcp = probed.protocol is Protocol.MPTCP
        return other is not None and other.forged and not other.changing and not mptcp

    def _connection(self, probed: Probed) -> Finding:
        path, remote = probed.route.path, probed.route.remote
        where = f"{remote.host} port {remote.port}"
        if not _reached(probed):
            return self._unreached(probed, where)
        if probed.multipath is None:  # a finding of this machine says why
            return Finding(path.name, True, f"{where} answers{_seconds(probed)}")
        if probed.protocol is Protocol.MPTCP:
            return Finding(path.name, True, f"{where} speaks MPTCP{_seconds(probed)}")
        what, mend = self._without_mptcp(probed)
        return Finding(path.name, False, f"{where} {what}", mend)

    def _unreached(self, probed: Probed, where: str) -> Finding:
        name = probed.route.path.name
        came = probed.plain or probed.multipath
        error = came.error if came is not None else "there was no time"
        elsewhere = [p for p in self._probed if p.route.path.name == name and _reached(p)]
        others = [p.route.path.name for p in self._probed if _reached(p)]
        if f"rp_filter {name}" in self._machine:
            mend = loosen(name)
        elif elsewhere:
            mend = "nothing has to: the other address answers"
        elif not others:
            mend = "a server that runs and lets this port through, or a network that leads to it"
        else:
            mend = f"that network, or leave it out: mphttp get --path {others[0]}"
        what = f"{where} doesn't answer: {error}"
        return Finding(name, False, what, mend, needed=not elsewhere)

    def _without_mptcp(self, probed: Probed) -> tuple[str, str]:
        """Say why MPTCP was asked for and isn't spoken, and what mends it."""
        around = self._around
        if (disabled := self._machine.get("blackhole")) is not None:
            return "answers over plain TCP, since this kernel has turned MPTCP off", disabled.mend
        if probed.multipath is not None and not probed.multipath.ok:
            what = (
                f"answers plain TCP and not SYNs with MPTCP ({probed.multipath.error}): a "
                "middlebox on this path doesn't let them through"
            )
            return what, around
        if probed.protocol is Protocol.TCP_WITH_DATA:
            what = "speaks MPTCP until data flows: a middlebox changes it"
            return what, around
        speaks = [p for p in self._probed if p.protocol is Protocol.MPTCP]
        same = [p for p in speaks if p.route.remote == probed.route.remote]
        if same:
            what = (
                f"answers over plain TCP, though it speaks MPTCP over {same[0].route.path.name}: "
                "a middlebox on this path takes it out"
            )
            return what, around
        if speaks:
            host = speaks[0].route.remote.host
            return f"answers over plain TCP, though {host} of the same name speaks MPTCP", around
        return (
            "answers over plain TCP: it, or what is before it, has no MPTCP",
            _ON_SERVER,
        )

    @property
    def _around(self) -> str:
        return _RANGES if self.ways["ranges"] == self._names else _AROUND

    def _join(self, probed: Probed) -> Iterator[Finding]:
        name, joined = f"{probed.route.path.name} join", probed.joined
        if joined is None:
            return
        if joined.ok:
            yield Finding(name, True, f"a subflow opens beside a connection on {joined.base}")
        elif joined.elsewhere:
            yield Finding(name, False, f"none is opened: {joined.error}", joined.hint)
        elif not joined.tried:
            yield Finding(name, False, f"not tried: {joined.error}", needed=False)
        else:
            why = "" if probed.protocol is Protocol.MPTCP else ", for the same reason"
            what = f"no subflow joins a connection on {joined.base}{why}: {joined.error}"
            yield Finding(name, False, what, self._mend_join(probed))

    def _mend_join(self, probed: Probed) -> str:
        joined = [p.joined for p in self._probed if p.joined is not None and p.joined.tried]
        assert probed.joined is not None
        if len(joined) > 1 and not any(j.ok for j in joined):
            return (
                "on the server: ip mptcp limits set subflow 2; a load balancer before it has to "
                "know joins"
            )
        return self._around

    def _answer(self, name: str) -> Iterator[Finding]:
        answer = self._outcomes.answers.get(name)
        if answer is None:
            return
        kind = "portal" if name in self.others else "tls" if answer.tls else "answer"
        if name in self.others:
            yield self._portal(name, self.others[name])
        elif answer.error:
            mend = _TRUST if answer.untrusted else self._leave_out(name)
            yield Finding(f"{name} {kind}", False, _why(answer), mend)
        elif len(self._names) > 1:
            same = " as over the other paths" if len(self._outcomes.answers) > 1 else ""
            yield Finding(f"{name} answer", True, f"status {answer.status}{same}")

    def _leave_out(self, name: str) -> str:
        """Say how to do without a path for a while, if another one answers."""
        answers = self._outcomes.answers
        rest = [n for n in self._names if n != name and n not in self.others and n in answers]
        rest = [n for n in rest if not answers[n].error]
        return f"until then: mphttp get --path {rest[0]}" if rest else ""

    def _portal(self, name: str, other: Other) -> Finding:
        until = f"; {out}" if (out := self._leave_out(name)) else ""
        if not other.forged:
            mend = f"one server, or one content, behind the name{until}"
            return Finding(f"{name} answer", False, f"another answer: {other.what}", mend)
        if other.changing:
            what = f"it {other.what}: a page that changes, or a portal"
            return Finding(f"{name} answer", False, what, needed=False)
        what = f"something else answers on this path, such as a captive portal: it {other.what}"
        mend = f"log in to the network of {name} with a browser{until}"
        return Finding(f"{name} portal", False, what, mend)


def _why(answer: Answer) -> str:
    if answer.untrusted:
        return f"the certificate isn't trusted: {answer.error}"
    return f"no answer to a request: {answer.error}"


def _seconds(probed: Probed) -> str:
    came = [c for c in (probed.plain, probed.multipath) if c is not None and c.ok]
    return f", in {1e3 * min(c.seconds for c in came):.0f} ms"


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
