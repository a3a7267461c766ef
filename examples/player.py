"""Plays a film that a server has in chunks of two seconds; the second path helps if one is late.

    python examples/player.py 'https://example.org/film/{}.m4s' 60 >film.mp4

What would go to a screen goes to standard output, as soon as it is due.
"""

from __future__ import annotations

import argparse
import sys

import httpx

from mphttp import MultipathTransport
from mphttp.stream import chunks


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of a chunk, with {} in place of its number")
    parser.add_argument("count", type=int, help="how many chunks there are; the first is number 0")
    parser.add_argument("--period", type=float, default=2.0, help="seconds of film in a chunk")
    wanted = parser.parse_args()
    urls = [wanted.url.format(number) for number in range(wanted.count)]
    late = 0
    with httpx.Client(transport=MultipathTransport()) as client:
        for chunk in chunks(client, urls, period=wanted.period):
            sys.stdout.buffer.write(chunk.content)
            late += not chunk.in_time
            paths = ", ".join(sorted({subflow.path for subflow in chunk.report.subflows}))
            print(f"{chunk.url}: {chunk.seconds:.2f} s over {paths}", file=sys.stderr)
    print(f"{late} of {wanted.count} chunks were late", file=sys.stderr)


if __name__ == "__main__":
    main()
