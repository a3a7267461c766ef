"""Where bodies go, and what is told of them."""

from __future__ import annotations

from dataclasses import dataclass

from .option import Option, several, switch, value


def _name(text: str) -> str | None:
    return text


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """Where bodies go. In `output`, None stands for the name in the URL."""

    output: tuple[str | None, ...] = several(
        Option(
            ("-o", "--output"),
            "write there; only whole, unless -C (- is stdout, the default)",
            "FILE",
            _name,
        ),
        Option(("-O", "--remote-name"), "write to the file named in the URL"),
    )
    remote_name_all: bool = switch(
        "--remote-name-all", means="-O for each URL that has no -o of its own"
    )
    remote_header_name: bool = switch(
        "-J",
        "--remote-header-name",
        means="with -O: the name that the server gives, without a path; never over another file",
    )
    output_dir: str | None = value(
        "--output-dir", metavar="FOLDER", parse=str, means="where -o and -O write"
    )
    create_dirs: bool = switch("--create-dirs", means="make the folders that -o needs")
    dump_header: str | None = value(
        "-D",
        "--dump-header",
        metavar="FILE",
        parse=str,
        means="write the heads there (- is stdout), those of redirects, too",
    )
    remote_time: bool = switch("-R", "--remote-time", means="give the file the object's date")
    no_clobber: bool = switch(
        "--no-clobber", means="never write over a file: take the name with .1, .2 ... behind it"
    )
    remove_on_error: bool = switch(
        "--remove-on-error", means="leave no part of a file behind, also with -C"
    )
    no_buffer: bool = switch(
        "-N", "--no-buffer", means="write what comes at once; so it is in any case"
    )
    include: bool = switch("-i", "--include", means="write the head, too")


@dataclass(frozen=True, kw_only=True)
class ToldSettings:
    """What people and programs are told."""

    report: str | None = value(
        "--report",
        metavar="FILE",
        parse=str,
        means="what happened, as JSON, a line for each of several URLs (- is stdout)",
    )
    samples: bool = switch(
        "--samples",
        means="keep in the report what each path had carried, every 0.1s (see mphttp plot)",
    )
    plot: str | None = value(
        "--plot", metavar="FILE", parse=str, means="draw what happened, as SVG (- is stdout)"
    )
    write_out: str | None = value(
        "-w",
        "--write-out",
        metavar="FORMAT",
        parse=str,
        means="write this to stdout after each transfer; @FILE reads it from a file, @- from stdin",
    )
    config: tuple[str, ...] = several(
        Option(
            ("-K", "--config"),
            "read options from this file, too (- is stdin): a line each, NAME VALUE; without -q as "
            "the first option, ~/.mphttprc is read before all",
            "FILE",
            str,
        )
    )
    disable: bool = switch("-q", "--disable", means="as the first option: read no ~/.mphttprc")
    next: tuple[bool, ...] = several(
        Option(("-:", "--next"), "what follows has options of its own", constant=True)
    )
    progress_bar: bool = switch(
        "-#", "--progress-bar", means="show progress as a bar; so it is on a terminal in any case"
    )
    no_progress_meter: bool = switch(
        "--no-progress-meter", means="no progress, but what else is told"
    )
    silent: bool = switch("-s", "--silent", means="no progress and no errors")
    show_error: bool = switch("-S", "--show-error", means="errors in spite of -s")
    verbose: bool = switch("-v", "--verbose", means="heads and events on stderr")
