"""The picture of a subflow's states in the documentation is the table's."""

from pathlib import Path

from mphttp.core.subflow import diagram

ARCHITECTURE = Path(__file__).parents[3] / "docs" / "architecture.md"


def test_the_picture_is_the_table_s() -> None:
    assert f"```mermaid\n{diagram()}\n```" in ARCHITECTURE.read_text()
