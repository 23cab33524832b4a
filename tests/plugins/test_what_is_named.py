"""What of a query is a colour, a brand, a kind, for whom it is, and which filters follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from engine import FieldKind, IndexSchema, Lexicon, PluginManager, QueryPlan, ShopView
from engine.lexicon import LexiconReader
from plugins.departments import opposed
from plugins.hash_encoder import HashEncoder, HashOptions

VOCABULARY: Mapping[str, Mapping[str, int]] = {
    "brand": {"Nike": 9, "Nike Golf": 1, "Adidas": 4},
    "category": {"Computers": 3, "Accessories": 4, "Fruit > Orange": 1, "Orange-Juice": 1},
    "color": {"Red": 5, "Maroon": 2, "Orange": 3, "Black": 7, "Purple": 1, "Blue": 2},
    "gender": {"Men": 8, "Women": 9, "Boys": 2, "Girls": 2, "Unisex": 1},
    "type": {"Shoes": 9, "Tops": 3, "Shirts": 3, "Jeans": 2, "Bags": 2, "Rucksacks": 1},
}
PAIRS = {"red tape": 12, "tape shoes": 3}
LEXICON = Lexicon({"red": 9, "tape": 9, "shoes": 9, "print": 4, "hood": 2, "cause": 1}, PAIRS)
RULES: Any = PluginManager().create("query_processors", "understand", {"model": ""})


def read(text: str, **fields: Mapping[str, int]) -> QueryPlan:
    vocabulary = {**VOCABULARY, **fields}
    schema = IndexSchema(
        {n: FieldKind.KEYWORD for n in vocabulary if n not in ("brand", "category")}
    )
    shop = ShopView(
        schema, vocabulary, HashEncoder(HashOptions()), {"EUR": 9}, "en", lexicon=LEXICON
    )
    found: QueryPlan = RULES.process(QueryPlan(original=text, text=text), shop)
    return found


def values(plan: QueryPlan, field: str) -> list[tuple[str, ...]]:
    return [span.values for span in plan.spans if span.field == field]


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("shoes not red", {"color": {"not": ["Red"]}}),
        ("shoes in any colour but red", {"color": {"not": ["Red"]}}),
        ("bag of any brand except nike", {"brand": {"not": ["Nike"]}}),
        ("neither red nor blue shoes", {"color": {"not": ["Red", "Blue"]}}),
        (
            "shoes, please leave out red, blue and black",
            {"color": {"not": ["Red", "Blue", "Black"]}},
        ),
        ("i can't stand red, shoes", {"color": {"not": ["Red"]}}),
    ],
)
def test_filters_of_what_is_not_wanted(query: str, filters: Mapping[str, Any]) -> None:
    plan = read(query)
    assert {k: v for k, v in plan.filters.items() if k in ("color", "brand")} == filters


@pytest.mark.parametrize(
    ("query", "color"),
    [("purplish shoes", "Purple"), ("reddish bag", "Red"), ("bluish bag", "Blue")],
)
def test_what_is_nearly_of_a_colour(query: str, color: str) -> None:
    assert values(read(query), "color") == [(color,)]


def test_groups_of_colours_rise() -> None:
    ((*warm,),) = values(read("shoes in warm colours"), "color")
    assert sorted(warm) == ["Maroon", "Orange", "Red"]


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("top red shoes", [("Shoes",)]),
        ("tops shoes", [("Tops",), ("Shoes",)]),  # a plural is a kind of its own
        ("top and shoes", [("Tops",), ("Shoes",)]),
        ("denim shirt", [("Shirts",)]),
    ],
)
def test_a_singular_before_a_kind_tells_more_of_it(
    query: str, kinds: list[tuple[str, ...]]
) -> None:
    assert values(read(query), "type") == kinds


@pytest.mark.parametrize(
    ("query", "categories"),
    [
        ("computer accessories", [("Computers",)]),
        ("accessories", [("Accessories",)]),
        ("cheap accessories", [("Accessories",)]),
    ],
)
def test_accessories_are_of_what_stands_before(
    query: str, categories: list[tuple[str, ...]]
) -> None:
    assert values(read(query), "category") == categories


@pytest.mark.parametrize(
    ("query", "barred"),
    [
        ("shoes for a 3 year old", {"Men", "Women"}),
        ("shoes for my 8-year-old", {"Men", "Women"}),
        ("shoes for an 18 month old", {"Men", "Women"}),
        ("kids shoes", {"Men", "Women"}),
        ("shoes for a 40 year old", set()),
        ("3 year warranty shoes", set()),
        ("his and hers shoes", set()),
        ("shoes for women", {"Men", "Boys"}),
    ],
)
def test_for_whom(query: str, barred: set[str]) -> None:
    kept = read(query).filters.get("gender", list(VOCABULARY["gender"]))
    left_out = set(VOCABULARY["gender"]) - set(kept)
    assert left_out & {"Men", "Women"} == barred & {"Men", "Women"}
    assert "Unisex" not in left_out


def test_boys_and_girls_are_children() -> None:
    everyone = ["Men", "Women", "Boys", "Girls", "Unisex"]
    assert opposed(["Boys", "Girls"], everyone) == ("Men", "Women")
    assert opposed(["Girls"], everyone) == ("Men", "Boys")


@pytest.mark.parametrize(
    ("query", "avoided"),
    [
        ("shirt without a print on it", [("print",)]),
        ("shoes without a hood", [("hood",)]),
        ("rebel without a cause", []),
    ],
)
def test_what_a_thing_is_without(query: str, avoided: list[tuple[str, ...]]) -> None:
    assert [span.values for span in read(query).spans if span.effect == "avoid"] == avoided


def test_a_bare_range_of_what_titles_count_is_no_price() -> None:
    """Titles of sunscreens have such numbers, those of jackets have not."""
    reader = LexiconReader()
    reader.read(["Sunscreen SPF 50", "Sunscreen SPF 30", "Rain jacket", "Jacket"], [])
    shop = ShopView(
        IndexSchema({}), {}, HashEncoder(HashOptions()), {"EUR": 9}, lexicon=reader.lexicon()
    )
    for text, filters in (
        ("sunscreen 30-50", {}),
        ("jacket 30-50", {"price": {"gte": 30, "lte": 50}}),
        ("sunscreen 30-50 euros", {"price": {"gte": 30, "lte": 50}}),
    ):
        assert RULES.process(QueryPlan(original=text, text=text), shop).filters == filters
