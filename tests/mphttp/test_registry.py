from importlib.metadata import EntryPoint

import pytest

from mphttp import registry
from mphttp.strategies import Deadline, DelayedByContentLength, FullMesh, Refresh, SinglePath

BUILT_IN = {
    "deadline": Deadline,
    "delayed": DelayedByContentLength,
    "fullmesh": FullMesh,
    "refresh": Refresh,
    "single": SinglePath,
}


@pytest.mark.parametrize(("name", "strategy"), BUILT_IN.items())
def test_built_in_strategies_are_registered_like_any_other(name, strategy) -> None:
    assert name in registry.names()
    assert registry.load(name) is strategy


@pytest.mark.parametrize(("name", "strategy"), BUILT_IN.items())
def test_a_strategy_is_registered_under_the_name_that_reports_tell(name, strategy) -> None:
    assert strategy.name == name


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(registry.UnknownStrategy, match=r"known are .*deadline") as caught:
        registry.load("deadlin")
    assert set(BUILT_IN) <= set(caught.value.known)


@pytest.mark.parametrize(
    "value", ["no_such_module:Thing", "json:Thing", "json:loads", "json:JSONDecoder"]
)
def test_a_broken_entry_point_is_one_kind_of_error(monkeypatch, value) -> None:
    """A package that registers what can't be imported, or is no strategy, is said to be broken."""
    point = EntryPoint("broken", value, registry.GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])  # noqa: ARG005
    with pytest.raises(registry.BrokenStrategy, match="broken"):
        registry.load("broken")
