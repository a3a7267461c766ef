"""What is here of one body, whichever attempt brought it, and where it goes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mphttp.ranges.store import Place

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from .jobs import Job
from .notes import Notes
from .resume import Held, Version
from .sink import Sink, free_name, said
from .target import growing_file, is_stream, remove_if_empty, target

_BLOCK = 1 << 20


class Body:
    """The bytes of one body, as they are written.

    Args:
        sink: takes them.
        held: those that are there already.
        notes: keeps their version for another run, or None.
        sha256: the digest that they should have in the end, or None.
    """

    def __init__(self, sink: Sink, held: Held, notes: Notes | None, sha256: str | None) -> None:
        self.held = held
        self._head = 0
        self._before = 0
        self._sink = sink
        self._notes = notes
        self._wanted = sha256
        self._hash = hashlib.sha256() if sha256 is not None else None
        if self._hash is not None and held.size:
            self._hash_file(held.size)

    @property
    def place(self) -> Place | None:
        """Where parts of a body that begins now may be put before their turn, or None."""
        return None if self.held.size or self._head else self._sink.place

    @property
    def claim(self) -> Held | None:
        """What is there and may be continued, or None if a body has to begin at its first byte."""
        held = self.held
        return held if held.size and (held.version is not None or held.found) else None

    def can_go_on(self, *, resumable: bool) -> bool:
        """Whether another attempt can lead to a body with no byte lost or repeated.

        Args:
            resumable: whether the rest of the body can be asked for.
        """
        untouched = not self.held.size and self._head == self._before
        return self.held.rewindable or untouched or (resumable and self.claim is not None)

    def start_over(self, version: Version | None, heads: bytes = b"") -> None:
        """Take back what is there; a body of a version begins.

        Args:
            version: of the bytes that follow, or None.
            heads: what stands before the body and is no part of it.

        Raises:
            Failure: it can't be written.
        """
        if self._notes is not None:
            self._notes.remove()  # first: a note must never stand beside bytes of another version
        if self.held.rewindable:
            self._sink.cut(self._before)
        self._head = self._before
        self.held = Held(0, version, rewindable=self.held.rewindable)
        if self._notes is not None and version is not None:
            self._notes.write(version)
        if self._hash is not None:
            self._hash = hashlib.sha256()
        self.add_heads(heads)

    def go_on(self, version: Version | None, heads: bytes = b"") -> None:
        """Let what follows be appended; bytes of an unknown version become those of this one.

        Args:
            version: of what follows, or None.
            heads: what stands before it and is no part of it; only where nothing is taken back.

        Raises:
            Failure: it can't be written.
        """
        self.held = replace(self.held, version=self.held.version or version)
        if self._notes is not None and self._notes.kept and self.held.version is not None:
            self._notes.write(self.held.version)  # of a file that changes from here on
        if self.held.rewindable:
            self._sink.cut(self._head + self.held.size)
        self.add_heads(heads)

    def add_heads(self, heads: bytes) -> None:
        """Write what is no part of the body.

        Raises:
            Failure: it can't be written.
        """
        self._head += len(heads)
        self._sink.write(heads)

    def let_pass(self) -> None:
        """Leave a whole answer where it is, since that of another attempt follows, as in curl.

        A file gives it back if it has more than heads.

        Raises:
            Failure: that can't be done.
        """
        self._before = self._head + self.held.size
        if self.held.rewindable and self.held.size:
            self._sink.cut(0)
            self._before = 0
        self._head = self._before
        self.held = Held(0, rewindable=self.held.rewindable)

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            Failure: they can't be written.
        """
        self._sink.write(data)
        if self._hash is not None:
            self._hash.update(data)
        size = self.held.size + len(data)
        # What comes from here on, the user has not vouched for.
        self.held = Held(size, self.held.version, rewindable=self.held.rewindable)

    def take_back(self, size: int) -> None:
        """Drop what was written beyond a size; such bytes were wrong."""
        if self.held.rewindable:
            self._sink.cut(self._head + size)
            self.held = replace(self.held, size=size)

    def keep(self, url: str) -> str | None:
        """Leave what there is under a name that `-C -` goes on from, and return that name.

        Args:
            url: that was asked for.

        Returns:
            None if nobody could go on from it: nothing says of which version it is.
        """
        if not self.held.size or self._head or self.held.version is None:
            return None
        if self._notes is not None:
            return self._sink.name if self._notes.kept else None
        name = self._sink.keep()
        if name is not None:
            notes = Notes(name, self._sink.descriptor, url)
            notes.write(self.held.version)
            notes.settle()
        return name

    @property
    def name(self) -> str:
        """Where it goes."""
        return self._sink.name

    def leave(self) -> None:
        """Let what is there stay: nothing has come that would replace it."""
        self._sink.unwanted = True

    def rename(self, name: str) -> None:
        """Give the file another name in the same folder.

        Raises:
            Failure: there is such a file.
        """
        self._sink.rename(name)

    def date(self, modified: float) -> None:
        """Give the file a time of its last change, in seconds since 1970."""
        self._sink.modified = modified

    def finish(self) -> str | None:
        """Hold the whole body against its digest, and return that.

        Raises:
            Failure: it is another one.
        """
        if self._sink.unwanted:
            return None
        digest = self._hash.hexdigest() if self._hash is not None else None
        if digest != self._wanted:
            what = f"the body's SHA-256 is {digest}, not {self._wanted}"
            raise Failure(ExitCode.DIGEST, what, "the server has another object than you expect")
        if self._notes is not None:
            self._notes.remove()
        return digest

    def _hash_file(self, size: int) -> None:
        assert self._hash is not None
        offset = 0
        with said(self._sink.name):
            while block := os.pread(self._sink.descriptor, min(size - offset, _BLOCK), offset):
                self._hash.update(block)
                offset += len(block)


