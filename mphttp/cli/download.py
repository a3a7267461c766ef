"""One download, from the first packet to the last byte."""

from __future__ import annotations

import argparse
import ssl
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext

import httpx

from mphttp import MultipathTransport, Report
from mphttp.strategies import Strategy

from .bars import summary
from .environment import Environment
from .exits import ExitCode, Failure, usage
from .explain import explain
from .interrupt import stoppable, time_limit
from .message import Message
from .target import Sink, target
from .verbose import Verbose, head

_MOST_REDIRECTS = 50  # curl's default


class Download:
    """What `mphttp get` does.

    Args:
        arguments: the command line.
        environment: where it reads and writes.
        message: what is sent.
        strategy: when paths are opened, or None.

    Attributes:
        report: what happened, from the moment that the answer's head is there.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        environment: Environment,
        message: Message,
        strategy: Strategy | None,
    ) -> None:
        self.report: Report | None = None
        self.message = message
        self.strategy = strategy
        self._arguments = arguments
        self._environment = environment
        self._verbose = Verbose(environment) if arguments.verbose else None

    def run(self) -> None:
        """Download.

        Raises:
            Failure: it didn't work; nothing is left under the target's name then.
        """
        try:
            with ExitStack() as stack:
                stack.enter_context(stoppable())
                stack.enter_context(time_limit(self._arguments.max_time))
                sink = stack.enter_context(target(self._arguments.output, self._environment))
                self._exchange(stack.enter_context(self._client()), sink)
        except Exception as error:
            failure = explain(error, self.message.url, answered=self.report is not None)
            if failure is None:
                raise
            raise failure from error
        self._conclude()

    def _exchange(self, client: httpx.Client, sink: Sink) -> None:
        request = self.message.request(client)
        response = client.send(
            request,
            stream=True,
            auth=self.message.auth,
            follow_redirects=self._arguments.location,
        )
        with closing(response):
            self.report = response.extensions["multipath"]
            self._receive(response, self.report, sink)

    def _receive(self, response: httpx.Response, report: Report, sink: Sink) -> None:
        if self._arguments.fail and response.status_code >= 400:
            what = f"the server answered {response.status_code} {response.reason_phrase}".rstrip()
            raise Failure(ExitCode.HTTP, what, "without -f, the answer's body says more")
        if self._arguments.include or self._arguments.head:
            for answer in (*response.history, response):
                sink.write(head(answer).encode())
        with self._progress(report):
            for chunk in response.iter_raw():
                sink.write(chunk)
                if self._verbose:
                    self._verbose.events(report)

    def _progress(self, report: Report) -> AbstractContextManager[None]:
        if not self._words_wanted or self._verbose or self._body_on_terminal:
            return nullcontext()
        from .progress import shown

        return shown(report, self._environment)

    @property
    def _words_wanted(self) -> bool:
        return self._environment.words_on_terminal and not self._arguments.silent

    @property
    def _body_on_terminal(self) -> bool:
        return self._arguments.output == "-" and self._environment.stdout.isatty()

    def _conclude(self) -> None:
        if self.report is None or self._arguments.silent:
            return
        if self._verbose:
            self._verbose.events(self.report)
        if self.strategy is not None:  # who asks for several paths wants to know why there is one
            for problem in self.report.problems:
                hint = f"\nhint: {problem.hint}" if problem.hint else ""
                self._environment.say(f"warning: {problem.what}{hint}")
        if self._words_wanted:
            self._environment.say(summary(self.report))

    def _client(self) -> httpx.Client:
        transport = MultipathTransport(
            strategy=self.strategy,
            paths=self._arguments.path or None,
            verify=self._trust(),
            proxy=self._proxy(),
        )
        return httpx.Client(
            transport=transport,
            # As in curl, only connecting has a limit of its own: a slow body is no fault.
            timeout=httpx.Timeout(None, connect=self._arguments.connect_timeout or None),
            max_redirects=_MOST_REDIRECTS,
            event_hooks=self._verbose.hooks if self._verbose else None,
        )

    def _trust(self) -> ssl.SSLContext | bool:
        if self._arguments.insecure:
            return False
        if self._arguments.cacert is None:
            return True
        try:
            return ssl.create_default_context(cafile=self._arguments.cacert)
        except OSError as error:
            what = f"{self._arguments.cacert} can't be used: {error.strerror or error}"
            raise Failure(ExitCode.CA_FILE, what, "--cacert takes a file in PEM format") from error

    def _proxy(self) -> httpx.Proxy | None:
        url = self._arguments.proxy
        if not url:
            return None
        try:
            return httpx.Proxy(url if "://" in url else f"http://{url}")
        except (ValueError, httpx.InvalidURL) as error:
            raise usage(f"{url!r} is no proxy: {error}", "-x http://HOST:PORT") from error
