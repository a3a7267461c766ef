"""How the manual is built: `make docs`."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

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


def setup(app: Sphinx) -> None:
    """Add what pages and docstrings here need."""
    app.connect("autodoc-process-docstring", _pictures, priority=400)  # before napoleon's
    app.add_lexer("mermaid", TextLexer)  # pages on the web draw it; here it can be read