@contextmanager
def opened(job: Job, environment: Environment, *, heads: bool) -> Iterator[Body]:
    """Open where a body goes.

    Args:
        job: what is downloaded.
        environment: where stdout is.
        heads: whether heads are written, too, so that what there is isn't the body alone.

    Raises:
        Failure: it can't be written.
    """
    if job.folders and not is_stream(job.output):
        with said(job.output):
            os.makedirs(os.path.dirname(job.output) or ".", 0o750, exist_ok=True)
    name = job.output if job.clobbers or is_stream(job.output) else free_name(job.output)
    resume = job.resume
    if resume is None:
        with target(name, environment) as sink:
            yield Body(sink, Held(0, rewindable=sink.rewindable), None, job.sha256)
    elif is_stream(job.output):
        with target(job.output, environment) as sink:
            yield Body(sink, _vouched(int(resume)), None, job.sha256)
    elif heads:
        with growing_file(job.output, appends=True) as sink:
            size = os.fstat(sink.descriptor).st_size if resume == "-" else int(resume)
            yield Body(sink, _vouched(size), None, job.sha256)
    else:
        with _growing(job, resume) as body:
            yield body


def _vouched(size: int) -> Held:
    """Return what the user says is here; nobody looks at it, and nothing of it is taken back."""
    return Held(size, found=True, vouched=True, rewindable=False)


@contextmanager
def _growing(job: Job, resume: int | str) -> Iterator[Body]:
    with growing_file(job.output) as sink:
        size = os.fstat(sink.descriptor).st_size
        if resume != "-" and int(resume) > size:
            what = f"{job.output} has {size} bytes, so it can't be continued at {resume}"
            raise usage(what, "-C - continues where it ends")
        vouched = resume != "-"
        notes = Notes(job.output, sink.descriptor, str(job.message.url))
        held = Held(int(resume) if vouched else size, notes.read(), found=True, vouched=vouched)
        body = Body(sink, held, notes, job.sha256)
        try:
            yield body
        except BaseException as error:
            if job.removes or (isinstance(error, Failure) and error.code is ExitCode.DIGEST):
                sink.cut(0)
                remove_if_empty(job.output, sink.descriptor)
                notes.remove()
                raise
            notes.settle()
            if isinstance(error, Failure) and body.held.size and notes.kept:
                error.hint = f"run it again to go on after {body.held.size} bytes"
            raise
