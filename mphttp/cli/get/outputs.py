"""Which file each body goes to, and the names that servers give."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ..exits import ExitCode, Failure, usage
from ..url import basename, name_from_url
from .glob import Globbed
from .settings import Settings
from .target import is_stream

_FILE_NAME = re.compile(
    r"""(?:^|;)\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^;]*))""", re.IGNORECASE
)
_LONGEST = 255


def output_names(
    settings: Settings, urls: Sequence[str], globs: Sequence[tuple[int, Globbed]]
) -> list[str]:
    """Return where the body of each URL goes; "-" is stdout.

    Args:
        settings: what the command line asks for.
        urls: with their schemes.
        globs: for each of them which URL of the command line it comes from, and how.

    Raises:
        Failure: two would go to the same file by different options.
    """
    names = [
        _name(settings, number, url, glob) for url, (number, glob) in zip(urls, globs, strict=True)
    ]
    # All that one -o stands for may go there, as in curl, unless at once or after what is there.
    apart = settings.parallel or settings.continue_at is not None
    whose = {
        (name, number, at if apart or of_url(settings, number) else 0)
        for at, (name, (number, _)) in enumerate(zip(names, globs, strict=True))
    }
    for name, count in Counter(name for name, *_ in whose).items():
        if count > 1 and not is_stream(name):
            raise usage(f"{count} URLs would go to the same file {name}", "give each its own -o")
    return names


def output_remarks(settings: Settings, names: Sequence[str]) -> Iterator[str]:
    """Yield what people should know of where bodies go, though it may be meant so."""
    for name, count in Counter(names).items():
        if count > 1 and not is_stream(name):
            yield f"{count} URLs go to {name}: the last body stays\nhint: #1 is what varies"
    more = len(settings.output) - len(names)
    if more > 0:
        yield f"there are more outputs than URLs: the last {more} are left out"


def of_url(settings: Settings, number: int) -> bool:
    """Whether the body of a URL goes to a file with the URL's own name."""
    if number < len(settings.output):
        return settings.output[number] is None
    return settings.remote_name_all or number >= len(settings.url)


def check_outputs(settings: Settings, count: int) -> None:
    """Refuse options that contradict each other, as curl does.

    Args:
        settings: what the command line asks for.
        count: of its URLs.

    Raises:
        Failure: some do.
    """
    if settings.fail and settings.fail_with_body:
        raise usage("-f and --fail-with-body can't go together", "give one of them")
    if settings.remote_header_name:
        for option, there in (("-i", settings.include), ("-I", settings.head)):
            if there:
                raise usage(f"{option} and -J can't go together", "-D FILE takes the head")
        if settings.continue_at is not None:
            raise usage("-C and -J can't go together", "-o FILE names the file that is there")
    folder = os.path.dirname(settings.etag_save or "") or "."
    if not os.path.isdir(folder):
        what = f"{settings.etag_save} can't be written: there is no folder {folder}"
        raise Failure(ExitCode.READ, what)  # curl's number for it
    if count > 1 and (settings.etag_save or settings.etag_compare):
        raise usage("--etag-save and --etag-compare are for one URL", "run it once for each")
    if settings.time_cond is not None and settings.continue_at is not None:
        raise usage("-z and -C can't go together", "leave one of them away")


def named_by_server(field: str) -> str | None:
    """Return the safe name for a file of a Content-Disposition field, or None.

    What is before the last slash or backslash is dropped; what can't be printed, and a dot or a
    dash at the beginning, become "_": no folder, hidden file or option comes of it.
    """
    found = _FILE_NAME.search(field.partition(";")[2])
    if found is None:
        return None
    quoted, single, bare = found.groups()
    text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else single or (bare or "").strip()
    name = "".join(c if c.isprintable() else "_" for c in basename(text))
    name = re.sub(r"^[.-]", "_", name)
    return os.fsdecode(os.fsencode(name)[:_LONGEST]) or None


def _name(settings: Settings, number: int, url: str, glob: Globbed) -> str:
    if of_url(settings, number):
        name = name_from_url(url)
    elif number < len(settings.output):
        name = glob.named(settings.output[number] or "-")
    else:
        name = "-"
    if settings.output_dir and name != "-":
        return f"{settings.output_dir}/{name.removeprefix('./')}"
    return name
