"""`mphttp get -C` against a real server that changes and breaks."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.cli.get.notes import Notes
from tests.root import ROOT

from ..conftest import Object, content

DATA = content(300_000)
HERE = 100_000
TAGGED = {"ETag": '"one"'}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.fixture
def thing(server) -> Object:
    server.objects["x"] = Object(DATA, dict(TAGGED))
    return server.objects["x"]


@pytest.fixture
def go_on(run, server, file):
    """Run the command that is run again and again."""

    def go_on(*options: str, at: str = "-"):
        return run("get", "-C", at, "-o", str(file), *options, f"{server.url}/object/x")

    return go_on


def left(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_a_broken_download_goes_on_where_it_ended(go_on, thing, file) -> None:
    thing.breaks = [HERE]
    broken = go_on()
    assert broken.code == ExitCode.TRUNCATED
    assert f"hint: run it again to go on after {HERE} bytes" in broken.err
    assert file.read_bytes() == DATA[:HERE]
    assert left(file) == ["file", "file.mphttp"]
    result = go_on()
    assert (result.code, result.err) == (0, "")
    assert file.read_bytes() == DATA
    assert thing.ranged == [None, f"bytes={HERE}-"]
    assert left(file) == ["file"]


def test_it_goes_on_as_often_as_it_takes(go_on, thing, file) -> None:
    thing.breaks = [90_000, 1, 0, 70_000]
    codes = [go_on().code for _ in range(5)]
    assert codes == [*[ExitCode.TRUNCATED] * 4, 0]
    assert file.read_bytes() == DATA


def test_an_object_that_has_changed_starts_over_and_says_so(go_on, thing, file) -> None:
    thing.breaks = [HERE]
    go_on()
    thing.data, thing.fields = content(200_000), {"ETag": '"two"'}
    result = go_on()
    assert (result.code, result.err) == (0, "note: the object has changed: starting over\n")
    assert file.read_bytes() == content(200_000)


def test_a_server_without_ranges_starts_over_and_says_so(go_on, thing, file) -> None:
    thing.breaks, thing.ranges = [HERE], False
    go_on()
    result = go_on()
    assert (result.code, result.err) == (0, "note: the server doesn't send parts: starting over\n")
    assert file.read_bytes() == DATA


TAGS = ['"\xe9"', '"\xc3\xa9"', '"\xff\x80!#~"', '""']


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_goes_back_as_it_came(go_on, thing, file, tag, backend) -> None:
    """Whatever bytes it has (RFC 9110, 8.8.3: obs-text), in Latin-1, UTF-8 or neither."""
    thing.breaks, thing.fields = [HERE], {"ETag": tag}
    go_on("--backend", backend)
    assert go_on("--backend", backend).code == 0
    assert file.read_bytes() == DATA
    assert thing.ranged == [None, f"bytes={HERE}-"]


@pytest.mark.parametrize("tag", ['W/"one"', "one", '"a b"', '"a"b"', '"one', '"a", "b"', ""])
def test_what_is_no_strong_tag_is_none(go_on, thing, file, tag) -> None:
    thing.breaks, thing.fields = [HERE], {"ETag": tag}
    go_on()
    result = go_on()
    assert result.code == 0
    assert "nothing shows that the bytes here are of the same version: starting over" in result.err
    assert file.read_bytes() == DATA


@pytest.mark.parametrize("fields", [{}, {"ETag": 'W/"one"'}])
def test_without_a_strong_validator_nothing_is_appended(go_on, thing, file, fields) -> None:
    thing.breaks, thing.fields = [HERE], fields
    assert "run it again" not in go_on().err
    assert left(file) == ["file"]
    thing.data = content(300_001)
    result = go_on()
    assert result.code == 0
    assert "nothing shows that the bytes here are of the same version: starting over" in result.err
    assert file.read_bytes() == content(300_001)


def test_a_file_that_is_whole_is_left_alone(go_on, thing, file) -> None:
    assert go_on().code == 0
    before = file.stat()
    result = go_on()
    assert (result.code, result.err) == (0, "note: everything is here already\n")
    assert file.stat() == before
    assert file.read_bytes() == DATA


def test_at_a_terminal_a_whole_file_gets_no_closing_line(run, server, thing, file) -> None:
    file.write_bytes(DATA)
    options = ("-C", "-", "-o", str(file), f"{server.url}/object/x")
    assert run("get", *options, terminal=True).err == "note: everything is here already\n"


def test_a_file_that_nobody_knows_is_no_beginning(go_on, thing, file) -> None:
    file.write_bytes(b"of another program")
    result = go_on()
    assert "starting over" in result.err
    assert file.read_bytes() == DATA


def test_a_note_about_another_url_counts_for_nothing(run, server, go_on, thing, file) -> None:
    """Two objects may have the same tag."""
    server.objects["y"] = Object(content(300_002), dict(TAGGED))
    thing.breaks = [HERE]
    go_on()
    result = run("get", "-C", "-", "-o", str(file), f"{server.url}/object/y")
    assert result.code == 0
    assert file.read_bytes() == content(300_002)


def test_a_note_has_no_secrets(run, server, thing, file) -> None:
    thing.breaks = [HERE]
    url = f"{server.url}/object/x?signature=secret".replace("://", "://me:secret@")
    run("get", "-C", "-", "-o", str(file), url)
    assert b"secret" not in Path(f"{file}.mphttp").read_bytes()
    assert run("get", "-C", "-", "-o", str(file), url).err == ""
    assert file.read_bytes() == DATA


def test_a_note_about_another_file_counts_for_nothing(run, server, go_on, thing, file) -> None:
    """One that took its name, as `-o` without -C does it, may be of a later version."""
    thing.breaks = [HERE]
    go_on()
    thing.data, thing.fields = content(1000), {"ETag": '"two"'}
    run("get", "-o", str(file), f"{server.url}/object/x")
    thing.data, thing.fields = DATA, dict(TAGGED)
    assert "starting over" in go_on().err
    assert file.read_bytes() == DATA


def written_by_another(file: Path) -> None:
    file.write_bytes(bytes(HERE))


def another_file(file: Path) -> None:
    file.unlink()
    file.write_bytes(bytes(HERE))


def another_file_of_the_same_time(file: Path) -> None:
    """Which has the same inode number on ext4."""
    before = file.stat()
    another_file(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change", [written_by_another, another_file, another_file_of_the_same_time]
)
def test_bytes_that_another_program_wrote_are_not_gone_on_from(go_on, thing, file, change) -> None:
    thing.breaks = [HERE]
    go_on()
    change(file)
    result = go_on()
    assert "starting over" in result.err
    assert (result.code, file.read_bytes()) == (0, DATA)


def test_a_run_that_was_killed_is_gone_on_from(server, thing, file, go_on) -> None:
    """While it writes, its note has no stamp."""
    thing.breaks = [HERE]
    go_on()
    note = Path(f"{file}.mphttp")
    with file.open("r+b") as opened:
        notes = Notes(str(file), opened.fileno(), f"{server.url}/object/x")
        version = notes.read()
        assert version is not None
        notes.write(version)
        opened.truncate(HERE // 2)
    assert b'"stamp": null' in note.read_bytes()
    assert go_on().code == 0
    assert thing.ranged == [None, f"bytes={HERE // 2}-"]
    assert file.read_bytes() == DATA


DEEP = b"[" * 100_000


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b"\xff", b'{"url": 1}', DEEP, b"9" * 5000])
def test_a_damaged_note_counts_for_nothing(go_on, thing, file, note) -> None:
    thing.breaks = [HERE]
    go_on()
    Path(f"{file}.mphttp").write_bytes(note)
    assert "starting over" in go_on().err
    assert file.read_bytes() == DATA


@pytest.mark.parametrize("old", [b'"one', b'"length": 3', b'"inode": ', b"/object/x"])
def test_a_note_with_another_byte_counts_for_nothing(go_on, thing, file, old) -> None:
    thing.breaks = [HERE]
    go_on()
    note = Path(f"{file}.mphttp")
    written = note.read_bytes().replace(b"\\", b"")
    assert old in written
    note.write_bytes(written.replace(old, old + b"1"))
    assert "starting over" in go_on().err
    assert file.read_bytes() == DATA


def a_folder(note: Path, _: Path) -> None:
    note.mkdir()


def a_pipe(note: Path, _: Path) -> None:
    os.mkfifo(note)


def a_device(note: Path, _: Path) -> None:
    note.symlink_to("/dev/zero")


def a_link(note: Path, precious: Path) -> None:
    note.symlink_to(precious)


def a_link_to_nothing(note: Path, _: Path) -> None:
    note.symlink_to(note.with_name("nothing"))


def a_link_to_itself(note: Path, _: Path) -> None:
    note.symlink_to(note)


def a_huge_file(note: Path, _: Path) -> None:
    with note.open("wb") as file:
        file.truncate(1 << 40)


def an_unreadable_file(note: Path, _: Path) -> None:
    note.touch(mode=0)


@pytest.mark.parametrize(
    "put",
    [
        a_folder,
        a_pipe,
        a_device,
        a_link,
        a_link_to_nothing,
        a_link_to_itself,
        a_huge_file,
        an_unreadable_file,
    ],
)
def test_what_is_no_note_is_neither_followed_nor_waited_for(
    go_on, thing, file, tmp_path, put
) -> None:
    (tmp_path / "other").mkdir()
    precious = tmp_path / "other/precious"
    precious.write_bytes(b"precious")
    file.write_bytes(DATA[:HERE])
    put(Path(f"{file}.mphttp"), precious)
    thing.breaks = [0, 2 * HERE]  # of the part that isn't appended, and of the whole
    broken = go_on()
    assert (broken.code, file.stat().st_size) == (ExitCode.TRUNCATED, 2 * HERE), broken.err
    result = go_on()
    assert (result.code, file.read_bytes()) == (0, DATA)
    assert precious.read_bytes() == b"precious"
    # Where the note's name couldn't be had, the second run knew nothing of the first's bytes.
    assert thing.ranged[-1] == (None if put is a_folder else f"bytes={2 * HERE}-")


@pytest.mark.skipif(not ROOT, reason="gives files to another user")
def test_a_note_of_another_user_counts_for_nothing(go_on, thing, file) -> None:
    thing.breaks = [HERE]
    go_on()
    os.chown(f"{file}.mphttp", 1001, 1001)
    assert "starting over" in go_on().err
    assert file.read_bytes() == DATA


def test_the_note_of_the_longest_name_there_can_be(run, server, thing, tmp_path) -> None:
    file = tmp_path / ("é" * 127 + "x")
    thing.breaks = [HERE]
    options = ("-C", "-", "-o", str(file), f"{server.url}/object/x")
    assert run("get", *options).code == ExitCode.TRUNCATED
    assert run("get", *options).code == 0
    assert file.read_bytes() == DATA
    assert thing.ranged == [None, f"bytes={HERE}-"]
    assert left(file) == [file.name]


def test_a_link_is_gone_on_with_where_it_leads(run, server, thing, tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    link, file = tmp_path / "link", tmp_path / "folder/file"
    link.symlink_to(file)
    thing.breaks = [HERE]
    options = ("-C", "-", "-o", str(link), f"{server.url}/object/x")
    assert run("get", *options).code == ExitCode.TRUNCATED
    assert run("get", *options).code == 0
    assert (link.is_symlink(), file.read_bytes()) == (True, DATA)
    assert left(file) == ["file"]


def test_no_bytes_of_another_digest_stay_behind_a_link(run, server, thing, tmp_path) -> None:
    (tmp_path / "link").symlink_to("file")
    options = ("-C", "-", "-o", str(tmp_path / "link"), "--sha256", "0" * 64)
    assert run("get", *options, f"{server.url}/object/x").code == ExitCode.DIGEST
    assert (tmp_path / "file").read_bytes() == b""


def test_an_offset_is_vouched_for_by_the_user(go_on, thing, file) -> None:
    """What lies beyond it is replaced."""
    thing.fields = {}
    file.write_bytes(DATA[:1000] + b"rubbish")
    result = go_on(at="1000")
    assert (result.code, result.err) == (0, "")
    assert file.read_bytes() == DATA
    assert thing.ranged == ["bytes=1000-"]


def test_an_offset_beyond_the_file_is_refused_before_anything_is_sent(go_on, thing, file) -> None:
    result = go_on(at="1000")
    assert result.code == ExitCode.USAGE
    assert "has 0 bytes, so it can't be continued at 1000" in result.err
    assert (thing.ranged, left(file)) == ([], [])


@pytest.mark.parametrize("ranges", [True, False])
def test_an_offset_on_stdout_leaves_the_beginning_out(run, server, thing, ranges) -> None:
    thing.ranges = ranges
    result = run("get", "-C", "299990", f"{server.url}/object/x")
    assert (result.code, result.out) == (0, DATA[299_990:])
    told = "note: the server doesn't send parts: the first 299990 bytes are left out\n"
    assert result.err == ("" if ranges else told)


@pytest.mark.parametrize("status", [404, 500, 302, 204])
def test_the_words_of_an_error_never_get_into_the_file(go_on, thing, file, status) -> None:
    thing.breaks = [HERE]
    go_on()
    thing.refusals = [status]
    result = go_on()
    assert result.code == ExitCode.RANGE
    assert f"the server answered {status}" in result.err
    assert file.read_bytes() == DATA[:HERE]
    assert go_on().code == 0
    assert file.read_bytes() == DATA


def test_a_part_that_is_shorter_than_it_says_is_not_the_end(go_on, thing, file) -> None:
    """Where no length is sent, the part's own name tells how much there should be."""
    thing.breaks = [HERE]
    go_on()
    thing.closing, thing.breaks = True, [1000]
    result = go_on()
    assert result.code == ExitCode.TRUNCATED
    assert f"up to {HERE + 1000} of {len(DATA)} bytes" in result.err
    assert go_on().code == 0
    assert file.read_bytes() == DATA


