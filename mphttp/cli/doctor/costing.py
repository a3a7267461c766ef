"""What doctor tells of paths that cost money, and of the files that say so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from mphttp.costs.wishes import Wishes
from mphttp.kernel import Finding

from .diagnosis import Diagnosis


def with_costs(diagnosis: Diagnosis, wishes: Wishes, problems: Iterable[str]) -> Diagnosis:
    """Add which paths cost money, or aren't used, and what is wrong with the files.

    Args:
        diagnosis: what was found otherwise.
        wishes: what files and the machine say of paths.
        problems: what is wrong with files, one sentence each.
    """
    names = dict.fromkeys(path.name for path in diagnosis.paths)
    more = [*_of_paths(names, wishes), *map(_of_file, problems)]
    return replace(diagnosis, findings=(*diagnosis.findings, *more))


def _of_paths(names: Iterable[str], wishes: Wishes) -> Iterator[Finding]:
    for name in names:
        if wishes.is_metered(name):
            by = "NetworkManager says" if wishes.told.get(name) else "its file says"
            what = f"{name} costs money, {by}: strategies prefer the others"
            yield Finding("metered", True, what)
    for pattern in wishes.never:
        yield Finding("never", True, f"{pattern} is used only by name (--path), its file says")


def _of_file(problem: str) -> Finding:
    return Finding("costs", False, problem, "docs/paths.md has a sample", needed=False)
