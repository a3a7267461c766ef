"""What a command line asks for, one URL after the other; all that can be wrong with it is said."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..environment import Environment
from ..exits import usage
from ..url import parse_url, typed_host, with_scheme
from .content import Content, Plain, Upload, in_query, joined, upload_of, upload_url
from .form import Form
from .glob import Globbed, expanded
from .lists import digests, listed_urls
from .message import Fields, Message, given_fields, message
from .outputs import check_outputs, of_url, output_names, output_remarks
from .settings import Settings
from .target import is_stream


@dataclass(frozen=True)
class Job:
    """One download.

    Args:
        message: what is sent.
        output: name of the file, "-" for stdout.
        sha256: of the body, in lower-case hexadecimal; None if nobody knows.
        number: counted from 0.
        named: whether the server may give the file another name.
        folders: whether missing folders are made.
        clobbers: whether a file that is there is replaced.
        asked_for: whether its place was named, and isn't stdout for want of another.
        removes: whether a file that has grown under its name goes if it can't be whole.
        resume: bytes of the body that are here already ("-": as many as the file has), or None.
    """

    message: Message
    output: str
    sha256: str | None = None
    number: int = 0
    named: bool = False
    folders: bool = False
    clobbers: bool = True
    removes: bool = False
    asked_for: bool = True
    resume: int | str | None = None


def jobs(settings: Settings, environment: Environment) -> list[Job]:
    """Return the downloads that a command line asks for.

    Raises:
        Failure: it can't be understood.
    """
    _check_body(settings)
    listed = listed_urls(settings, environment)
    patterns = [*_globs(settings), *([Globbed(text)] for text in listed)]
    headers = given_fields(settings.header, environment, silent=settings.silent)
    given = _contents(settings, len(patterns), environment, headers)
    # As in curl, a file goes to all that a pattern stands for before the next file does.
    both = [
        (number, glob, content)
        for number, pattern in enumerate(patterns)
        for content in given[number]
        for glob in pattern
    ]
    globs, contents = [(number, glob) for number, glob, _ in both], [sent for *_, sent in both]
    texts = [with_scheme(glob.text) for _, glob in globs]
    if settings.get:
        data = joined(settings.data, environment)
        texts = [in_query(text, data) for text in texts]
    if settings.url_query:
        query = joined(settings.url_query, environment)
        texts = [in_query(text, query) for text in texts]
    messages = [
        replace(
            message(settings, parse_url(sent_to), environment, content, headers),
            typed_host=typed_host(sent_to),
        )
        for sent_to, content in zip(_with_names(texts, contents), contents, strict=True)
    ]
    outputs = output_names(settings, texts, globs)
    wanted = digests(settings.sha256, outputs, texts, environment)
    made = [
        Job(
            *parts,
            number=number,
            named=settings.remote_header_name and of_url(settings, globs[number][0]),
            folders=settings.create_dirs,
            clobbers=not settings.no_clobber,
            removes=settings.remove_on_error,
            asked_for=globs[number][0] < len(settings.output),
            resume=None if settings.upload_file else settings.continue_at,
        )
        for number, parts in enumerate(zip(messages, outputs, wanted, strict=True))
    ]
    check_outputs(settings, len(texts))
    for words in () if settings.silent else output_remarks(settings, outputs):
        environment.say(f"warning: {words}")
    if settings.parallel and outputs.count("-") > 1:
        what = "with -Z, the bodies of several URLs would be mixed on standard output"
        raise usage(what, "-o, -O or --remote-name-all names a file for each")
    _check_stdout(outputs, report=settings.report, picture=settings.plot)
    if settings.plot is not None and len(texts) > 1:
        raise usage("--plot is for one URL", "--samples --report FILE, and mphttp plot for each")
    _check_resume(settings, made)
    return made


def _globs(settings: Settings) -> list[list[Globbed]]:
    """Return what each URL of the command line stands for."""
    return [[Globbed(text)] if settings.globoff else expanded(text) for text in settings.url]


def _check_body(settings: Settings) -> None:
    """Refuse what would be sent twice, or not at all."""
    given = {
        "-I asks for the head only": settings.head,
        "-d sends a body": bool(settings.data) and not settings.get,
        "-F sends a form": bool(settings.form),
        "-T sends a file": bool(settings.upload_file),
    }
    both = [does for does, there in given.items() if there]
    if len(both) > 1:
        raise usage(f"{both[0]}, and {both[1]}", "give one of them")
    if settings.get and both and not settings.head:
        raise usage(f"-G asks for something, and {both[0]}", "give one of them")
    if settings.range is not None and both and not settings.head:
        raise usage(f"-r asks for a part, and {both[0]}", "give one of them")


def _contents(
    settings: Settings, count: int, environment: Environment, headers: Fields
) -> Sequence[Sequence[Content | None]]:
    """Return what is sent to each URL, one after the other."""
    files = settings.upload_file
    if files:
        if len(files) > count:
            what = f"there are more files to send ({len(files)}) than URLs ({count})"
            raise usage(what, "give one -T for each URL, in the same order")
        start = int(settings.continue_at or 0) if settings.continue_at != "-" else 0
        sent = [
            [upload_of(name, environment, start) for name in _names(text, settings)]
            for text in files
        ]
        return [*sent, *[[None]] * (count - len(sent))]
    if settings.form:
        said = (value for name, value in headers if name.lower() == "content-type" and value)
        kind = next(said, "multipart/form-data")
        return [[Form(settings.form, environment, kind, backslashes=settings.form_escape)]] * count
    if settings.data and not settings.get:
        return [[Plain(joined(settings.data, environment))]] * count
    return [[None]] * count


def _names(text: str, settings: Settings) -> list[str]:
    """Return the files that -T stands for; one that is there has that name, whatever is in it."""
    if settings.globoff or os.path.exists(text):
        return [text]
    return [glob.text for glob in expanded(text)]


def _with_names(texts: Sequence[str], contents: Sequence[Content | None]) -> Iterator[str]:
    for text, content in zip(texts, contents, strict=True):
        yield upload_url(text, content.name) if isinstance(content, Upload) else text


def _check_stdout(outputs: Sequence[str], **others: str | None) -> None:
    taken = [name for name, file in others.items() if file == "-"]
    if taken and "-" in outputs:
        raise usage(
            f"the {taken[0]} and the body can't both go to stdout", "-o FILE takes the body"
        )
    if len(taken) > 1:
        raise usage(f"the {' and the '.join(taken)} can't both go to stdout", "name a file for one")


def _check_resume(settings: Settings, made: Sequence[Job]) -> None:
    asked = made[0].message
    if made[0].resume is None:
        return
    if settings.compressed:
        what = "--compressed writes other bytes than those whose rest -C asks for"
        raise usage(what, "leave --compressed or -C away")
    if not asked.resumable:
        raise usage("-C is for a plain GET without a Range of its own", "leave -C away")
    if settings.continue_at != "-" and len(made) > 1:
        raise usage("-C OFFSET is for one URL", "-C - looks at each file")
    for job in made:
        if is_stream(job.output) and settings.continue_at == "-":
            what = "-C - can't see what standard output or a device has already"
            raise usage(what, "-o FILE, or -C OFFSET")
        if is_stream(job.output) and job.sha256:
            raise usage("--sha256 needs the whole body, and -C OFFSET skips a part", "-o FILE")
