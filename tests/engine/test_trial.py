"""What is not live can be searched, and no shopper notices."""

from __future__ import annotations

import math

import msgspec
import pytest

from engine import (
    Engine,
    InvalidRequest,
    InvalidSettings,
    NoIndex,
    Query,
    SearchRequest,
    Settings,
    StoreLocked,
    StoreUnavailable,
)
from engine.settings import ProfileSettings

from . import shop as small
from .shop import PRODUCTS, ids, open_engine, renamed

RED_MUG = SearchRequest(Query("red mug"), profile="words")


def test_a_generation_that_is_not_live_answers_with_every_write(
    fresh: Engine, settings: Settings
) -> None:
    small.build(settings, "g2", [PRODUCTS["mug-red"], PRODUCTS["mug-blue"]])
    fresh.put([(renamed("mug-red", "written-meanwhile"), [])])
    with fresh.trial("g2") as trial:
        assert trial.generation == "g2"
        answer = trial.search(RED_MUG)
        assert answer.generation == "g2"
        assert set(ids(answer.hits)) == {"mug-red", "mug-blue", "written-meanwhile"}
        assert fresh.search(RED_MUG).generation == "g1", "no shopper notices"
    fresh.promote("g2")
    assert fresh.search(RED_MUG).generation == "g2"


def test_while_it_is_tried_it_stays_as_it_is(fresh: Engine, settings: Settings) -> None:
    small.build(settings, "g2", PRODUCTS.values())
    with fresh.trial("g2"):
        for change in (fresh.promote, fresh.drop):
            with pytest.raises(StoreLocked, match="being evaluated"):
                change("g2")
        with pytest.raises(StoreLocked), fresh.trial("g2"):
            pass
    fresh.drop("g2")


def test_the_live_generation_under_other_settings(fresh: Engine) -> None:
    other = msgspec.structs.replace(
        fresh.settings, profiles={"keywords": ProfileSettings((), (), weights={"text": 0})}
    )
    asked = SearchRequest(Query("red mug"), profile="keywords", explain=True)
    with fresh.trial(settings=other) as trial:
        explained = trial.search(asked).hits[0].explain
        assert explained is not None
        assert "text" not in explained.lanes
    with pytest.raises(InvalidRequest, match="keywords"):
        fresh.search(asked)


def test_numbers_can_be_adjusted(fresh: Engine) -> None:
    asked = SearchRequest(Query("red mug"), profile="words", explain=True)
    with fresh.trial() as trial:
        answer = trial.adjusted("words", {"weights.bm25": 0.0, "depth": 3}).search(asked)
        assert answer.total == 3
        assert answer.hits[0].explain is not None
        assert set(answer.hits[0].explain.lanes) == {"text"}
        again = trial.search(asked)
        assert again.total == len(PRODUCTS), "the trial itself has not changed"
        odd = ({"rrf_k": math.nan}, {"depth": math.inf}, {"weights.bm25": math.inf})
        wrongs = ({"weights.nonsense": 1.0}, {"weights.bm25": -1.0}, {"deep": 1}, {"depth": 0})
        for wrong in (*wrongs, *odd):
            with pytest.raises(InvalidRequest):
                trial.adjusted("words", wrong)


def test_an_evaluation_does_not_hold_up_the_end(fresh: Engine) -> None:
    with fresh.trial() as trial:
        trial.search(RED_MUG)
        fresh.end_trials()
        for each in (trial, trial.adjusted("words", {"depth": 3})):
            with pytest.raises(StoreUnavailable, match="closing"):
                each.search(RED_MUG)
        assert fresh.search(RED_MUG).hits, "shoppers are answered until the end"


def test_other_models_cannot_be_tried(fresh: Engine) -> None:
    salted = small.settings_for(fresh.settings.data_path, salt="x").encoders
    other = msgspec.structs.replace(fresh.settings, encoders=salted)
    with (
        pytest.raises(InvalidSettings, match="data folder of its own"),
        fresh.trial(settings=other),
    ):
        pass


def test_without_a_live_one_a_generation_must_be_named(settings: Settings) -> None:
    empty = msgspec.structs.replace(settings, data_dir="elsewhere")
    with open_engine(empty) as engine:
        with pytest.raises(NoIndex), engine.trial():
            pass
        small.build(empty, "g1", [PRODUCTS["mug-red"]])
        with engine.trial("g1") as trial:
            assert ids(trial.search(RED_MUG).hits) == ["mug-red"]
