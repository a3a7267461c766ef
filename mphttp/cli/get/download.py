"""One download: as many attempts as it takes, or as it may."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

from mphttp.strategies import Strategy

from ..environment import Environment
from ..exits import ExitCode, Failure
from ..interrupt import Limit, Stop, Stopped, TimeIsOver, time_limit
from ..units import words_for_size
from .attempt import Attempt
from .bars import summary
from .body import Body, opened
from .choice import hurried
from .client import Client
from .explain import explain, late
from .jobs import Job
from .limited import Limited
from .receiving import Show
from .retry import Busy, Retry
from .settings import Settings


class Download:
    """What `mphttp get` does for one URL.

    Args:
        settings: what the command line asks for.
        environment: where it reads, writes and waits.
        job: what is downloaded.
        strategy: when paths are opened, or None.
        show: shows progress.
        stop: ends it from outside.
        began: when its deadline begins, of `time.monotonic`; None is now.

    Attributes:
        job: what is downloaded.
        output: the name of the file, as it is in the end.
        heads: of all answers, for -D.
        strategy: when paths are opened, or None.
        attempt: the last one, or None while none has begun.
        remarks: what people were told on the way.
        retries: attempts after the first.
        sha256: of the whole body, if it was asked for.
        failure: what ended it, or None.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        job: Job,
        strategy: Strategy | None,
        *,
        show: Show,
        stop: Stop,
        began: float | None = None,
    ) -> None:
        self.job = job
        self.output = job.output
        self.heads: list[bytes] = []
        self.strategy = strategy
        self.attempt: Attempt | None = None
        self.remarks: list[str] = []
        self.retries = 0
        self.sha256: str | None = None
        self.failure: Failure | None = None
        self._settings = settings
        self._environment = environment
        self._began = time.monotonic()
        self._deadline_began = began or self._began
        self._show = show
        self._stop = stop
        self._seconds: float | None = None
        self._retry = Retry(
            settings.retry,
            settings.retry_delay or None,  # 0 is curl's word for the default, as with max_time
            settings.retry_max_time or None,
            settings.retry_all_errors,
            settings.max_time,
        )

    def run(self, client: Client) -> None:
        """Download.

        Raises:
            Failure: it didn't work; without -C nothing is left under the target's name then.
        """
        try:
            self._download(client)
            self._conclude()
        except Failure as failure:
            self.failure = failure
            raise
        finally:
            self._seconds = self.seconds

    @property
    def seconds(self) -> float:
        """Seconds from the beginning of the first attempt to the end, or to now."""
        return time.monotonic() - self._began if self._seconds is None else self._seconds

    @property
    def deadline_met(self) -> bool | None:
        """Whether the whole body was there in time, over all attempts; None without a deadline."""
        report = self.attempt.report if self.attempt else None
        deadline = self.strategy.deadline if self.strategy else None
        if deadline is None:
            return None
        if self.failure is not None and self.failure.code is not ExitCode.LATE:
            return False
        before = self._began - self._deadline_began
        if before or self.retries or (self.attempt is not None and self.attempt.needless):
            return before + self.seconds <= deadline
        return report is not None and report.deadline is not None and bool(report.deadline.met)

    def _download(self, client: Client) -> None:
        """Make attempts, each within the time limit; all that is opened and written counts, too."""
        try:
            with (
                time_limit(self._settings.max_time, self._stop) as limit,
                opened(self.job, self._environment, heads=self._settings.include) as body,
            ):
                with self._kept(body):
                    self._attempts(client, body, limit)
                self.output = body.name
                self.sha256 = body.finish()
        except TimeIsOver as error:
            raise late() from error

    @contextmanager
    def _kept(self, body: Body) -> Iterator[None]:
        """Keep what is there where a signal ends it, and say how to go on."""
        try:
            yield
        except (KeyboardInterrupt, Stopped):
            message = self.job.message
            name = body.keep(str(message.url)) if message.resumable else None
            if name is not None and not self._settings.silent:
                size = words_for_size(body.held.size)
                how = f"the same command with -C - -o {shlex.quote(name)} goes on from there"
                self._environment.say(f"note: {name} has the first {size}\nhint: {how}")
            raise

    def _attempts(self, client: Client, body: Body, limit: Limit) -> None:
        for tried in count():
            self.retries = tried
            try:
                self._try(client, body, limit)
            except Failure as failure:
                wait = self._wait(failure, body)
                if wait is None:
                    self._leave_heads(body)
                    raise
                limit.anew(wait)
                self._remark(self._again(failure, wait))
                self._environment.sleep(wait)
            else:
                return

    def _leave_heads(self, body: Body) -> None:
        """Write the heads of answers whose bodies aren't, for -i."""
        if self.attempt is not None:
            with suppress(Failure):  # another one is told
                self.attempt.leave_heads(body)

    def _try(self, client: Client, body: Body, limit: Limit) -> None:
        self.attempt = attempt = Attempt(
            self._settings,
            self._environment,
            self.job,
            strategy=self._strategy_now(),
            limit=limit,
            patient=self._patient,
            remark=self._remark,
            show=self._show,
        )
        attempt.heads = self.heads
        try:
            attempt.run(client, body)
        except Exception as error:
            if self._stop.stopped:
                raise Stopped(signal.SIGINT) from error
            if isinstance(error, Failure):
                raise
            failure = late() if limit.left() == 0 else explain(error, attempt.asked)
            if failure is None:
                raise
            raise failure from error

    def _strategy_now(self) -> Strategy | None:
        """Return the strategy of this attempt."""
        if self.strategy is None or self.strategy.deadline is None:
            return self.strategy
        spent = time.monotonic() - self._deadline_began
        begun = self.retries or self._deadline_began < self._began
        left = hurried(self.strategy, spent) if begun else self.strategy
        rate = self._settings.limit_rate
        return Limited(left, rate) if rate else left

    def _patient(self, busy: Busy) -> bool:
        """Whether a status that says "not now" leads to another attempt."""
        return self._retry.wait(busy, self.retries, self.seconds) is not None

    def _wait(self, failure: Failure, body: Body) -> float | None:
        content = self.job.message.content
        if content is not None and not content.repeatable:
            return None
        if not body.can_go_on(resumable=self.job.message.resumable):
            return None
        return self._retry.wait(failure, self.retries, self.seconds)

    def _again(self, failure: Failure, wait: float) -> str:
        attempt = f"{self.retries + 1} of {self._retry.times}"
        return f"{failure.what}; trying again in {wait:g} s ({attempt})"

    def _remark(self, words: str) -> None:
        self.remarks.append(words)
        if not self._settings.silent:
            self._environment.say(f"note: {words}")

    def _conclude(self) -> None:
        """Tell how it went.

        Raises:
            Failure: too late, and that is to be a failure.
        """
        if not self._settings.silent:
            self._tell()
        response = self.attempt.response if self.attempt else None
        if self._settings.fail_with_body and response is not None and response.status_code >= 400:
            what = f"the server answered {response.status_code} {response.reason_phrase}".rstrip()
            raise Failure(ExitCode.HTTP, what)
        if self._settings.fail_deadline and self.deadline_met is False:
            assert self.strategy is not None  # without it there is no deadline
            what = f"the deadline of {self.strategy.deadline:g} s was missed"
            raise Failure(ExitCode.LATE, f"{what}: it took {self.seconds:.2f} s")

    def _tell(self) -> None:
        report = self.attempt.report if self.attempt else None
        if self.attempt is None or report is None:
            return
        self.attempt.tell_events()
        if self.strategy is not None:  # who asks for several paths wants to know why there is one
            for problem in report.problems:
                hint = f"\nhint: {problem.hint}" if problem.hint else ""
                self._environment.say(f"warning: {problem.what}{hint}")
        if self._environment.words_on_terminal and not self.attempt.needless:
            name = f"{self.job.output}: " if len(self._settings.url) > 1 else ""
            response = self.attempt.response
            assert response is not None  # it comes with the report
            status = f"{response.status_code} {response.reason_phrase}".rstrip()
            self._environment.say(f"{name}{status}, {summary(report)}")
