"""Sends the files of a folder to object storage, all of them within a time.

    python examples/backup.py ~/photos https://storage.example.org/bucket/photos --within 3600

Each file is PUT under its name, with its digest in a field (RFC 9530). As long as there is time,
the first path alone carries them; the others help when it gets short. A file that can't be sent
doesn't keep the rest back.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import sys
import time
from pathlib import Path
from urllib.parse import quote

import httpx

from mphttp import Deadline, MultipathTransport, report_of


def send(client: httpx.Client, path: Path, url: str, seconds: float) -> None:
    """Put one file where it belongs, in so many seconds.

    Raises:
        httpx.HTTPError: it didn't get there.
    """
    with path.open("rb") as file:
        digest = base64.b64encode(hashlib.file_digest(file, "sha256").digest()).decode()
        file.seek(0)
        response = client.put(
            url,
            content=file,
            headers={
                "Content-Length": str(path.stat().st_size),
                "Repr-Digest": f"sha-256=:{digest}:",
            },
            extensions={"strategy": Deadline(seconds)},
        )
    response.raise_for_status()
    report = report_of(response)
    assert report is not None
    sent = {subflow.path: subflow.bytes_sent for subflow in report.subflows}
    print(path.name, *(f"{count} bytes over {name}" for name, count in sent.items()), sep=", ")


def main() -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("url", help="under which the files are to be")
    parser.add_argument("--within", type=float, default=600.0, help="seconds for all of them")
    wanted = parser.parse_args()
    files = sorted(path for path in wanted.folder.iterdir() if path.is_file())
    left = sum(path.stat().st_size for path in files)
    end, failed = time.monotonic() + wanted.within, 0
    with httpx.Client(transport=MultipathTransport(), timeout=30) as client:
        for path in files:
            size = path.stat().st_size
            share = size / left if left else 1.0
            seconds = max(0.1, (end - time.monotonic()) * share)
            try:
                send(client, path, f"{wanted.url}/{quote(path.name)}", seconds)
            except (OSError, httpx.HTTPError) as error:
                failed += 1
                print(f"{path.name}: {error}", file=sys.stderr)
            left -= size
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
