"""Searching the small shop by words, photo, both, and likeness."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import Engine, Hit, InvalidRequest, NotFound, Query, SearchRequest, SearchResponse
from engine.filters import matches, parse_filters
from engine.schema import field_values
from engine.settings import ProfileSettings

from .conftest import OpenShop
from .shop import KINDS, PRODUCTS, SCHEMA, ids, photo

ALL = len(PRODUCTS)


def search(shop: Engine, query: Query | None = None, **request: Any) -> SearchResponse:
    return shop.search(SearchRequest(query, **{"limit": 1000, **request}))


def scored(answer: SearchResponse) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in answer.hits]


# By words


@pytest.mark.parametrize("kind", KINDS)
def test_words_find_what_they_name(shop: Engine, kind: str) -> None:
    answer = search(shop, Query(text=f"green {kind}"), profile="words")
    assert answer.hits[0].id == f"{kind}-green"
    assert answer.total == ALL  # a dense lane without a floor matches everything
    assert answer.generation == "g1"
    assert (answer.plan.original, answer.plan.text) == (f"green {kind}", f"green {kind}")


def test_all_lanes_are_used_by_default(shop: Engine) -> None:
    hit = search(shop, Query(text="green lamp"), explain=True).hits[0]
    assert hit.explain is not None
    assert set(hit.explain.lanes) == {"text", "image", "bm25"}


@pytest.mark.parametrize(
    "text",
    [
        "🙂",
        "👩‍🚀 lamp",
        "كرسي خشبي",
        "נעליים",
        "防水トレッキングシューズ",
        "zapatos rojos",
        "x" * 2000,
        "word " * 400,
        "<script>alert(1)</script>",
        "'; DROP TABLE entries; --",
        '"red" AND (NOT blue)*',
        "red\x00shoe",
    ],
)
def test_any_text_is_answered(shop: Engine, text: str) -> None:
    answer = search(shop, Query(text=text), highlight=True, explain=True)
    assert answer.total == (ALL - len(KINDS) if "NOT blue" in text else ALL)
    assert answer.degraded == ()


@pytest.mark.parametrize("text", ["\x00\x01", "\u200b", "\u202e\ufeff"])
def test_nothing_but_control_characters(shop: Engine, text: str) -> None:
    with pytest.raises(InvalidRequest, match="text: holds no searchable character"):
        search(shop, Query(text=text))
    with_photo = search(shop, Query(text=text, image=photo("mug", "red")))
    assert with_photo.hits[0].id == "mug-red"


# By photo


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_finds_its_product(shop: Engine, kind: str) -> None:
    answer = search(shop, Query(image=photo(kind, "blue")), explain=True, profile="words")
    assert answer.hits[0].id == f"{kind}-blue"
    assert answer.hits[0].explain is not None
    assert set(answer.hits[0].explain.lanes) == {"photo"}
    assert answer.plan.text == ""


# By both


def test_the_weight_of_words_and_photo(shop: Engine) -> None:
    text, image = "yellow sofa", photo("mug", "red")

    def at(weight: float) -> SearchResponse:
        return search(shop, Query(text=text, image=image, image_weight=weight), explain=True)

    words, picture = search(shop, Query(text=text)), search(shop, Query(image=image))
    assert scored(at(0.0)) == scored(words)
    assert scored(at(1.0)) == scored(picture)
    both = at(0.5)
    assert ids(both.hits) not in (ids(words.hits), ids(picture.hits))
    assert rank_of("mug-red", both.hits) < rank_of("mug-red", words.hits)
    assert rank_of("sofa-yellow", both.hits) < rank_of("sofa-yellow", picture.hits)
    assert both.hits[0].explain is not None
    weights = {name: lane.weight for name, lane in both.hits[0].explain.lanes.items()}
    assert weights["photo"] == 0.5
    assert weights["text"] == pytest.approx(0.1)
    assert weights["image"] == pytest.approx(0.2)


def rank_of(product_id: str, hits: tuple[Hit, ...]) -> int:
    return ids(hits).index(product_id)


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_weight_never_takes_a_photo_lower(shop: Engine, one: float, other: float) -> None:
    low, high = sorted((one, other))
    text, image = "yellow sofa", photo("mug", "red")
    ranks = []
    for weight in (low, high):
        query = Query(text=text, image=image, image_weight=weight)
        answer = search(shop, query, profile="words")
        ranks.append((rank_of("mug-red", answer.hits), -rank_of("sofa-yellow", answer.hits)))
    assert ranks[0] >= ranks[1]


# By likeness


def test_like_finds_its_like_and_not_itself(shop: Engine) -> None:
    answer = search(shop, Query(like=("lamp-red",)), explain=True)
    assert "lamp-red" not in ids(answer.hits)
    assert answer.total == ALL - 1
    assert any(id.startswith("lamp") for id in ids(answer.hits[:3]))
    assert answer.hits[0].explain is not None
    assert set(answer.hits[0].explain.lanes) == {"like_text", "like_image"}


def test_like_several_with_words_and_photo(shop: Engine) -> None:
    like = ("lamp-red", "lamp-blue", "lamp-red")
    query = Query(text="brown bag", image=photo("mug", "pink"), like=like)
    answer = search(shop, query)
    assert answer.total == ALL - 2
    assert not set(like) & set(ids(answer.hits))


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_like_something_unknown(shop: Engine, weight: float) -> None:
    query = Query(text="lamp", like=("lamp-red", "lamp-purple"), image_weight=weight)
    with pytest.raises(NotFound, match="like: no product 'lamp-purple'") as caught:
        search(shop, query)
    assert caught.value.field == "like"


# Filters

raw_filters = st.fixed_dictionaries(
    {},
    optional={
        "color": st.sampled_from(["red", ["red", "blue"], {"not": "green"}, "purple"]),
        "category": st.sampled_from(["Home", "Home > Sofa", ["Wear", "Home > Mug"]]),
        "price": st.fixed_dictionaries(
            {}, optional={"gte": st.integers(0, 50), "lt": st.integers(0, 50)}
        ).filter(bool),
        "material": st.sampled_from(["wood", ["leather", "steel"], {"not": ["wood"]}]),
        "in_stock": st.booleans(),
        "vegan": st.booleans() | st.just({"not": True}),
        "weight": st.sampled_from([3, [1, 2], {"gt": 2, "lte": 5}]),
    },
)


def passing(raw: dict[str, Any]) -> set[str]:
    filter = parse_filters(raw, SCHEMA)
    return {id for id, p in PRODUCTS.items() if matches(filter, id, field_values(p, SCHEMA))}


@settings(max_examples=60)
@given(
    raw_filters, st.sampled_from([None, Query(text="red shoe"), Query(image=photo("bag", "red"))])
)
def test_filters_hold_in_every_kind_of_search(
    shop: Engine, raw: dict[str, Any], query: Query | None
) -> None:
    answer = search(shop, query, filters=raw)
    assert set(ids(answer.hits)) == passing(raw)
    assert answer.total == len(answer.hits)


# What comes back


def test_a_hit_holds_the_whole_product(shop: Engine) -> None:
    hit = search(shop, Query(image=photo("mug", "red"))).hits[0]
    assert hit.product["title"] == "Red mug"
    assert hit.product["attributes"]["color"] == "red"
    assert set(hit.product) == set(type(PRODUCTS["mug-red"]).__struct_fields__)
    assert hit.highlights is hit.explain is None


def test_fields_are_selected(shop: Engine) -> None:
    answer = search(shop, Query(text="mug"), fields=("title", "color", "nothing"), limit=3)
    for hit in answer.hits:
        assert set(hit.product) == {"id", "title", "color", "nothing"}
        assert hit.product["id"] == hit.id
        assert hit.product["color"] == PRODUCTS[hit.id].attributes["color"]
        assert hit.product["nothing"] is None
    (hit,) = search(shop, Query(text="mug"), fields=(), limit=1).hits
    assert hit.product == {"id": hit.id}


@pytest.mark.parametrize("profile", ["default", "bare", "by-price", "double"])
@pytest.mark.parametrize(
    "query",
    [
        Query(text="red shoe"),
        Query(image=photo("lamp", "green")),
        Query(text="red shoe", image=photo("lamp", "green"), image_weight=0.3),
        Query(text="red shoe", like=("bag-black",), image_weight=0.8),
    ],
    ids=["text", "image", "both", "like"],
)
def test_an_explanation_adds_up(shop: Engine, query: Query, profile: str) -> None:
    answer = search(shop, query, profile=profile, explain=True)
    for hit in answer.hits:
        why = hit.explain
        assert why is not None
        assert sum(lane.contribution for lane in why.lanes.values()) == why.fused
        for lane in why.lanes.values():
            assert lane.contribution == lane.weight * lane.normalized
        assert why.fused + sum(why.rankers.values()) == why.score
        assert hit.score == why.score
    assert all(a.score >= b.score - 1e-6 for a, b in itertools.pairwise(answer.hits))


def test_timings_name_the_stages(shop: Engine) -> None:
    answer = search(shop, Query(text="red shoe"), facets=("brand",))
    assert list(answer.timings) == ["understand", "encode", "retrieve", "fuse", "rank", "respond"]
    assert sum(answer.timings.values()) == pytest.approx(answer.took_ms, rel=0.05, abs=0.5)
    assert [step.processor for step in answer.plan.steps] == list(
        ProfileSettings().query_processors
    )
    browsed = search(shop)
    assert list(browsed.timings) == ["understand", "retrieve", "respond"]


def test_one_request_gives_one_answer(shop: Engine) -> None:
    query = Query(text="red shoe", image=photo("lamp", "green"))
    first = search(shop, query, explain=True, facets=("color",))
    for _ in range(3):
        again = search(shop, query, explain=True, facets=("color",))
        assert (again.hits, again.facets, again.total) == (first.hits, first.facets, first.total)


# Profiles


def test_a_profile_weighs_its_lanes(shop: Engine) -> None:
    hits = search(shop, Query(text="green lamp"), profile="words", explain=True).hits
    assert {lane for hit in hits if hit.explain for lane in hit.explain.lanes} == {"text", "bm25"}


def test_only_lanes_with_a_weight_are_encoded(
    open_shop: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_shop(keywords=ProfileSettings(rankers=(), weights={"text": 0, "image": 0}))
    for encoder in (engine._text, engine._image):
        monkeypatch.delattr(type(encoder), "encode_texts", raising=False)
    answer = search(engine, Query(text="yellow plant"), profile="keywords")
    assert answer.hits[0].id == "plant-yellow"
    yellow_or_plant = {id for id in PRODUCTS if "yellow" in id or "plant" in id}
    assert set(ids(answer.hits)) == yellow_or_plant
    assert answer.total == len(yellow_or_plant)


def test_all_lanes_switched_off_find_nothing(open_shop: OpenShop) -> None:
    off = dict.fromkeys(("text", "image", "bm25", "photo", "like_text", "like_image"), 0.0)
    engine = open_shop(off=ProfileSettings(weights=off))
    query = Query(text="mug", image=photo("mug", "red"), like=("mug-blue",))
    answer = search(engine, query, profile="off", facets=("color",))
    assert (answer.hits, answer.total, answer.degraded) == ((), 0, ())


def test_words_are_not_sought_in_photos_by_an_encoder_of_words(
    shop: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    words_only = msgspec.structs.replace(shop._image.info, modalities=("text",))
    monkeypatch.setattr(type(shop._image), "info", words_only)
    hit = search(shop, Query(text="green lamp"), explain=True).hits[0]
    assert hit.explain is not None
    assert set(hit.explain.lanes) == {"text", "bm25"}


def test_a_lane_stops_at_its_noise_floor(shop: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    floored = msgspec.structs.replace(shop._image.info, min_score={"image": 0.999})
    monkeypatch.setattr(type(shop._image), "info", floored)
    assert ids(search(shop, Query(image=photo("lamp", "green"))).hits) == ["lamp-green"]


def test_a_translation_searches_lanes_of_its_own(shop: Engine) -> None:
    hits = search(shop, Query(text="shoe"), profile="spanish", explain=True).hits
    lanes = {lane for hit in hits if hit.explain for lane in hit.explain.lanes}
    assert lanes == {"text", "image", "bm25", "text:es", "image:es"}  # no product says "zapato"


def test_a_processors_filter_counts_and_the_requests_wins(shop: Engine) -> None:
    planned = search(shop, Query(text="shoe"), profile="only-red")
    assert {PRODUCTS[id].attributes["color"] for id in ids(planned.hits)} == {"red"}
    own = search(shop, Query(text="shoe"), profile="only-red", filters={"color": "blue"})
    assert {PRODUCTS[id].attributes["color"] for id in ids(own.hits)} == {"blue"}


def test_a_processor_cannot_change_what_was_typed(shop: Engine) -> None:
    plan = search(shop, Query(text="shoe"), profile="lie").plan
    assert (plan.market, plan.selected, plan.at) == (None, {}, None)
    assert plan.original == "shoe"


def test_a_processor_may_leave_nothing_to_search(shop: Engine) -> None:
    with pytest.raises(InvalidRequest, match="no searchable character"):
        search(shop, Query(text="shoe"), profile="silence")


def test_an_identifier_finds_its_product_first(shop: Engine) -> None:
    for typed in ("BAG-black", "bag_black", "bagblack"):
        assert search(shop, Query(text=typed), profile="bare").hits[0].id == "bag-black"
    (first, *others) = search(shop, Query(text="bag-black"), profile="bare", explain=True).hits
    assert first.explain is not None
    assert first.explain.lanes["codes"].rank == 1
    assert not any(hit.explain and "codes" in hit.explain.lanes for hit in others)
