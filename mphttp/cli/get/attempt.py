"""One attempt: a request, and its answer written where it belongs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from datetime import UTC, datetime

import httpx

from mphttp import Report
from mphttp.ranges.fields import retry_after
from mphttp.ranges.resource import by_name
from mphttp.sampling import sampled_requests
from mphttp.strategies import Strategy

from ..environment import Environment
from ..exits import ExitCode, Failure
from ..interrupt import Limit, Waits
from ..printable import decoded, encoded, printable
from ..redirect import sent
from .authentication import authentication, proxy_authentication
from .body import Body
from .client import Client
from .conditions import modified, save_tag, time_condition
from .explain import Asked
from .jobs import Job
from .measured import Measured
from .outputs import named_by_server
from .pace import PacedStream
from .receiving import Receiving, Show
from .resume import (
    Answer,
    Append,
    AskAgain,
    Held,
    Refuse,
    Skip,
    StartOver,
    Whole,
    decide,
    range_fields,
    version_of,
)
from .retry import STATUSES, Busy
from .settings import Settings
from .verbose import Verbose, head, interim_heads, proxy_head


class Attempt:
    """One attempt at a download.

    Args:
        settings: what the command line asks for.
        environment: where it waits and tells.
        job: what is downloaded.
        strategy: when paths are opened, or None.
        limit: of the time that it may take.
        patient: tells whether another attempt follows if the server says "not now".
        remark: tells people what they should know.
        show: shows progress.

    Attributes:
        report: what happened, from the moment that the answer's head is there.
        response: the last answer, though its redirect may lead to none.
        needless: whether everything was there already.
        unmet: whether a condition (-z, --etag-compare) was not met, so that there is no body.
        heads: of all answers, if -D writes them to a file.
        measured: times, and bytes of heads.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        job: Job,
        *,
        strategy: Strategy | None,
        limit: Limit,
        patient: Callable[[Busy], bool],
        remark: Callable[[str], None],
        show: Show,
    ) -> None:
        self.report: Report | None = None
        self.response: httpx.Response | None = None
        self.needless = False
        self.unmet = False
        self.heads: list[bytes] = []
        self.measured = Measured()
        self._settings = settings
        self._environment = environment
        self._job = job
        self._strategy = strategy
        self._limit = limit
        self._patient = patient
        self._remark = remark
        self._verbose = Verbose(environment) if settings.verbose else None
        self._receiving = Receiving(
            settings,
            environment,
            job,
            limit=limit,
            remark=remark,
            show=show,
            verbose=self._verbose,
        )
        self._condition = time_condition(settings)
        self._url = job.message.url
        self._seen: list[bytes] = []
        self._proxy: str | None = None
        self._answered = False

    @property
    def asked(self) -> Asked:
        """What was under way last."""
        told = None if self._settings.backend == "curl" else self.measured.tunnelled
        return Asked(self._url, self._proxy, self._answered, told)

    def run(self, client: Client, body: Body) -> None:
        """Make the attempt.

        Raises:
            Failure: it didn't work.
            Exception: what the transport raised.
        """
        wanted = self._settings.samples or self._settings.plot is not None
        try:
            held = body.claim if self._job.message.resumable else None
            with sampled_requests() if wanted else nullcontext():
                again = self._exchange(client, body, held)
                if again is not None:
                    self._remark(f"{again.why}: starting over")
                    self._exchange(client, body, None)
        finally:
            self.measured.stamp("total")

    def leave_heads(self, body: Body) -> None:
        """Write what -i wants where no body follows, since the exchange has failed.

        Raises:
            Failure: it can't be written.
        """
        body.add_heads(self._heads())

    def _exchange(self, client: Client, body: Body, held: Held | None) -> AskAgain | None:
        message = self._job.message
        more = range_fields(held) if held else {}
        request = message.request(client, more, self._extensions(body))
        if (rate := self._settings.limit_rate) and isinstance(request.stream, httpx.SyncByteStream):
            request.stream = PacedStream(request.stream, rate, self._environment.sleep)

        def tell(message: httpx.Request | httpx.Response) -> None:
            if self._verbose:
                self._verbose.tell(message)
            if isinstance(message, httpx.Request):
                self._url, self._proxy = message.url, client.transport.proxy_of(message.url)
                self.measured.request(message)
            else:
                self.response = message
                self.measured.answer(message)
                self._seen.append(head(message))
                self._dump(head(message))

        self._answered = False
        self._seen = []
        asked = self._job.message
        response = sent(
            client.transport,
            request,
            follow=asked.follow,
            tell=tell,
            session=client.session,
            auth=authentication(asked),
            proxy_auth=proxy_authentication(client.transport),
        )
        with closing(response):
            self._answered = True
            self.measured.stamp("starttransfer")
            self.response, self.report = response, response.extensions["multipath"]
            self._check_status(response, body, ranged=held is not None)
            going_on = held is not None and self._job.resume is None
            if not going_on and self._unwanted(response):
                heads = self._heads()
                if heads:
                    body.start_over(None, heads)
                else:
                    body.leave()
                return None
            again = self._take(response, body, held)
            if again is None:
                self._keep(response, body)
            return again

    def _dump(self, head: bytes) -> None:
        """Take a head for -D; on stdout it stands before the body."""
        if self._twice:
            return  # -i writes it for both
        if self._settings.dump_header == "-":
            shown = self._environment.hand_out
            shown(decoded(head), own=False)
        elif self._settings.dump_header is not None:
            self.heads.append(head)

    def _unwanted(self, response: httpx.Response) -> bool:
        """Whether nothing came, so that a file that is there stays as it is.

        Where an attempt before has begun to receive it, no answer means that: bytes are missing.
        """
        if self._settings.head:
            return False
        condition, date = self._condition, modified(response)
        unmet = condition is not None and date is not None and not condition.met(date)
        self.unmet = response.status_code == 304 or (response.status_code == 200 and unmet)
        return self.unmet

    def _name(self, response: httpx.Response, body: Body) -> None:
        """Let the server name the file, where it may."""
        field = response.headers.get("content-disposition") if self._job.named else None
        name = named_by_server(field) if field else None
        if name is not None and name != os.path.basename(body.name):
            body.rename(name)

    def _keep(self, response: httpx.Response, body: Body) -> None:
        """Keep the date and the entity tag of an object that is here now."""
        date = modified(response)
        if self._settings.remote_time and date is not None:
            body.date(date)
        if self._settings.etag_save is not None:
            save_tag(self._settings.etag_save, response, self._environment)

    def _check_status(self, response: httpx.Response, body: Body, *, ranged: bool) -> None:
        code = response.status_code
        what = f"the server answered {code} {response.reason_phrase}".rstrip()
        busy = Busy(what, retry_after(response.headers.get("retry-after"), datetime.now(UTC)))
        if code in STATUSES and self._patient(busy):
            self._let_pass(response, body)
            raise busy
        if self._job.resume is not None:  # the file may only ever have the object itself
            if code not in ({200, 206, 416} if ranged else {200}):
                failed = ExitCode.HTTP if self._settings.fail else ExitCode.RANGE
                raise Failure(failed, what, "-L follows it" if 300 <= code < 400 else "")
        elif self._settings.fail and code >= 400 and not ranged:
            raise Failure(ExitCode.HTTP, what, "without -f, the answer's body says more")

    def _let_pass(self, response: httpx.Response, body: Body) -> None:
        """Write an answer that another attempt follows, where -i asks for all that comes."""
        heads = self._heads()
        if not heads or body.held.size or self._job.resume is not None:
            return
        body.start_over(None, heads)
        if not self._settings.fail:
            self._receive(response, body)
        body.let_pass()

    def _take(self, response: httpx.Response, body: Body, held: Held | None) -> AskAgain | None:
        # It is kept on disk, where passwords and signatures have no place.
        source = str(response.url.copy_with(userinfo=b"", query=None, fragment=None))
        answer = Answer(response.status_code, by_name(response.headers.raw), source)
        decision = decide(held, answer) if held else StartOver()
        match decision:
            case StartOver(why):
                if why:
                    self._remark(f"{why}: starting over")
                self._name(response, body)
                body.start_over(version_of(answer), self._heads())
                self._receive(response, body)
            case Append(stop, length):
                body.go_on(version_of(answer), self._heads_before(held))
                self._receive(response, body)
                _check_part(body, stop, length)
            case Skip(count, why):
                self._remark(f"{why}: the first {count} bytes are left out")
                body.go_on(version_of(answer), self._heads_before(held))
                self._receive(response, body, skip=count)
            case Whole():
                self.needless = True
                body.add_heads(self._heads_before(held))
                self._remark("everything is here already")
            case Refuse(why, status):
                code = ExitCode.HTTP if status else ExitCode.RANGE
                raise Failure(code, why)
            case AskAgain():
                return decision
        return None

    def _heads_before(self, held: Held | None) -> bytes:
        """Return the heads for a rest of a body; none in the middle of what this run writes."""
        return self._heads() if held is not None and held.found else b""

    @property
    def _shows_heads(self) -> bool:
        """Whether heads stand before the body."""
        return self._settings.include or self._settings.head

    @property
    def _twice(self) -> bool:
        """Whether -i and -D both write to stdout, where curl writes each line for both."""
        return self._shows_heads and self._settings.dump_header == self._job.output == "-"

    def _heads(self) -> bytes:
        """Return the heads that aren't written yet, as far as they are wanted."""
        heads = b"".join(self._seen) if self._shows_heads else b""
        self._seen = []
        if self._twice:
            heads = b"".join(line * 2 for line in heads.splitlines(keepends=True))
        if not self._receiving.on_terminal:
            return heads
        return encoded(printable(decoded(heads.replace(b"\r\n", b"\n"))))

    def _receive(self, response: httpx.Response, body: Body, skip: int = 0) -> None:
        report = self.report
        assert report is not None  # it comes with the head
        self._receiving.run(response, report, body, skip)
        if trailers := b"".join(response.extensions.get("raw_trailers", ())):
            self._seen.append(trailers)
            self._dump(trailers)
            body.add_heads(self._heads())
            if self._verbose:
                self._verbose.lines(trailers)

    def _extensions(self, body: Body) -> dict[str, object]:
        as_it_comes = not (self._settings.include or self._job.message.compressed)
        return {
            **({"place": body.place} if as_it_comes and body.place is not None else {}),
            **({"strategy": self._strategy} if self._strategy is not None else {}),
            "timeout": Waits(self._limit, connect=self._settings.connect_timeout or None),
            "trace": self._trace,
            "http10": self._job.message.http10,
        }

    def _trace(self, event: str, told: Mapping[str, object]) -> None:
        """Take what happens on the way to an answer (httpcore's trace extension)."""
        self.measured.trace(event)
        if heads := interim_heads(event, told):
            self._seen.append(heads)
            self._dump(heads)
        answer = proxy_head(event, told)
        if not answer:
            return
        self.measured.proxy_answer(answer)
        if self._verbose:
            self._verbose.lines(answer)
        if not self._settings.suppress_connect_headers:
            self._seen.append(answer)
            self._dump(answer)

    def tell_events(self) -> None:
        """Tell what happened to the paths since, if that is wanted."""
        if self._verbose and self.report is not None:
            self._verbose.events(self.report)


def _check_part(body: Body, stop: int, length: int | None) -> None:
    size = body.held.size
    if size > stop:
        body.take_back(stop)
        what = f"the server sent {size - stop} bytes more than the part that it named"
        raise Failure(ExitCode.TRUNCATED, what)
    if size < (length or stop):
        what = f"the server sent a part only, up to {size} of {length or stop} bytes"
        raise Failure(ExitCode.TRUNCATED, f"the body isn't whole: {what}")
