"""Rankers and arrangers that are for known shoppers: for anybody else they are not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest

from engine import Engine, ForKnownShoppers, Query, RankingBatch, SearchRequest, hookimpl
from engine.settings import ProfileSettings

from . import shop as small
from .test_behaviour import did, opened


class Watching:
    """Changes nothing but the order of an arranger, and remembers what it was given."""

    required_fields: tuple[str, ...] = ("brand",)
    required_vectors: tuple[str, ...] = ("text",)
    required_behaviour: tuple[Literal["profile"], ...] = ("profile",)

    def __init__(self, for_known_shoppers: bool) -> None:
        self.for_known_shoppers = for_known_shoppers
        self.seen: list[RankingBatch] = []

    def rank(self, batch: RankingBatch) -> Any:
        self.seen.append(batch)
        return batch.scores * (1 + np.arange(len(batch.ids), dtype=np.float32))

    def arrange(self, batch: RankingBatch) -> Any:
        self.seen.append(batch)
        return np.arange(len(batch.ids))[::-1]


class Plain(Watching):
    """One that asks for nothing."""

    required_fields = ()
    required_vectors = ()
    required_behaviour = ()


@pytest.fixture
def fond() -> Watching:
    return Watching(for_known_shoppers=True)


@pytest.fixture
def plain() -> Plain:
    return Plain(for_known_shoppers=False)


@pytest.fixture
def engine(folder: Path, fond: Watching, plain: Plain) -> Iterator[Engine]:
    module = ModuleType("watching")

    @hookimpl
    def register_rankers(register: Any) -> None:
        register("fond", lambda options: fond)
        register("watching", lambda options: plain)

    @hookimpl
    def register_arrangers(register: Any) -> None:
        register("fond", lambda options: fond)

    module.register_rankers = register_rankers  # type: ignore[attr-defined]
    module.register_arrangers = register_arrangers  # type: ignore[attr-defined]
    settings = small.settings_for(
        folder,
        none=ProfileSettings(rankers=()),
        ranked=ProfileSettings(rankers=("fond",)),
        arranged=ProfileSettings(rankers=(), arrangers=("fond",)),
        watched=ProfileSettings(rankers=("watching", "fond")),
    )
    with opened(settings, module) as engine:
        yield engine


def search(engine: Engine, profile: str, **request: Any) -> list[str]:
    answer = engine.search(SearchRequest(Query("shoe"), profile=profile, limit=48, **request))
    assert not answer.degraded
    return small.ids(answer.hits)


@pytest.mark.parametrize("profile", ["ranked", "arranged"])
def test_they_are_called_for_the_known_alone(engine: Engine, fond: Watching, profile: str) -> None:
    assert isinstance(fond, ForKnownShoppers)
    usual = search(engine, "none")
    engine.record([did("click", "shoe-red")])
    assert search(engine, profile) == usual
    assert search(engine, profile, user_id="stranger", session_id="new") == usual
    assert fond.seen == []
    assert search(engine, profile, user_id="ada") != usual
    assert fond.seen[0].profile is not None
    engine.erase_user("ada")
    assert search(engine, profile, user_id="ada") == usual
    assert len(fond.seen) == 1


def test_nothing_is_fetched_for_them_otherwise(engine: Engine, plain: Plain) -> None:
    search(engine, "watched", user_id="ada")
    assert plain.seen[0].vectors == {}
    assert "brand" not in plain.seen[0].columns
    engine.record([did("click", "shoe-red")])
    search(engine, "watched", user_id="ada")
    assert plain.seen[1].vectors.keys() == {"text"}
    assert "brand" in plain.seen[1].columns


def test_what_the_profile_speaks_of_is_there(engine: Engine, fond: Watching) -> None:
    engine.record([did("click", "shoe-red")])
    search(engine, "ranked", user_id="ada")
    (batch,) = fond.seen
    assert batch.profile is not None
    assert set(batch.profile.fields) >= {"color", "category"}
    assert batch.columns.keys() >= set(batch.profile.fields)
    assert "red" in batch.columns["color"]
