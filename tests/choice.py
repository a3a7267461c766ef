"""Which tests a run leaves out, and how that is told at its end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest

CLIENTS = {
    *("httpx", "httpx-asyncio", "httpx-trio", "httpx2", "httpx2-asyncio"),
    *("requests", "curl", "httpx-curl", "curl-transport"),
}
"""Values of a parameter that says which client a test is for."""

REASONS = {
    "guest": "need the paper's kernel (make test-kernel)",
    "more": "show of another client or server what is shown of one (make test-all)",
    "lab": "need two real paths (make test)",
    "slow": "take more than a moment (make test)",
}
"""What is told of tests with a mark that were left out; the first that holds counts."""


def mark_more(items: Iterable[pytest.Item]) -> None:
    """Mark what needn't be run each time, of long tests that are there for several clients.

    Each is run for one client, which is another one from test to test; a case of the first in each
    file is run for all of them.
    """
    files: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        is_long = item.get_closest_marker("lab") or item.get_closest_marker("slow")
        if is_long and client_of(item):
            name = item.nodeid.partition("[")[0]
            files[name.partition("::")[0]][name].append(item)
    for functions in files.values():
        for number, same in enumerate(functions.values()):
            clients = list(dict.fromkeys(client_of(item) for item in same))
            for item in same:
                for_all = number == 0 and _case(item) == _case(same[0])
                if not for_all and client_of(item) != clients[number % len(clients)]:
                    item.add_marker(pytest.mark.more)


def longest_first(item: pytest.Item) -> float:
    """Return a key by which tests that are allowed more time than others come before them.

    Nobody is to wait in the end for one that began last.
    """
    mark = item.get_closest_marker("timeout")
    return -float(mark.args[0]) if mark else 0.0


def client_of(item: pytest.Item) -> str:
    """Return which client a test is for, or ""."""
    names = (getattr(value, "name", value) for value in _parameters(item))
    return next((name for name in names if isinstance(name, str) and name in CLIENTS), "")


def _case(item: pytest.Item) -> list[str]:
    """Return a test's parameters beside its client."""
    words = [str(getattr(value, "name", value)) for value in _parameters(item)]
    return [word for word in words if word not in CLIENTS]


def _parameters(item: pytest.Item) -> list[object]:
    callspec = getattr(item, "callspec", None)
    return [] if callspec is None else list(callspec.params.values())


def reasons_of(items: Iterable[pytest.Item]) -> Counter[str]:
    """Count tests that were left out by why they were."""
    marks = ({mark.name for mark in item.iter_markers()} for item in items)
    return Counter(next((name for name in REASONS if name in had), "") for had in marks)


def told(count: Counter[str]) -> str:
    """Say in a sentence what was left out, and what would run it; "" if nothing was."""
    parts = [f"{count[name]} {reason}" for name, reason in REASONS.items() if count[name]]
    return f"left out: {', '.join(parts)}" if parts else ""
