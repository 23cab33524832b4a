"""How probable it is that a hit is right: laws of the calibration."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.search
from engine import (
    Candidate,
    Engine,
    LaneHit,
    PluginManager,
    Query,
    SearchRequest,
    SearchResponse,
    SortBy,
)
from engine.fusion import Fusion, Scale
from engine.relevance import DOUBTFUL, SHIPPED, Calibration, Model, Relevance, Term

WORDS = Fusion(
    {"text": 0.2, "image": 0.4, "bm25": 0.4},
    scales={"text": Scale(0.24, 0.8), "image": Scale(0.26, 0.5), "bm25": Scale(0.0, 9.0)},
)
PHOTO = Fusion({"photo": 1.0}, scales={"photo": Scale(0.25, 0.9)})
BOTH = Fusion({**WORDS.weights, **PHOTO.weights}, scales={**WORDS.scales, **PHOTO.scales})


def relevance(fusion: Fusion = WORDS, image_weight: float = 0.5, **scores: float) -> float:
    lanes = {name: LaneHit(1, score) for name, score in scores.items()}
    found = Relevance(SHIPPED, fusion, 3, image_weight)(Candidate("p", lanes, 0.5))
    assert found is not None
    return found


@given(st.sampled_from(["text", "image", "bm25"]), st.floats(0.3, 0.7), st.floats(0.01, 0.2))
def test_a_better_score_is_more_relevant(lane: str, score: float, more: float) -> None:
    scores = {"text": 0.4, "image": 0.3, "bm25": 2.0}
    low, high = ({**scores, lane: value} for value in (score, score + more))
    assert 0 < relevance(**low) < relevance(**high) < 1


def test_good_hits_are_told_from_bad_ones() -> None:
    assert relevance(text=0.75, image=0.5, bm25=8.0) > 0.9
    assert relevance(text=0.3, image=0.27) < DOUBTFUL / 2


def test_what_a_lane_did_not_find_is_as_good_as_its_end() -> None:
    assert relevance(text=0.6, bm25=4.0) == relevance(text=0.6, bm25=4.0, image=0.26)


def test_a_lane_that_found_nothing_speaks_for_itself() -> None:
    no_photos = msgspec.structs.replace(WORDS, scales={"text": Scale(0.24, 0.8)})
    assert relevance(no_photos, text=0.8) > relevance(no_photos, text=0.3)


def test_photo_and_words_are_mixed_as_asked() -> None:
    words, photo = {"text": 0.3, "image": 0.27}, {"photo": 0.9}
    low, high = relevance(**words), relevance(PHOTO, **photo)
    mixed = [relevance(BOTH, weight / 10, **words, **photo) for weight in range(11)]
    assert mixed == sorted(mixed)
    assert (mixed[0], mixed[-1]) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_words_or_a_photo_alone_weigh_all_there_is(weight: float) -> None:
    assert relevance(WORDS, weight, text=0.6) == relevance(WORDS, text=0.6)
    assert relevance(PHOTO, weight, photo=0.6) == relevance(PHOTO, photo=0.6)


def test_an_identifier_is_certain() -> None:
    assert relevance(codes=3.0) == 1.0


def test_nothing_is_said_without_lanes_or_calibrated_ones() -> None:
    model = Relevance(SHIPPED, Fusion({"like_text": 1.0}, scales={"like_text": Scale(0, 1)}), 0)
    assert model(Candidate("p", {}, 0.0)) is None
    assert model(Candidate("p", {"like_text": LaneHit(1, 0.9)}, 1.0)) is None


def test_other_encoders_are_not_calibrated(shop: Engine) -> None:
    answer = shop.search(SearchRequest(Query(text="red shoe")))
    assert answer.relevance is None
    assert all(hit.relevance is None for hit in answer.hits)


def test_a_search_is_as_relevant_on_every_page_and_in_every_order(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = PluginManager().create("encoders", "hash").info
    here = (info.name, info.version)
    words = Model(-2.0, {"text": Term(3.0), "bm25": Term(0.5)})
    monkeypatch.setattr(engine.search, "SHIPPED", Calibration(here, here, words, words))

    def ask(**more: Any) -> SearchResponse:
        return shop.search(SearchRequest(Query(text="red shoe"), **{"limit": 3, **more}))

    everything = ask(limit=100)
    best = max(hit.relevance for hit in everything.hits if hit.relevance is not None)
    assert everything.relevance == best
    for offset in (0, 3, 900):
        for order in (None, SortBy("price", "desc")):
            assert ask(offset=offset, sort=order).relevance == best
    assert shop.search(SearchRequest(filters={})).relevance is None
