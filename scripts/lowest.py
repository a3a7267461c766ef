"""Print constraints that allow no version but the lowest that pyproject.toml declares."""

import re
import tomllib
from itertools import chain
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text())
declared = chain(
    project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()
)
for requirement in declared:
    name, lowest = re.fullmatch(r"([\w.-]+)>=([\w.]+)(?:,<[\w.]+)?", requirement).groups()
    print(f"{name}=={lowest}")
