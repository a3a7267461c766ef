"""What stands beside a half-written file, in it, and what a server makes of `mphttp get -C -`."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st

from mphttp.cli import main
from mphttp.cli.environment import Environment
from mphttp.cli.exits import ExitCode
from mphttp.cli.get.notes import Notes, side_name
from mphttp.cli.get.resume import Version

from ..mphttp.cli.raw import raw_server
from .conftest import Fuzz

URL = "http://127.0.0.1/x"
GENUINE = Version(URL, '"one"', 1000)


@contextmanager
def partial_file(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        path.write_bytes(data)
        yield path


def known(path: Path, url: str) -> Version | None:
    if not path.exists():
        return None
    with path.open("r+b") as file:
        return Notes(str(path), file.fileno(), url).read()


def test_notes(fuzz: Fuzz[bytes]) -> None:
    """Whatever a note is made of, it tells what was noted or nothing."""
    with partial_file(b"partial") as path, path.open("r+b") as file:
        notes = Notes(str(path), file.fileno(), URL)
        side = Path(side_name(str(path)))
        notes.write(GENUINE)
        moving = side.read_bytes()
        notes.settle()
        settled = side.read_bytes()

        def read(note: bytes) -> None:
            side.write_bytes(note)
            assert notes.read() in (None, GENUINE)

        assert notes.read() == GENUINE
        told = json.loads(settled)
        values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
        nested = st.recursive(values, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
        others = st.fixed_dictionaries({}, optional=dict.fromkeys(told, nested)).map(
            lambda fields: json.dumps({**told, **fields}).encode()
        )
        fuzz(st.sampled_from([settled, moving]) | st.binary(max_size=200) | others, read)


LENGTHS = (1000, 1000, 700)
BODIES = [hashlib.shake_256(bytes([n])).digest(length) for n, length in enumerate(LENGTHS)]
DATE = "Date: Mon, 30 Nov 2026 12:00:00 GMT"
VALIDATORS = {
    "strong": lambda n: f'ETag: "{n}"',
    "odd": lambda n: f'ETag: "\xe9{n}\xff"',
    "weak": lambda n: f'ETag: W/"{n}"',
    "date": lambda n: f"{DATE}\r\nLast-Modified: Mon, 30 Nov 2026 1{n}:00:00 GMT",
    "fresh": lambda n: f"{DATE}\r\nLast-Modified: Mon, 30 Nov 2026 11:59:5{n} GMT",
    "none": lambda _: "X: y",
}
HONEST = "honest"
KINDS = (
    HONEST,
    HONEST,
    "whole",
    "careless",
    "another part",
    "nameless",
    "odd part",
    "other total",
    "surplus",
    "satisfied",
    "busy",
    "silence",
)


@dataclass(frozen=True)
class Answer:
    """What the server does for one request.

    Args:
        kind: how.
        version: of the object from now on.
        breaks: bytes of the body after which the connection ends, or None.
    """

    kind: str
    version: int
    breaks: int | None


@dataclass(frozen=True)
class Turn:
    """One run of the command.

    Args:
        answers: of the server, in order; it is honest then.
        tamper: what happens before to the file or its note.
        data: what is written then.
    """

    answers: list[Answer]
    tamper: str
    data: bytes


@dataclass
class Origin:
    """A server that does as it is told, and never sends a byte of an object at a wrong place."""

    validator: str
    answers: list[Answer] = field(default_factory=list)
    version: int = 0

    def __call__(self, head: bytes, connection: socket.socket) -> None:
        answer = self.answers.pop(0) if self.answers else Answer(HONEST, self.version, None)
        self.version = answer.version
        data = self._answer(head.decode("latin-1"), answer.kind)
        connection.sendall(data if answer.breaks is None else data[: answer.breaks])
        if answer.breaks is not None or answer.kind == "silence":
            connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, head: str, kind: str) -> bytes:
        asked = re.search(r"range: bytes=(\d+)-", head, re.IGNORECASE)
        match kind:
            case "busy":
                return self._head("503 Busy", b"busy")
            case "silence":
                return b""
            case "satisfied" if asked:
                return self._head("416 Range", b"", f"Content-Range: bytes */{int(asked[1]) + 1}")
        if asked is None or kind == "whole" or not (kind == "careless" or self._current(head)):
            return self._head("200 OK", BODIES[self.version], self._tag)
        return self._part(int(asked[1]), kind)

    @property
    def _tag(self) -> str:
        return VALIDATORS[self.validator](self.version)

    def _current(self, head: str) -> bool:
        condition = re.search(r"if-range: (.*)", head, re.IGNORECASE)
        return condition is None or condition[1].strip() in self._tag

    def _part(self, first: int, kind: str) -> bytes:
        body = BODIES[self.version]
        if first >= len(body):
            return self._head("416 Range", b"", f"Content-Range: bytes */{len(body)}")
        first = first // 2 if kind == "another part" else first
        span = {
            "nameless": "X: y",
            "odd part": f"Content-Range: bytes={first}-{len(body)}/{len(body)}",
            "other total": f"Content-Range: bytes {first}-{len(body) - 1}/{len(body) + 10}",
        }.get(kind, f"Content-Range: bytes {first}-{len(body) - 1}/{len(body)}")
        surplus = b"surplus" if kind == "surplus" else b""
        return self._head("206 Partial", body[first:], self._tag, span) + surplus

    def _head(self, status: str, body: bytes, *fields: str) -> bytes:
        lines = (f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", "")
        return "\r\n".join(lines).encode("latin-1") + body


def tampered(path: Path, turn: Turn, url: str) -> None:
    side = Path(side_name(str(path)))
    match turn.tamper:
        case "killed":  # what is noted while bytes come
            with path.open("ab") as file:
                notes = Notes(str(path), file.fileno(), url)
                if (version := notes.read()) is not None:
                    notes.write(version)
        case "note":
            side.write_bytes(turn.data)
        case "damaged" if side.exists():
            note = bytearray(side.read_bytes())
            for at in turn.data:
                note[at % len(note)] ^= 1 << at % 8
            side.write_bytes(note)
        case "forgotten":
            side.unlink(missing_ok=True)
        case "another":
            path.unlink(missing_ok=True)
            path.write_bytes(turn.data)
        case "written" if path.exists():
            path.write_bytes(turn.data)
        case "longer" if path.exists():
            with path.open("ab") as file:
                file.write(turn.data)
        case "shorter" if path.exists():
            os.truncate(path, path.stat().st_size // 2)


def went_on(path: Path, url: str) -> tuple[int, str]:
    words = io.StringIO()
    environment = Environment(io.BytesIO(), io.BytesIO(), words, {}, lambda _: "", lambda _: None)
    options = ("-k", "-C", "-", "--retry", "1", "--max-time", "20", "-o", str(path))
    return main(["get", *options, url], environment), words.getvalue()


answers = st.builds(
    Answer,
    st.sampled_from(KINDS),
    st.integers(0, len(BODIES) - 1),
    st.none() | st.integers(0, 1300),
)
tampers = (
    "",
    "",
    "killed",
    "note",
    "damaged",
    "forgotten",
    "another",
    "written",
    "longer",
    "shorter",
)
turns = st.builds(
    Turn, st.lists(answers, max_size=3), st.sampled_from(tampers), st.binary(max_size=300)
)
stories = st.tuples(st.sampled_from(sorted(VALIDATORS)), st.lists(turns, min_size=1, max_size=3))


def test_resumed_downloads(fuzz: Fuzz[tuple[str, list[Turn]]]) -> None:
    """What is called whole is one version of the object, and the last run always gets there."""

    def live(story: tuple[str, list[Turn]]) -> None:
        validator, turns = story
        origin = Origin(validator)
        with raw_server(origin) as server, partial_file(b"") as path:
            for turn in [*turns, Turn([], "", b"")]:
                tampered(path, turn, server.url)
                origin.answers = list(turn.answers)
                version = known(path, server.url)
                code, words = went_on(path, server.url)
                assert code not in (ExitCode.BUG, ExitCode.TIMEOUT), words
                # Of bytes of which nothing is known, the length is believed, as curl does.
                believed = "everything is here already" in words and version is None
                if code == 0 and not believed:
                    assert path.read_bytes() in BODIES, words
                    assert not Path(side_name(str(path))).exists()
            assert code == 0, words

    fuzz(stories, live, examples=20)
