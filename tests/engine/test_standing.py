"""What becomes of one product in a search: as the search itself has it, and with the cause."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, NotFound, Query, SearchRequest, SortBy
from engine.settings import ProfileSettings, SearchSettings

from . import shop as small
from .conftest import copy_shop
from .shop import PRODUCTS, ids, photo

WORDS = Query(text="red shoe")
RULES = {"rules": [{"id": "no-pink", "then": {"hide": [{"filters": {"color": "pink"}}]}}]}


@pytest.fixture(scope="module")
def ruled(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = copy_shop(built, tmp_path_factory.mktemp("standing") / "shop")
    profiles: dict[str, Any] = {
        "arranged": ProfileSettings(arrangers=("drop-odd", "turn")),
        "grouped": ProfileSettings(group_by="group_id"),
        "strict": ProfileSettings(cutoffs={"text": 0.9, "image": 0.9, "bm25": 90.0, "codes": 90.0}),
    }
    settings = small.settings_for(folder, search=SearchSettings(depth=10), **profiles)
    with small.open_engine(settings) as engine:
        engine.rules.path.write_text(json.dumps(RULES))
        yield engine


def asked(query: Query | None = WORDS, **more: Any) -> SearchRequest:
    return SearchRequest(query, **more)


@pytest.mark.parametrize(
    ("query", "more"),
    [
        (WORDS, {}),
        (Query(image=photo("lamp", "green")), {}),
        (Query(text="red shoe", image=photo("lamp", "green"), image_weight=0.3), {}),
        (Query(like=("bag-red",)), {}),
        (WORDS, {"profile": "arranged"}),
        (WORDS, {"profile": "grouped"}),
        (WORDS, {"filters": {"color": ["red", "pink"]}, "sort": SortBy("price")}),
        (None, {"filters": {"color": "red"}}),
    ],
)
def test_it_is_what_the_search_says(ruled: Engine, query: Query | None, more: Any) -> None:
    request = asked(query, limit=1000, explain=True, **more)
    answer = ruled.search(request)
    places = {hit.id: place for place, hit in enumerate(answer.hits, start=1)}
    for product in list(PRODUCTS)[::5]:
        standing = ruled.standing(product, asked(query, limit=3, offset=2, **more))
        assert standing.place == places.get(product)
        assert (standing.outcome == "shown") == (product in places)
        assert standing.total == answer.total
        assert standing.summary
        if standing.place:
            assert standing.explain == answer.hits[standing.place - 1].explain
            assert standing.barriers == ()
        for name, lane in standing.lanes.items():
            assert lane.found == (not lane.why)
            if standing.explain and lane.found:
                assert standing.explain.lanes[name].rank == lane.rank
                assert standing.explain.lanes[name].score == lane.score


def test_a_rule_that_hides_is_named(ruled: Engine) -> None:
    standing = ruled.standing("shoe-pink", asked())
    assert (standing.outcome, [(b.by, b.rule) for b in standing.barriers]) == (
        "filtered",
        [("rule", "no-pink")],
    )
    assert "no-pink" in standing.summary
    assert all(not lane.found for lane in standing.lanes.values())


def test_the_filters_that_keep_it_out_are_named(ruled: Engine) -> None:
    filters = {"color": "red", "price": {"gte": 0, "lte": 1000}}
    standing = ruled.standing("shoe-blue", asked(filters=filters))
    (barrier,) = standing.barriers
    assert (standing.outcome, barrier.by, barrier.has) == ("filtered", "filter", "blue")
    assert barrier.wanted == {"field": "color", "values": ["red"]}


def test_an_example_is_no_result(ruled: Engine) -> None:
    standing = ruled.standing("bag-red", asked(Query(like=("bag-red",))))
    assert [barrier.by for barrier in standing.barriers] == ["like"]


def test_what_lies_beyond_a_lanes_depth_has_its_true_rank(ruled: Engine) -> None:
    deep = ruled.search(asked(limit=1000, profile="default"))
    missing = next(id for id in PRODUCTS if id not in ids(deep.hits) and "pink" not in id)
    standing = ruled.standing(missing, asked())
    assert (standing.outcome, standing.fused_rank) == ("not found", None)
    lane = standing.lanes["text"]
    assert lane.rank is not None
    assert lane.rank > lane.last_rank == 10
    assert lane.score is not None
    assert lane.last_score is not None
    assert lane.score <= lane.last_score
    assert str(lane.rank) in lane.why


def test_a_cut_off_is_named(ruled: Engine) -> None:
    standing = ruled.standing("sofa-blue", asked(profile="strict"))
    assert standing.outcome == "not found"
    assert "cut-off of 0.9" in standing.lanes["text"].why
    assert standing.lanes["bm25"].why == "it has none of the words"


def test_the_arranger_that_dropped_it_is_named(ruled: Engine) -> None:
    shown = ids(ruled.search(asked(limit=1000, profile="arranged")).hits)
    whole = ids(ruled.search(asked(limit=1000)).hits)
    dropped = next(id for id in whole if id not in shown)
    standing = ruled.standing(dropped, asked(profile="arranged"))
    assert (standing.outcome, standing.by) == ("dropped", "drop-odd")
    assert standing.fused_rank is not None


def test_the_one_that_stands_for_its_family_is_named(ruled: Engine) -> None:
    hits = ruled.search(asked(limit=1000, profile="grouped")).hits
    leader = next(hit for hit in hits if hit.variants)
    assert leader.variants is not None
    standing = ruled.standing(leader.variants.ids[0], asked(profile="grouped"))
    assert (standing.outcome, standing.by) == ("grouped", leader.id)


@pytest.mark.parametrize(
    ("query", "more"),
    [
        (None, {}),
        (None, {"sort": SortBy("price"), "group_by": "group_id"}),
        (WORDS, {"sort": SortBy("price")}),
        (WORDS, {"profile": "grouped"}),
    ],
)
def test_what_no_page_shows(
    ruled: Engine, monkeypatch: pytest.MonkeyPatch, query: Query | None, more: Any
) -> None:
    """As beyond the thousandth place, for products that stand for no family but themselves."""
    whole = ids(ruled.search(asked(query, limit=1000, **more)).hits)
    monkeypatch.setattr("engine.standing.MAX_WINDOW", 5)
    alone = [id for id in whole[5:] if not PRODUCTS[id].group_id]
    assert alone
    for product in alone:
        standing = ruled.standing(product, asked(query, **more))
        assert (standing.outcome, standing.place) == ("below the last page", None)


def test_what_is_sorted_by_a_field_is_not_arranged(ruled: Engine) -> None:
    request: dict[str, Any] = {"profile": "drop-all", "group_by": "group_id"}
    request["sort"] = SortBy("price")
    hits = ruled.search(asked(limit=1000, **request)).hits
    folded = [(id, hit.id) for hit in hits if hit.variants for id in hit.variants.ids]
    assert folded
    for product, leader in folded:
        standing = ruled.standing(product, asked(**request))
        assert (standing.outcome, standing.by) == ("grouped", leader)


def test_an_identifier_that_too_many_have(ruled: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.lanes.IDENTIFIED", 0)
    standing = ruled.standing("shoe-red", asked(Query(text="shoe-red")))
    assert "identifier" in standing.lanes["codes"].why


def test_an_unknown_product(ruled: Engine) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        ruled.standing("nowhere", asked())
