"""How the manual is built: `make docs`."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

from pygments.lexers.special import TextLexer
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


def _tables(*told: Any) -> None:
    """Put what the command line knows of itself into a page, where a comment names the table."""
    source: list[str] = told[-1]
    for name, (titles, *rows) in _TABLES.items():
        lines = (f"| {' | '.join(row)} |" for row in (titles, ["---"] * len(titles), *rows))
        source[0] = source[0].replace(f"<!-- table: {name} -->", "\n".join(lines))


def setup(app: Sphinx) -> None:
    """Add what pages and docstrings here need."""
    app.connect("autodoc-process-docstring", _pictures, priority=400)  # before napoleon's
    app.connect("source-read", _tables)
    app.add_lexer("mermaid", TextLexer)  # pages on the web draw it; here it can be read
