"""What is told of all commands: pages for man, completion in real shells, help for one option."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.cli.manual import pages
from mphttp.cli.parser import COMMANDS
from mphttp.cli.variables import CLIENTS, VARIABLES


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    for name, text in pages().items():
        (folder / f"{name}.1").write_text(text)
    return folder


def test_there_is_a_page_for_each_command(run, tmp_path: Path) -> None:
    assert run("manual", "--into", str(tmp_path / "man1")).code == 0
    made = {path.name for path in (tmp_path / "man1").iterdir()}
    assert made == {"mphttp.1", *(f"mphttp-{name}.1" for name in COMMANDS)}
    assert run("manual", "get").out.startswith(b".TH MPHTTP-GET 1 ")
    assert run("manual", "gett").code == ExitCode.USAGE


def test_pages_are_without_fault(folder: Path) -> None:
    mandoc = tool("mandoc")
    names = sorted(map(str, folder.iterdir()))
    told = subprocess.run(
        [mandoc, "-Tlint", "-Wwarning", *names], capture_output=True, text=True, check=False
    )
    assert told.stdout + told.stderr == ""


@pytest.mark.slow
def test_man_shows_them_without_a_warning(folder: Path) -> None:
    man = tool("man")
    for path in folder.iterdir():
        words = [man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(path)]
        environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
        told = subprocess.run(words, capture_output=True, text=True, check=False, env=environ)
        assert (told.returncode, told.stderr) == (0, "")


def test_a_page_has_each_option_and_variable() -> None:
    page = pages()["mphttp-get"]
    for word in ("-o", "--connect-to", "HOST1:PORT1", "EXIT STATUS", "ENVIRONMENT", "no_proxy"):
        assert word.replace("-", "\\-") in page


@pytest.mark.slow
def test_help_for_one_option(run) -> None:
    for word in ("deadline", "--deadline"):
        assert b"--deadline TIME\n    strategy deadline" in run("help", word).out
    assert b"mphttp get: -Z, --parallel\n" in run("help", "-Z").out
    assert b"show what there is now" in run("help", "watch").out
    assert all(name.encode() in run("help", "environment").out for name in VARIABLES)
    assert set(CLIENTS) <= set(VARIABLES)
    assert b"mphttp [-h]" in run("help").out
    wrong = run("help", "dedline")
    assert wrong.code == ExitCode.USAGE
    assert "did you mean --deadline?" in wrong.err


def completed(shell: str, run, tmp_path: Path, line: str) -> list[str]:
    """Return what a shell makes of a line whose last word is to be completed."""
    script = tmp_path / f"completion.{shell}"
    result = run("completion", shell)
    assert result.code == 0, result.err
    script.write_bytes(result.out)
    if shell == "fish":
        ask = f"source {script}; complete -C'{line}'"
    else:
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        function = "$(complete -p mphttp | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
        ask = (
            f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
            f"COMP_LINE='{line}'; COMP_POINT={len(line)}; {function}; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
    words_of_shell = {"fish": ["--no-config", "-c"], "bash": ["--norc", "-c"]}[shell]
    told = subprocess.run(
        [tool(shell), *words_of_shell, ask],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    return [each.split("\t")[0].strip() for each in told.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_words_are_completed(run, tmp_path: Path, shell: str) -> None:
    pytest.importorskip("shtab")
    tool(shell)
    (tmp_path / "a-file").touch()
    for line, word in (
        ("mphttp g", "get"),
        ("mphttp get --connect-", "--connect-to"),
        ("mphttp get --strategy dead", "deadline"),
        ("mphttp get --backend c", "curl"),
        ("mphttp get --path l", "lo"),
        ("mphttp get -o a-", "a-file"),
        ("mphttp completion f", "fish"),
    ):
        assert word in completed(shell, run, tmp_path, line), line


@pytest.mark.slow
def test_words_are_completed_in_zsh(run, tmp_path: Path) -> None:
    """zsh completes only at its line editor, so that it has a terminal of its own."""
    pytest.importorskip("shtab")
    pexpect = pytest.importorskip("pexpect")
    zsh = tool("zsh")
    (tmp_path / "_mphttp").write_bytes(run("completion", "zsh").out)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb"}
    shell = pexpect.spawn(zsh, ["-f", "-i"], env=environ, timeout=20, cwd=str(tmp_path))
    try:
        shell.sendline("PS1='R''EADY '; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u")
        shell.expect("READY ")
        for typed, word in (
            ("mphttp get --max-f\t", "--max-filesize"),
            ("mphttp get --strategy deadl\t", "deadline"),
        ):
            shell.send(typed)
            shell.expect_exact(word)
            shell.sendcontrol("u")
    finally:
        shell.close(force=True)


def test_completion_needs_a_package(run, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "shtab", None)
    result = run("completion", "bash")
    assert result.code == ExitCode.USAGE
    assert "pip install 'mphttp[completion]'" in result.err
