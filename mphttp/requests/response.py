"""Responses whose errors tell what happened; those of a strict transfer are requests' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import requests

from mphttp.errors import StrategyProblem
from mphttp.report import Report


class ToldResponse(requests.Response):
    """A response whose body ends, where it ends too early, with an error that has the report."""

    _told: Report | None = None

    @classmethod
    def of(cls, response: requests.Response, told: Report | None) -> Self:
        """Make one of an ordinary response, which is not to be used any more.

        Args:
            response: the ordinary one.
            told: what happens to it.
        """
        own = cls()
        vars(own).update(vars(response))
        own._told = told
        return own

    def iter_content(
        self, chunk_size: int | None = 1, decode_unicode: bool = False
    ) -> Iterator[bytes]:
        parts = super().iter_content(chunk_size, decode_unicode)
        return self._telling(parts)

    def _telling(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from self._parts(parts)
        except Exception as error:
            error.report = self._told  # type: ignore[attr-defined]
            raise

    def _parts(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        return parts


class StrictResponse(ToldResponse):
    """A response whose body ends with `requests.ConnectionError` where a strategy has a problem.

    `raw`, which is urllib3's, ends with the `StrategyProblem` itself.
    """

    def _parts(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from parts
        except StrategyProblem as problem:
            raise requests.ConnectionError(problem, request=self.request) from problem
