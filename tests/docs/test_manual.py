"""What the manual shows works: programs compile and find their imports, commands are understood."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mphttp.cli.get.options import read
from mphttp.cli.parser import Told, parse

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a page in a language."""
    found = BLOCK.findall(page.read_text())
    return [textwrap.dedent(text) for _, word, text in found if word == language]


def of_all_pages(language: str) -> list[Any]:
    return [
        pytest.param(text, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, text in enumerate(blocks(page, language), 1)
    ]


@pytest.mark.parametrize("program", of_all_pages("python"))
def test_a_program_compiles_and_what_it_imports_is_there(program: str) -> None:
    tree = ast.parse(program)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in imports:
        exec(compile(ast.Module([node], []), "imports of the manual", "exec"), {})


def commands() -> Iterator[Any]:
    for page in PAGES:
        for text in [*blocks(page, "console"), *blocks(page, "")]:
            for line in text.splitlines():
                words = shlex.split(line.removeprefix("$ ").replace("…", ""), comments=True)
                if words[:1] == ["mphttp"] and "…" not in line and "|" not in words:
                    yield pytest.param(words[1:], id=" ".join(words))


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_can_be_understood(words: list[str]) -> None:
    end = next((place for place, word in enumerate(words) if word in ("&", ">", "2>")), None)
    replaced = [re.sub(r"\$\w+", "http://127.0.0.1:8000", word) for word in words[:end]]
    try:
        parse(replaced)
        if replaced[0] == "get":
            read(replaced[1:])
    except Told:
        pass  # --help and --version end it


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_link_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_page_is_in_the_manual() -> None:
    contents = (ROOT / "docs" / "index.md").read_text()
    names = {
        str(page.relative_to(ROOT / "docs").with_suffix(""))
        for page in PAGES
        if "docs" in page.parts
    }
    missing = {name for name in names - {"index"} if f"\n{name}\n" not in contents}
    assert missing == set()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = bytes(int(self.path.rpartition("/")[2]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.slow
def test_the_tutorial_s_program_runs() -> None:
    (program,) = blocks(ROOT / "docs" / "tutorial.md", "python")
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{server.server_port}"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"MPHTTP_LAB_ORIGIN": origin},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        server.shutdown()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("met after")
    assert re.search(r"^lo 50\d{5}$", done.stdout, re.MULTILINE)  # the body, and its head
