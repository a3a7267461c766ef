import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mphttp.cli.environment import Environment
from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.get.target import target
from mphttp.cli.url import name_from_url
from tests.root import ROOT

PROCESS = Environment.of_process()


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(file: Path, error: type[BaseException]) -> None:
    with target(str(file), PROCESS) as sink:
        sink.write(b"half")
        raise error


def open_target(name: str, data: bytes = b"") -> None:
    with target(name, PROCESS) as sink:
        sink.write(data)


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with target(str(file), PROCESS) as sink:
        sink.write(b"one")
        assert not file.exists()
    assert file.read_bytes() == b"one"
    assert left_in(tmp_path) == ["file"]


def test_who_reads_the_file_that_was_there_goes_on_reading_it(tmp_path: Path) -> None:
    """The new file takes the name at once, whole; the old one isn't written to."""
    file = tmp_path / "file"
    file.write_bytes(b"before")
    with file.open("rb") as reader:
        open_target(str(file), b"after!")
        assert reader.read() == b"before"
    assert file.read_bytes() == b"after!"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_file_that_failed(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        write_half(tmp_path / "file", error)
    assert left_in(tmp_path) == []


def test_the_file_that_was_there_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"before")
    with pytest.raises(RuntimeError):
        write_half(file, RuntimeError)
    assert file.read_bytes() == b"before"


def test_an_existing_file_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o640)
    with target(str(file), PROCESS) as sink:
        sink.write(b"x")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with target(str(tmp_path / "file"), PROCESS) as sink:
            sink.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    with target(str(tmp_path / "link"), PROCESS) as sink:
        sink.write(b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"x"


def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    """A reader at the other end of a named pipe gets the bytes at once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with target(str(pipe), PROCESS) as sink:
        sink.write(b"through")
    reader.join()
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_full_disk_is_a_write_error_with_a_hint() -> None:
    with pytest.raises(Failure, match="/dev/full can't be written: No space left") as caught:
        open_target("/dev/full", b"x")
    assert caught.value.code == ExitCode.WRITE
    assert "make room" in caught.value.hint


@pytest.mark.parametrize("name", [".", "missing/file"])
def test_what_cannot_be_opened_is_a_write_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(Failure, match="can't be written") as caught:
        open_target(str(tmp_path / name))
    assert caught.value.code == ExitCode.WRITE


@pytest.mark.slow
def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    """Renaming would get around the file's mode; root has to give up its powers to notice."""
    file = tmp_path / "file"
    file.touch(mode=0o444)
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = [
        *powerless,
        sys.executable,
        "-m",
        "mphttp",
        "get",
        "-o",
        str(file),
        "http://a.invalid",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == ExitCode.WRITE
    assert f"{file} can't be written: Permission denied" in done.stderr


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://a/b/c.iso", "c.iso"),
        ("http://a/c.iso?x=/y", "c.iso"),
        ("http://a/c.iso#x/y", "c.iso"),
        ("http://a/b%2Fc", "b%2Fc"),
        ("http://a/%1b%5b2J%00%0a", "%1b%5b2J%00%0a"),
        ("http://a/%2e%2e%2fx", "%2e%2e%2fx"),
        ("http://a/é日", "é日"),
        ("http://a/x\x9b31m\u202e\udcff", "x_31m__"),
        ("http://a/-", "./-"),
        ("http://a/--output", "./--output"),
        ("http://a/.profile", ".profile"),
        ("http://a/..x", "..x"),
    ],
)
def test_the_name_from_the_url(url: str, name: str) -> None:
    """As curl's, for whatever can be printed."""
    assert name_from_url(url) == name


@pytest.mark.parametrize(
    "url",
    ["http://a", "http://a/", "http://a/b/", "http://a?b/c", "http://a/.", "http://a/%2e%2E"],
)
def test_a_url_without_a_name_is_refused(url: str) -> None:
    """No URL can make -O write outside of the current folder."""
    with pytest.raises(Failure, match="doesn't end in a file name") as caught:
        name_from_url(url)
    assert caught.value.code == ExitCode.USAGE


AS_ROOT = pytest.mark.skipif(not ROOT, reason="gives files to another user")


def inode(path: Path) -> int:
    return path.stat().st_ino


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_what_grows_has_the_mode_of_what_it_replaces(tmp_path: Path, mode: int) -> None:
    """From its first byte on, so that nobody reads what was not for them."""
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    with target(str(file), PROCESS) as sink:
        sink.write(b"x")
        (growing,) = [path for path in tmp_path.iterdir() if path != file]
        assert stat.S_IMODE(growing.stat().st_mode) == mode
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"x", mode)


@AS_ROOT
def test_a_file_keeps_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.chown(file, 1001, 1002)
    open_target(str(file), b"x")
    assert (file.stat().st_uid, file.stat().st_gid) == (1001, 1002)
    assert file.read_bytes() == b"x"


def test_a_file_keeps_its_attributes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    try:
        os.setxattr(file, "user.origin", b"here")
    except OSError:
        pytest.skip("this file system has no attributes")
    open_target(str(file), b"x")
    assert os.getxattr(file, "user.origin") == b"here"


