"""URLs as a command line takes them."""

from __future__ import annotations

import httpx

from .exits import ExitCode, Failure, usage


def parse_url(text: str) -> httpx.URL:
    """Parse an absolute http or https URL.

    Raises:
        Failure: it is none.
    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise Failure(ExitCode.URL, f"{text!r} is no URL: {error}") from error
    if url.scheme in {"http", "https"} and url.host:
        return url
    hint = "" if "://" in text else f"mphttp get https://{text}"
    raise Failure(ExitCode.URL, f"{text!r} is no http or https URL", hint)


def name_from_url(url: httpx.URL) -> str:
    """Return the file name that `-O` takes: the last segment of the URL's path.

    Raises:
        Failure: there is none.
    """
    name = url.path.rsplit("/", 1)[-1]
    if name in {"", ".", ".."} or "\0" in name:
        raise usage(f"the URL {url} doesn't end in a file name", "name the file with -o FILE")
    return name
