"""What gives way where nothing is found: what was understood, never what the shopper selected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine, Product, Query, QueryPlan, SearchRequest, SearchResponse, Span
from engine.filters import matches, parse_filters
from engine.relaxation import relaxations
from engine.schema import field_values
from engine.settings import ProfileSettings

from .shop import PRODUCTS, SCHEMA, build, ids, make_live, settings_for

VALUES = {id: field_values(product, SCHEMA) for id, product in PRODUCTS.items()}
FAMILY = "20260101-000000-aaaa"


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The small shop, read by rules, and some products for women."""
    settings = settings_for(tmp_path_factory.mktemp("reading"))
    profiles = {
        "default": ProfileSettings(("normalize", "understand"), ("understood",)),
        "plain": ProfileSettings(("normalize",), ()),
    }
    options = {"understand": {"model": ""}}
    plugins = msgspec.structs.replace(settings.plugins, options=options)
    settings = msgspec.structs.replace(settings, profiles=profiles, plugins=plugins)
    build(settings, FAMILY, [*PRODUCTS.values(), Product(id="no-price", title="Red mug of wood")])
    make_live(settings, FAMILY)
    with Engine(settings) as engine:
        yield engine


def search(shop: Engine, text: str | None, **request: Any) -> SearchResponse:
    query = None if text is None else Query(text)
    return shop.search(SearchRequest(query, **{"limit": 1000, **request}))


def admitted(filters: dict[str, Any]) -> set[str]:
    parsed = parse_filters(filters, SCHEMA)
    return {id for id, values in VALUES.items() if matches(parsed, id, values)}


def test_a_price_that_nothing_has_gives_way_and_is_told(reading: Engine) -> None:
    answer = search(reading, "red mug under 1")
    assert answer.plan.relaxed == {"price": {"lte": 1}}
    assert answer.plan.filters == {}
    assert ids(answer.hits)[0] == "mug-red"
    (price,) = (s for s in answer.plan.spans if s.label == "price")
    assert price.effect == "note"


def test_a_price_that_something_has_stays(reading: Engine) -> None:
    answer = search(reading, "mug under 20")
    assert answer.plan.relaxed == {}
    assert set(ids(answer.hits)) <= admitted({"price": {"lte": 20}})


def test_a_price_without_words_gives_way_too(reading: Engine) -> None:
    assert search(reading, "under 1").plan.relaxed == {"price": {"lte": 1}}
    assert search(reading, "under 1").total == len(PRODUCTS) + 1


def test_what_gave_way_keeps_nothing_out(reading: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.standing.MAX_WINDOW", 5)
    standing = reading.standing(max(PRODUCTS), SearchRequest(Query("under 1")))
    assert (standing.outcome, standing.barriers) == ("below the last page", ())


def test_nothing_of_the_kind_is_nothing(reading: Engine) -> None:
    """Lanes of vectors find something cheap for any words; lamps are all dearer."""
    lamps = [p.price for p in PRODUCTS.values() if p.category[-1] == "Lamp" and p.price]
    answer = search(reading, f"lamp under {min(lamps) - 1:g}")
    assert list(answer.plan.relaxed) == ["price"]
    assert PRODUCTS[ids(answer.hits)[0]].category[-1] == "Lamp"


def test_what_is_not_wanted_stays_so_while_anything_is_left(reading: Engine) -> None:
    """There are no lamps among the mugs, and still no red ones are shown."""
    answer = search(reading, "lamp not red", filters={"category": "Home > Mug"})
    assert answer.plan.relaxed == {}
    found = set(ids(answer.hits))
    assert found == admitted({"category": "Home > Mug", "color": {"not": ["red"]}})


def test_what_the_shopper_selected_is_never_taken_off(reading: Engine) -> None:
    filters = {"color": "red", "price": {"lte": 1}}
    answer = search(reading, "mug under 1", filters=filters)
    assert (answer.total, answer.plan.relaxed) == (0, {})
    assert answer.without == {"price": len(admitted({"color": "red"}))}
    browsed = search(reading, None, filters=filters)
    assert browsed.without == answer.without


def test_only_an_empty_answer_says_what_would_be_without(reading: Engine) -> None:
    assert search(reading, "mug", filters={"color": "red"}).without == {}
    assert search(reading, "mug").without == {}


words = st.lists(
    st.sampled_from(
        ["red", "mug", "lamp", "under 1", "under 20", "over 30", "not black", "without leather"]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)
selected = st.fixed_dictionaries(
    {},
    optional={
        "color": st.sampled_from(["red", "blue", "no such"]),
        "price": st.sampled_from([{"lte": 1}, {"lte": 20}]),
    },
)


@given(words=words, filters=selected)
def test_never_below_the_strict_result(
    reading: Engine, words: list[str], filters: dict[str, Any]
) -> None:
    """The strict result is what the same words find under everything that was understood."""
    answer = search(reading, " ".join(words), filters=filters)
    plan = answer.plan
    strictly = {**plan.filters, **plan.relaxed, **filters}
    browse = not plan.text
    strict = search(reading, None if browse else plan.text, filters=strictly, profile="plain")
    assert answer.total >= strict.total
    if not plan.relaxed:
        assert sorted(ids(answer.hits)) == sorted(ids(strict.hits))
    assert not set(plan.relaxed) & set(filters)
    assert set(ids(answer.hits)) - {"no-price"} <= admitted(filters)


def plan_with(**filters: Any) -> QueryPlan:
    unwanted = Span(0, 1, "negation", "x", field="color", values=("red",), effect="exclude")
    wished = Span(0, 1, "material", "x", field="material", values=("wood",), effect="filter")
    return QueryPlan(filters=filters, spans=(unwanted, wished))


FILTERS: dict[str, Any] = {
    "color": {"not": ["red"]},
    "price": {"lte": 9},
    "currency": ["EUR"],
    "material": {"not": ["steel"]},
}


def test_the_last_gives_way_first_and_a_currency_goes_with_its_price() -> None:
    steps = list(relaxations(plan_with(**FILTERS), {}, empty=True))
    assert [list(step.filters) for step in steps] == [["color", "price", "currency"], ["color"], []]
    assert steps[-1].relaxed == FILTERS
    assert [span.effect for span in steps[-1].spans] == ["note", "boost"]


def test_who_is_not_asked_keeps_its_filter() -> None:
    steps = list(relaxations(plan_with(**FILTERS), {"price": 1}, empty=False))
    assert [list(step.filters) for step in steps] == [["color", "price", "currency"]]
