"""The small shop, open for reading all session long, and fresh copies to write to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Settings

from . import shop as small
from . import toys

OpenShop = Callable[..., Engine]


def copy_shop(built: Path, to: Path) -> Path:
    """Qdrant's files are 300 MB of holes with little between them: only that is copied."""

    def copy(source: str, target: str) -> None:
        with open(source, "rb") as there, open(target, "wb") as here:
            end = os.fstat(there.fileno()).st_size
            here.truncate(end)
            at = 0
            while at < end:
                try:
                    at = os.lseek(there.fileno(), at, os.SEEK_DATA)
                except OSError:  # nothing but a hole from here on
                    break
                stop = os.lseek(there.fileno(), at, os.SEEK_HOLE)
                here.seek(at)
                there.seek(at)
                here.write(there.read(stop - at))
                at = stop

    shutil.copytree(built, to, copy_function=copy)
    return to


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generation ``g1`` live; copied, never opened."""
    folder = tmp_path_factory.mktemp("shop")
    settings = small.settings_for(folder)
    small.build(settings, "g1", small.PRODUCTS.values())
    small.make_live(settings, "g1")
    for product_id in small.PRODUCTS:
        small.photo_of(product_id).save(folder / f"{product_id}.png")
    return folder


@pytest.fixture(scope="session")
def shop(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """For reading only."""
    folder = copy_shop(built, tmp_path_factory.mktemp("reading") / "shop")
    with small.open_engine(small.settings_for(folder)) as engine:
        yield engine


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A copy of the built shop."""
    return copy_shop(built, tmp_path / "shop")


@pytest.fixture
def settings(folder: Path) -> Settings:
    return small.settings_for(folder)


@pytest.fixture
def fresh(settings: Settings) -> Iterator[Engine]:
    """For writing."""
    with small.open_engine(settings) as engine:
        yield engine


@pytest.fixture
def open_shop(folder: Path) -> Iterator[OpenShop]:
    """Opens the copy with settings of one's own; closes what it opened."""
    opened: list[Engine] = []

    def open_engine(**options: Any) -> Engine:
        opened.append(small.open_engine(small.settings_for(folder, **options)))
        return opened[-1]

    yield open_engine
    for engine in reversed(opened):
        engine.close()


@pytest.fixture(autouse=True)
def _nothing_hangs_on() -> Iterator[None]:
    toys.release.clear()
    yield
    toys.release.set()
