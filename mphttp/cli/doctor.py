"""`mphttp doctor`: what this machine and a server can do, and what mends the rest."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mphttp.kernel import Finding, Path, SocketAddress, findings, paths_to

from .environment import Environment
from .exits import ExitCode, Failure
from .printable import json_text
from .reach import Reached, not_in_parts, reach
from .url import parse_url, resolved

_ELSEWHERE = (SocketAddress("192.0.2.1", 443), SocketAddress("2001:db8::1", 443))
"""Addresses that are nobody's (RFC 5737, RFC 3849): what reaches them reaches the Internet."""


@dataclass(frozen=True)
class Diagnosis:
    """All that was found.

    Args:
        findings: on this machine.
        paths: towards the server, or the Internet.
        server: what came of connections to the server; None if none was named.
        not_in_parts: why what the URL names can't be had in parts, "" if it can; None if that
            wasn't looked at, since all speak MPTCP or none answers.
    """

    findings: Sequence[Finding]
    paths: Sequence[Path]
    server: Sequence[Reached] | None
    not_in_parts: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether subflows can be opened and closed, and the server takes them; or parts do."""
        if self.not_in_parts == "":
            return True
        speaks = self.server is None or any(r.protocol == "mptcp" for r in self.server)
        return speaks and all(finding.ok for finding in self.findings if finding.needed)

    def lines(self) -> Iterator[str]:
        """Tell it to people."""
        for finding in self.findings:
            yield f"{_state(finding):8} {finding.name}: {finding.meaning}"
            if finding.mend:
                yield f"{'':8} fix: {finding.mend}"
        if self.server is None:
            yield from (f"{'path':8} {path.name}: from {path.address}" for path in self.paths)
            if not self.paths:
                yield f"{'missing':8} path: no interface has a route to the Internet"
        for reached in self.server or ():
            yield from _server_lines(reached)
        if self.not_in_parts == "":
            yield f"{'ok':8} ranges: the object can be had in parts, by a connection on each path"
        elif self.not_in_parts is not None:
            yield f"{'optional':8} ranges: the object can't be had in parts: {self.not_in_parts}"

    def to_dict(self) -> dict[str, Any]:
        """Tell it to programs."""
        told: dict[str, Any] = {
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "paths": [asdict(path) for path in self.paths],
        }
        if self.server is not None:
            told["server"] = [
                {
                    "path": reached.path.name,
                    "local": reached.path.address,
                    "remote": list(reached.remote),
                    "protocol": reached.protocol,
                    "error": reached.error,
                }
                for reached in self.server
            ]
        if self.not_in_parts is not None:
            told["in_parts"] = not self.not_in_parts
            told["not_in_parts"] = self.not_in_parts
        return told


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp doctor`."""
    parser.epilog = (
        f"exit codes: {ExitCode.OK.value}, all is there for full control of the paths; "
        f"{ExitCode.MISSING.value}, something is missing"
    )
    parser.add_argument("url", nargs="?", metavar="URL", help="connect to this server, too")
    parser.add_argument("--json", action="store_true", help="tell it as JSON")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Look at everything, and say what was found.

    Raises:
        Failure: the URL can't be used, or its name can't be resolved.
    """
    diagnosis = _diagnose(arguments.url)
    text = json_text(diagnosis.to_dict(), 2) if arguments.json else "\n".join(diagnosis.lines())
    environment.write(text + "\n")
    return ExitCode.OK if diagnosis.healthy else ExitCode.MISSING


def _diagnose(url: str | None) -> Diagnosis:
    if url is None:
        paths = [path for remote in _ELSEWHERE for path in paths_to(remote)]
        return Diagnosis(findings(), paths, None)
    server = _reached(url)
    protocols = {reached.protocol for reached in server}
    parts = not_in_parts(url) if "tcp" in protocols else None
    return Diagnosis(findings(), [reached.path for reached in server], server, parts)


def _reached(text: str) -> list[Reached]:
    url = parse_url(text)
    server = list(reach(resolved(url)))
    if not server:
        raise Failure(
            ExitCode.CONNECT, f"no path leads to {url.host}", "mphttp doctor lists the paths"
        )
    return server


def _state(finding: Finding) -> str:
    if finding.ok:
        return "ok"
    return "missing" if finding.needed else "optional"


def _server_lines(reached: Reached) -> Iterator[str]:
    where = f"{reached.path.name}: {reached.remote.host} port {reached.remote.port}"
    match reached.protocol:
        case "mptcp":
            yield f"{'ok':8} {where} speaks MPTCP"
        case "tcp":
            yield f"{'missing':8} {where} answers over plain TCP"
            yield f"{'':8} fix: MPTCP on the server, such as: mptcpize run nginx"
        case _:
            yield f"{'missing':8} {where} doesn't answer: {reached.error}"
