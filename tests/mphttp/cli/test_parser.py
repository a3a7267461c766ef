import subprocess
import sys
from importlib.metadata import version

import pytest

from mphttp.cli.exits import ExitCode


def test_version(run) -> None:
    result = run("--version")
    assert (result.code, result.out.decode()) == (0, f"mphttp {version('mphttp')}\n")


@pytest.mark.parametrize("command", [(), ("get",), ("doctor",)])
def test_help_goes_to_stdout_and_is_no_error(run, command) -> None:
    result = run(*command, "--help")
    assert result.code == 0
    assert result.out.startswith(b"usage: mphttp")
    assert result.err == ""


@pytest.mark.parametrize("command", [(), ("get",)])
def test_help_lists_every_exit_code(run, command) -> None:
    told = run(*command, "--help").out.decode()
    for code in ExitCode:
        assert f"{code.value:>3}  {code.meaning}" in told


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fetch",),
        ("get",),
        ("get", "--no-such-option", "http://a"),
        ("get", "--deadline", "soon", "http://a"),
    ],
)
def test_a_bad_command_line_is_a_sentence_and_a_hint(run, arguments) -> None:
    result = run(*arguments)
    error, hint = result.err.splitlines()
    assert result.code == ExitCode.USAGE
    assert error.startswith("error: ")
    assert hint.startswith("hint: mphttp")
    assert result.out == b""


def test_the_words_of_a_bad_value_say_what_is_allowed(run) -> None:
    assert "'soon' is no duration, such as 10s" in run("get", "--deadline", "soon", "http://a").err


def test_help_starts_quickly() -> None:
    """`mphttp --help` imports none of the heavy libraries."""
    heavy = {"httpx", "httpcore", "rich", "pyroute2", "ssl", "asyncio"}
    program = (
        "import sys\n"
        "from mphttp.cli import main\n"
        "main(['--help'])\n"
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


@pytest.mark.slow
def test_a_download_imports_only_what_it_uses(server) -> None:
    """rich is for live progress, pyroute2 for the lab; httpcore imports trio by itself.

    Names of strategies are looked up (importlib.metadata) only if one is named, or for help.
    """
    heavy = {"rich", "pyroute2", "trio._core", "importlib.metadata", "tomllib", "difflib"}
    program = (
        "import sys\n"
        "from mphttp.cli import main\n"
        "assert main() == 0\n"
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    words = ["get", "-o", "/dev/null", f"{server.url}/bytes/10"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


def test_a_bug_is_one_sentence_and_the_traceback_only_on_request(run, monkeypatch) -> None:
    """Whatever a command raises, people never meet a traceback that they didn't ask for."""

    def broken(*_: object) -> None:
        raise KeyError("something")

    monkeypatch.setattr("mphttp.cli.get.command.jobs", broken)
    result = run("get", "http://a")
    assert result.code == ExitCode.BUG
    assert "Traceback" not in result.err
    assert "error: a bug in mphttp: KeyError: 'something'\nhint: " in result.err
    told = run("get", "http://a", environ={"MPHTTP_TRACEBACK": "1"}).err
    assert "Traceback" in told


def test_what_is_put_off_is_there_once_it_is_used() -> None:
    program = (
        "import sys\n"
        "from mphttp.cli.put_off import put_off\n"
        "put_off('trio'); put_off('no_such_package')\n"
        "import trio, trio as again\n"
        "assert 'trio._core' not in sys.modules\n"
        "import trio.abc\n"
        "from trio import sleep\n"
        "assert again.run(sleep, 0) is None and trio.abc.Stream\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