def test_what_follows_a_part_is_taken_back(go_on, thing, file) -> None:
    thing.breaks = [HERE]
    go_on()
    thing.closing, thing.surplus = True, b"rubbish"
    result = go_on()
    assert result.code == ExitCode.TRUNCATED
    assert "7 bytes more than the part" in result.err
    assert file.read_bytes() == DATA
    assert go_on().err == "note: everything is here already\n"


def test_what_never_began_leaves_no_file(go_on, thing, file) -> None:
    thing.refusals = [404]
    assert go_on().code == ExitCode.RANGE
    assert left(file) == []


def test_the_digest_counts_what_was_there_before(go_on, thing, file) -> None:
    thing.breaks = [HERE]
    digest = hashlib.sha256(DATA).hexdigest()
    go_on("--sha256", digest)
    report = file.with_name("report")
    assert go_on("--sha256", digest, "--report", str(report)).code == 0
    assert json.loads(report.read_text())["sha256"] == digest


def test_a_wrong_digest_leaves_nothing_to_go_on_from(go_on, thing, file) -> None:
    thing.breaks = [HERE]
    go_on()
    result = go_on("--sha256", "0" * 64)
    assert result.code == ExitCode.DIGEST
    assert left(file) == []


def test_two_downloads_of_one_file_do_not_mix(go_on, thing, file) -> None:
    with file.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        result = go_on()
    assert result.code == ExitCode.WRITE
    assert "is being written by another download" in result.err
    assert thing.ranged == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--compressed",), "--compressed writes other bytes"),
        (("-d", "x"), "-C is for a plain GET"),
        (("-I",), "-C is for a plain GET"),
        (("-X", "PUT"), "-C is for a plain GET"),
        (("-H", "range: bytes=0-1"), "-C is for a plain GET"),
    ],
)
def test_what_does_not_go_with_it(go_on, thing, file, options, told) -> None:
    result = go_on(*options)
    assert result.code == ExitCode.USAGE
    assert told in result.err
    assert (thing.ranged, left(file)) == ([], [])


@pytest.mark.parametrize("at", ["-1", "x", "1k", "9" * 30])
def test_what_is_no_offset(go_on, at) -> None:
    assert "is no offset" in go_on(f"--continue-at={at}").err


def test_standard_output_cannot_be_looked_at(run, server, thing) -> None:
    result = run("get", "-C", "-", f"{server.url}/object/x")
    assert result.code == ExitCode.USAGE
    assert "can't see what standard output" in result.err
