"""How the manual is built: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version as version_of
from typing import Any

from sphinx.application import Sphinx

from mphttp.cli.exits import ExitCode
from mphttp.cli.variables import CLIENTS, FILES, VARIABLES

project = "mphttp"
version = release = version_of("mphttp")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

smartquotes_action = "qe"  # two hyphens stay: they begin an option

html_theme = "furo"
html_title = f"mphttp {release}"
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

default_role = "code"
highlight_language = "none"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
python_use_unqualified_type_names = True


def _pictures(*told: Any) -> None:
    """Mark what is indented after a blank line as literal: pictures of paths, and examples."""
    lines: list[str] = told[-1]
    marked: list[str] = []
    literal = False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not literal and marked and not marked[-1].strip():
            marked += ["::", ""]
            literal = True
        elif line.strip() and not indented:
            literal = False
        marked.append(line)
    lines[:] = marked


def _code(words: str) -> str:
    return ", ".join(f"`{word}`" for word in words.split(", "))


_TABLES = {
    "variables": [
        ("variable", "read, too, by", "what it is"),
        *((_code(name), CLIENTS.get(name, ""), meaning) for name, meaning in VARIABLES.items()),
    ],
    "files": [("file", "what it is"), *((_code(name), what) for name, what in FILES.items())],
    "exit codes": [
        ("code", "what it says"),
        *((str(code.value), code.meaning) for code in sorted(ExitCode)),
    ],
}


def _table(titles: Sequence[str], *rows: Sequence[str]) -> str:
    lines = (f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows))
    return "\n".join(lines)


def _tables(*told: Any) -> None:
    """Put what the command line knows of itself into a page, where a comment names the table."""
    source: list[str] = told[-1]
    for name, table in _TABLES.items():
        source[0] = source[0].replace(f"<!-- table: {name} -->", _table(*table))


def _states(*told: Any) -> None:
    """Show Mermaid's diagrams of states, which pages on the web draw, as tables."""
    source: list[str] = told[-1]
    source[0] = re.sub(
        r"```mermaid\nstateDiagram-v2\n(.*?)```", _table_of_states, source[0], flags=re.DOTALL
    )


def _table_of_states(diagram: re.Match[str]) -> str:
    arrows = re.findall(r"(\w+) --> (\w+): (\w+)", diagram[1])
    after = {(before, cause): state for before, state, cause in arrows}
    states = dict.fromkeys(before for before, _, _ in arrows)
    causes = dict.fromkeys(cause for _, _, cause in arrows)
    rows = ([f"**{one}**", *(after.get((one, cause), "") for cause in causes)] for one in states)
    return _table(("", *causes), *rows)


def setup(app: Sphinx) -> None:
    """Add what pages and docstrings here need."""
    app.connect("autodoc-process-docstring", _pictures, priority=400)  # before napoleon's
    app.connect("source-read", _tables)
    app.connect("source-read", _states)
