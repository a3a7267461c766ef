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
from mphttp.cli.url import name_from_url, parse_url

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
    [("http://a/b/c.iso", "c.iso"), ("http://a/c.iso?x=/y", "c.iso"), ("http://a/b%2Fc", "c")],
)
def test_the_name_from_the_url(url: str, name: str) -> None:
    assert name_from_url(parse_url(url)) == name


@pytest.mark.parametrize(
    "url", ["http://a", "http://a/", "http://a/b/", "http://a/%2e%2e", "http://a/%00"]
)
def test_a_url_without_a_name_is_refused(url: str) -> None:
    """No URL can make -O write outside of the current folder."""
    with pytest.raises(Failure, match="doesn't end in a file name") as caught:
        name_from_url(parse_url(url))
    assert caught.value.code == ExitCode.USAGE
