"""`mphttp get`: one download after the other, or several at once, and what is written of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from mphttp.report import Report
from mphttp.strategies import Strategy

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..interrupt import Stop, TimeIsOver, stoppable, time_limit
from ..printable import encoded
from .board import Board
from .choice import absent, chosen_strategy
from .client import Client, make_client, paths
from .download import Download
from .explain import late
from .facts import Told, told, variables
from .jobs import Job, jobs
from .options import read
from .parallel import Workers
from .record import write_report
from .session import Session, make_session, write_jar
from .settings import Settings
from .sink import said
from .target import target
from .writeout import Format, Piece


def run(words: Sequence[str], environment: Environment, *, sends: bool = False) -> int:
    """Read the words of a command line, and do what they ask for.

    Args:
        words: of the command line.
        environment: where it reads and writes.
        sends: whether it is that of `mphttp put`, whose first word is a file.

    Returns:
        0, or the exit code of the last download that failed.

    Raises:
        Told: they ask for help.
        Failure: they can't be understood.
    """
    code, session = 0, Session()
    for settings in read(words, environment, sends=sends):
        try:
            with _in_time(settings):
                session = make_session(settings, environment, session)
            code = download(settings, environment, session) or code
        except Failure as failure:
            if not _quiet(settings):
                raise
            return failure.code
    return code


def download(settings: Settings, environment: Environment, session: Session) -> int:
    """Download, and write the report whatever came of it.

    Returns:
        0, or the exit code of the last download that failed.

    Raises:
        Failure: the command line can't be used.
    """
    # All that can be wrong with the command line is found before the first packet leaves.
    with _in_time(settings):
        asked = jobs(settings, environment)
        written = _format(settings, environment)
    if settings.interface is not None and (words := next(absent(paths(settings)), None)):
        what, _, hint = words.removeprefix("warning: ").partition("\nhint: ")
        raise Failure(ExitCode.INTERFACE, what, hint)
    strategy = chosen_strategy(settings)
    if not settings.silent:
        for words in absent(paths(settings)):
            environment.say(words)
    with stoppable(), make_client(settings, strategy, environment, session) as client:
        return Command(settings, environment, strategy, written).run(asked, client)


@contextmanager
def _in_time(settings: Settings) -> Iterator[None]:
    """Limit what is read and written beside the transfers, which may be pipes, too.

    Raises:
        Failure: the time is over.
    """
    try:
        with time_limit(settings.max_time):
            yield
    except TimeIsOver as error:
        raise late() from error


def _quiet(settings: Settings) -> bool:
    return settings.silent and not settings.show_error


class Command:
    """The downloads of one command line.

    Args:
        settings: what the command line asks for.
        environment: where it reads and writes.
        strategy: when paths are opened, or None.
        written: what `-w` writes after each, or None.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        strategy: Strategy | None,
        written: Format | None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._strategy = strategy
        self._written = written
        self._told: dict[int, Told] = {}
        self._heads: dict[int, list[bytes]] = {}
        self._begun: set[str] = set()
        self._began = time.monotonic()
        self._stop = Stop()
        self._board = Board(0)
        self._writing = threading.Lock()

    def run(self, asked: list[Job], client: Client) -> int:
        """Do one download after the other, or several at once, and write the report in any case.

        Returns:
            0, or the exit code of the last that failed.
        """
        self._board = Board(len(asked))
        try:
            code = self._at_once(asked, client) if self._parallel else self._in_turn(asked, client)
        finally:
            jar = partial(self._jar, client)
            unreported = self._written_after(jar, self._dump, self._report, self._plot)
        return code or unreported

    @property
    def _parallel(self) -> bool:
        return self._settings.parallel

    def _in_turn(self, asked: list[Job], client: Client) -> int:
        code = 0
        for job in asked:
            code = self._one(job, client) or code
            if code and self._settings.fail_early:
                break
        return code

    def _at_once(self, asked: list[Job], client: Client) -> int:
        settings = self._settings
        workers = Workers(settings.parallel_max, self._stop, fail_early=settings.fail_early)
        with self._progress():
            return workers.run(asked, partial(self._one, client=client))

    def _progress(self) -> AbstractContextManager[None]:
        settings, environment = self._settings, self._environment
        unwanted = settings.silent or settings.no_progress_meter or settings.verbose
        if unwanted or not environment.stderr.isatty():
            return nullcontext()
        from .progress import board_shown

        return board_shown(self._board, environment)

    def _show(self, job: Job, report: Report) -> AbstractContextManager[None]:
        if self._parallel:
            return self._board.shown(job, report)
        from .progress import shown

        return shown(report, self._environment)

    def _one(self, job: Job, client: Client) -> int:
        environment = self._environment
        if self._parallel:
            environment = replace(environment, sleep=self._stop.sleep)
        download = Download(
            self._settings,
            environment,
            job,
            self._strategy,
            show=self._show,
            stop=self._stop,
            began=self._began if self._settings.one_deadline else None,
        )
        code = 0
        try:
            download.run(client)
        except Failure as failure:
            self._say(failure, str(job.message.url.copy_with(userinfo=b"", query=None)))
            code = failure.code
        finally:
            self._board.ended(code)
            self._heads[job.number] = download.heads
            if self._settings.report is not None or self._settings.plot is not None:
                self._told[job.number] = told(download)
        with self._writing:
            unwritten = self._written_after(lambda: self._write_out(download))
        return code or unwritten

    def _written_after(self, *writers: Callable[[], None]) -> int:
        code = 0
        for write in writers:
            try:
                with _in_time(self._settings):
                    write()
            except Failure as failure:
                self._say(failure)
                code = failure.code
        return code

    def _jar(self, client: Client) -> None:
        if self._settings.cookie_jar is not None:
            write_jar(client.session, self._settings.cookie_jar, self._environment)

    def _dump(self) -> None:
        name = self._settings.dump_header
        if name is not None and name != "-":
            with target(name, self._environment) as sink:
                heads = (head for _, those in sorted(self._heads.items()) for head in those)
                sink.write(b"".join(heads))

    def _report(self) -> None:
        if self._settings.report is not None:
            write_report(self._settings.report, self._reports(), self._environment)

    def _reports(self) -> list[Told]:
        return [told for _, told in sorted(self._told.items())]

    def _plot(self) -> None:
        # Of what failed before the body, or was there already, there is nothing to be seen.
        first = next(iter(self._reports()), None)
        if self._settings.plot is not None and first and first.get("samples"):
            from ..plot.command import write_picture

            write_picture(self._settings.plot, first, self._environment)

    def _say(self, failure: Failure, url: str = "") -> None:
        if _quiet(self._settings):
            return
        # Of several at once, nobody could tell whose it is.
        what = f"{url}: {failure.what}" if url and self._parallel else failure.what
        self._environment.say(str(Failure(failure.code, what, failure.hint)))

    def _write_out(self, download: Download) -> None:
        if self._written is None:
            return
        for piece in self._written.written(variables(download)):
            if piece.stream == "file":
                self._append(piece)
                continue
            on_stderr = piece.stream == "stderr"
            self._environment.hand_out(piece.text, own=piece.own, on_stderr=on_stderr)

    def _append(self, piece: Piece) -> None:
        """Write to a file of -w; what %output{} names begins anew, unless by >>."""
        name = piece.file.removeprefix(">>")
        grows = piece.file.startswith(">>") or name in self._begun
        self._begun.add(name)
        with said(name), open(name, "ab" if grows else "wb") as file:
            file.write(encoded(piece.text))


def _format(settings: Settings, environment: Environment) -> Format | None:
    given = settings.write_out
    if given is None:
        return None
    made = Format(_read(given[1:], environment) if given.startswith("@") else given)
    for unknown in () if settings.silent else made.unknown:
        environment.say(f"warning: -w: {unknown}\nhint: {unknown.hint}")
    return made


def _read(name: str, environment: Environment) -> str:
    try:
        data = environment.stdin.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Failure(ExitCode.READ, f"{name} can't be read: {error.strerror or error}") from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise usage(f"-w: {name} is no text: {error}") from error
