"""A response of a strict transfer: what goes wrong after its head is requests' own error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import requests

from mphttp.errors import StrategyProblem


class StrictResponse(requests.Response):
    """A response whose body ends with `requests.ConnectionError` where a strategy has a problem.

    `raw`, which is urllib3's, ends with the `StrategyProblem` itself.
    """

    @classmethod
    def of(cls, response: requests.Response) -> Self:
        """Make one of an ordinary response, which is not to be used any more."""
        strict = cls()
        vars(strict).update(vars(response))
        return strict

    def iter_content(self, *args: Any, **options: Any) -> Iterator[Any]:
        return self._with_requests_errors(super().iter_content(*args, **options))

    def _with_requests_errors(self, parts: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from parts
        except StrategyProblem as problem:
            raise requests.ConnectionError(problem, request=self.request) from problem
