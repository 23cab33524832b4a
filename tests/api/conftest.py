"""Shops behind a real HTTP server: one to read, and one of each test's own to write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from engine import Engine
from tests.api.harness import build, make_photos, make_settings, serving


@pytest.fixture(scope="session")
def photo_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_photos(tmp_path_factory.mktemp("catalogue"))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, photo_root: Path) -> Iterator[httpx.Client]:
    """A client of a shop that the tests only read."""
    settings = make_settings(tmp_path_factory.mktemp("data"))
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        yield client


@pytest.fixture
def own_shop(tmp_path: Path, photo_root: Path) -> Iterator[httpx.Client]:
    """A client of a shop of this test's own, for writing."""
    settings = make_settings(tmp_path / "data")
    build(settings, photo_root)
    with Engine.open(settings) as engine, serving({"test": engine}) as client:
        yield client