def test_all_names_of_a_file_lead_to_what_was_written(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_bytes(b"something longer")
    os.link(file, other)
    open_target(str(file), b"new")
    assert (file.read_bytes(), other.read_bytes()) == (b"new", b"new")
    assert inode(file) == inode(other)


def test_the_kernel_follows_the_link(tmp_path: Path) -> None:
    """So it may refuse to: here since links go round."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(Failure, match="Too many levels of symbolic links"):
        open_target(str(tmp_path / "a"))


def test_where_a_link_leads_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    file, link = tmp_path / "folder/file", tmp_path / "link"
    file.write_bytes(b"before")
    link.symlink_to("folder/file")
    with target(str(link), PROCESS) as sink:
        sink.write(b"after")
        assert file.read_bytes() == b"before"
    assert (link.is_symlink(), file.read_bytes()) == (True, b"after")
    assert left_in(tmp_path / "folder") == ["file"]


def test_nothing_is_left_where_a_link_led_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(RuntimeError):
        write_half(tmp_path / "link", RuntimeError)
    assert left_in(tmp_path) == ["link"]


@pytest.mark.parametrize("name", ["missing/", "file/", "folder/", "folder", "missing/file"])
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="can't be written") as caught:
        open_target(f"{tmp_path}/{name}")
    assert caught.value.code == ExitCode.WRITE
    assert left_in(tmp_path) == ["file", "folder"]


def test_the_longest_name_there_can_be(tmp_path: Path) -> None:
    name = "é" * 127 + "x"
    open_target(str(tmp_path / name), b"x")
    open_target(str(tmp_path / name), b"y")
    assert (tmp_path / name).read_bytes() == b"y"
    with pytest.raises(Failure, match="File name too long"):
        open_target(str(tmp_path / (name + "x")))
    assert left_in(tmp_path) == [name]


def as_nobody(script: str, *arguments: object) -> None:
    """Run Python without root's powers over files, as an ordinary user does."""
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = [*powerless, sys.executable, "-c", script, *map(str, arguments)]
    subprocess.run(command, check=True)


WRITE = """
import sys
from mphttp.cli.environment import Environment
from mphttp.cli.get.target import target
with target(sys.argv[1], Environment.of_process()) as sink:
    sink.write(b"new")
"""


@pytest.mark.slow
def test_a_file_in_a_folder_that_takes_no_other_is_written_in_place(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "file"
    file.write_bytes(b"something longer")
    before = inode(file)
    folder.chmod(0o555)
    try:
        as_nobody(WRITE, file)
    finally:
        folder.chmod(0o755)
    assert (file.read_bytes(), inode(file)) == (b"new", before)


@pytest.mark.slow
@AS_ROOT
def test_a_file_of_anothers_that_one_may_write_is_written_in_place(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"something longer")
    file.chmod(0o666)
    os.chown(file, 1001, 1001)
    as_nobody(WRITE, file)
    assert (file.read_bytes(), file.stat().st_uid) == (b"new", 1001)
    assert left_in(tmp_path) == ["file"]


@pytest.mark.slow
@AS_ROOT
def test_a_file_that_something_is_mounted_on_is_written(tmp_path: Path) -> None:
    """As /etc/hosts in a container: no other file can take its name."""
    file, source = tmp_path / "file", tmp_path / "source"
    file.touch()
    source.write_bytes(b"something longer")
    script = 'mount --bind "$1" "$2" && exec "$3" -c "$4" "$2"'
    command = ["unshare", "-m", "sh", "-ec", script, "sh", source, file, sys.executable, WRITE]
    subprocess.run([str(word) for word in command], check=True)
    assert source.read_bytes() == b"new"
    assert left_in(tmp_path) == ["file", "source"]


def test_an_open_file_of_a_process_is_written_where_it_is(tmp_path: Path) -> None:
    """Whoever has it open reads what came; another file in its place he wouldn't see."""
    with (tmp_path / "file").open("w+b") as file:
        open_target(f"/dev/fd/{file.fileno()}", b"through")
        assert file.read() == b"through"
    assert left_in(tmp_path) == ["file"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1", "file"])
def test_standard_output_by_another_name(tmp_path: Path, name: str) -> None:
    with (tmp_path / "file").open("wb") as out:
        out.write(b"before ")
        out.flush()
        subprocess.run([sys.executable, "-c", WRITE, name], cwd=tmp_path, stdout=out, check=True)
        out.seek(0, os.SEEK_END)
        out.write(b" after")
    assert (tmp_path / "file").read_bytes() == b"before new after"


def test_two_downloads_at_once_leave_one_of_them(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with target(str(file), PROCESS) as one, target(str(file), PROCESS) as two:
        one.write(b"one")
        two.write(b"two")
        one.write(b"one")
    assert file.read_bytes() in (b"oneone", b"two")
    assert left_in(tmp_path) == ["file"]


def test_two_downloads_never_write_one_file_in_place(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    os.link(file, tmp_path / "other")
    with target(str(file), PROCESS) as sink:
        sink.write(b"one")
        with pytest.raises(Failure, match="is being written by another download"):
            open_target(str(tmp_path / "other"), b"two")
    assert file.read_bytes() == b"one"
