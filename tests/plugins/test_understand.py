"""Query processor ``understand``: rules, vocabulary and model put together; and in a real shop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import (
    Engine,
    FieldKind,
    IndexSchema,
    InvalidModel,
    InvalidSettings,
    Lexicon,
    PluginManager,
    Product,
    Query,
    QueryPlan,
    QueryProcessor,
    RuleSet,
    SearchRequest,
    ShopView,
    Span,
)
from engine.filters import MAX_VALUES, matches, parse_filters
from engine.settings import ProfileSettings
from engine.testing.query_processor_contract import QueryProcessorContract
from plugins.gazetteer import ALIKE
from plugins.hash_encoder import HashEncoder, HashOptions
from plugins.live_categories import AT_ONCE, LiveCategories
from plugins.query_reader import Reading
from plugins.understand import Understand, UnderstandOptions
from tests.engine.shop import build, make_live, settings_for

LOOKUP = Path(__file__).parent / "golden" / "query-lookup"
"""A model that is a lookup of tags by token: :mod:`tests.plugins.test_query_reader`."""
VOCABULARY: Mapping[str, Mapping[str, int]] = {
    "brand": {"Nike": 9, "Zyxorn": 1, "Orange": 2, "Not Rated": 1, "7 For All Mankind": 2},
    "category": {"Shoes": 9, "Shoes > Running Shoes": 4, "Watches": 2, "Shirts": 3, "Dresses": 3},
    "color": {"Red": 5, "Navy Blue": 2, "Orange": 3, "Black": 7, "Matte Black": 1, "White": 4},
    "gender": {"Men": 8, "Women": 9},
    "material": {"Leather": 3, "Faux Leather": 1, "Cotton": 2},
    "size": {"8": 2, "10.5": 1, "XL": 2, "UK 9": 1},
    "screen": {"32 inch": 1},
}
ENCODER = HashEncoder(HashOptions())


def shop_view(
    prices: Mapping[str, int] | None = None, locale: str = "en", **fields: Mapping[str, int]
) -> ShopView:
    vocabulary = {**VOCABULARY, **fields}
    kinds = {name: FieldKind.KEYWORD for name in vocabulary if name not in ("brand", "category")}
    priced = {"EUR": 20} if prices is None else prices
    return ShopView(IndexSchema(kinds), vocabulary, ENCODER, priced, locale)


SHOP = shop_view()


def make(**options: object) -> Any:
    return PluginManager().create("query_processors", "understand", {"model": "", **options})


RULES = make()


def read(text: str, shop: ShopView = SHOP, processor: Any = RULES, **plan: Any) -> QueryPlan:
    found: QueryPlan = processor.process(QueryPlan(original=text, text=text, **plan), shop)
    return found


def told(plan: QueryPlan) -> list[tuple[str, str, str, tuple[str, ...], str]]:
    return [(s.label, s.value, s.field, s.values, s.effect) for s in plan.spans]


class Model:
    """Says what it was told to."""

    fallback = ""

    def __init__(self, *labels: tuple[str, str] | tuple[str, str, float]) -> None:
        self._labels = labels

    def read(self, text: str) -> Reading:
        spans = []
        for words, label, *sure in self._labels:
            start = text.index(words)
            end = start + len(words)
            spans.append(Span(start, end, label, words, sure[0] if sure else 0.9))
        return Reading(spans, {})


def with_model(*labels: Any) -> Understand:
    processor = Understand(UnderstandOptions(model=""))
    processor._reader = Model(*labels)  # type: ignore[assignment]
    return processor


class TestContractOfRules(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> QueryProcessor:
        return make()


class TestContractWithModel(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> QueryProcessor:
        return make(model=str(LOOKUP), threads=1)


def test_the_example_of_the_readme() -> None:
    running = "Shoes > Running Shoes"
    plan = read("red nike running shoes for women under 60")
    assert told(plan) == [
        ("color", "red", "color", ("Red",), "boost"),
        ("creator", "nike", "brand", ("Nike",), "boost"),
        ("core_product_type", "running shoes", "category", (running,), "boost"),
        ("department", "women", "gender", ("Women",), "boost"),
        ("price", "under 60", "price", (), "filter"),
    ]
    assert plan.filters == {"price": {"lte": 60}, "gender": ["Women", None]}
    assert plan.text == "red nike running shoes for women"
    assert plan.read == "red nike running shoes for women under 60"


def test_a_brand_that_only_this_shop_has() -> None:
    """No model and no table knows it; it came with the catalogue."""
    assert told(read("zyxorn watch"))[0] == ("creator", "zyxorn", "brand", ("Zyxorn",), "boost")
    model = with_model(("zyxorn", "modifier"), ("watch", "core_product_type"))
    assert told(read("zyxorn watch", processor=model))[0][2:] == ("brand", ("Zyxorn",), "boost")


@pytest.mark.parametrize(
    ("query", "filters", "text"),
    [
        ("shoes not black", {"color": {"not": ["Black", "Matte Black"]}}, "shoes"),
        ("shoes -black", {"color": {"not": ["Black", "Matte Black"]}}, "shoes"),
        ("shoes not red or white", {"color": {"not": ["Red", "White"]}}, "shoes"),
        ("shoes without leather", {"material": {"not": ["Leather"]}}, "shoes"),
        ("non-leather shoes", {"material": {"not": ["Leather"]}}, "shoes"),
        ("no leather shoes", {"material": {"not": ["Leather"]}}, "shoes"),
        ("shoes except nike", {"brand": {"not": ["Nike"]}}, "shoes"),
        ("shoes that aren't red", {"color": {"not": ["Red"]}}, "shoes"),
        ("shoes that is not red", {"color": {"not": ["Red"]}}, "shoes"),
        ("shoes that are not red", {"color": {"not": ["Red"]}}, "shoes"),
        ("shoes free of leather", {"material": {"not": ["Leather"]}}, "shoes"),
        ("shoes i don't want red", {"color": {"not": ["Red"]}}, "shoes i"),
        ("shoes no shirts", {"category": {"not": ["Shirts"]}}, "shoes"),
        ("shoes avoid leather", {"material": {"not": ["Leather"]}}, "shoes"),
        (
            "shoes not black or leather",
            {"color": {"not": ["Black", "Matte Black"]}, "material": {"not": ["Leather"]}},
            "shoes",
        ),
        ("everything but not shirts", {"category": {"not": ["Shirts"]}}, ""),
        ("not black", {"color": {"not": ["Black", "Matte Black"]}}, ""),
        # the shop has no word for it: nothing to filter, but not to be searched for either
        ("watch without timer", {}, "watch"),
        ("watch without timer under 60", {"price": {"lte": 60}}, "watch"),
        # and these are no negations
        ("not your mother's shampoo", {}, "not your mother's shampoo"),
        ("not rated shirt", {}, "not rated shirt"),
        ("no tie shoes", {}, "no tie shoes"),
        ("no shirts hanger", {}, "no shirts hanger"),
        ("leather free shoes", {}, "leather free shoes"),
        ("cruelty free from nike", {}, "cruelty free from nike"),
        ("rebel without a cause", {}, "rebel without a cause"),
        ("shoes not blakc", {}, "shoes not blakc"),  # a guess must not hide anything
    ],
)
def test_negations(query: str, filters: dict[str, Any], text: str) -> None:
    plan = read(query)
    assert (plan.filters, plan.text) == (filters, text)


def test_a_negated_value_is_not_wished_for() -> None:
    black = ("Black", "Matte Black")
    assert told(read("shoes not black"))[1] == ("negation", "not black", "color", black, "exclude")
    assert [s.value for s in read("shoes not blakc").spans] == ["shoes"]
    nike = ("creator", "nike", "brand", ("Nike",), "boost")
    assert told(read("cruelty free from nike")) == [nike]
    assert not [s for s in read("leather free shoes").spans if s.field == "material"]


def test_the_model_says_how_far_a_negation_goes() -> None:
    query = "watch without timer display black"
    model = with_model(("without timer display", "modifier"), ("black", "color"))
    plan = read(query, processor=model)
    assert plan.text == "watch black"
    assert told(plan)[1] == ("negation", "without timer display", "", (), "note")


@pytest.mark.parametrize(
    ("prices", "query", "filters"),
    [
        ({"EUR": 9}, "shoes under 60", {"price": {"lte": 60}}),
        ({"EUR": 9}, "shoes over 20 under 60", {"price": {"gte": 20, "lte": 60}}),
        ({"EUR": 9}, "shoes under 60 euros", {"price": {"lte": 60}}),
        ({"": 9}, "shoes under 60 euros", {"price": {"lte": 60}}),
        ({"": 9, "EUR": 9}, "shoes under 60 dollars", {}),
        ({"EUR": 9}, "shoes under $60", {}),  # nothing is sold in dollars, and none are converted
        ({"CAD": 9}, "shoes under $60", {"price": {"lte": 60}}),
        (
            {"CAD": 9, "EUR": 2},
            "shoes under $60",
            {"price": {"lte": 60}, "currency": ["CAD"]},
        ),
        ({"GBP": 9}, "kettle under 50 pounds", {"price": {"lte": 50}}),
        ({"": 9}, "kettle under 50 pounds", {"price": {"lte": 50}}),
        ({}, "shoes under 60", {}),  # a shop without prices would filter everything away
        ({"EUR": 9}, "shoes under 20 over 60", {}),
    ],
)
def test_prices(prices: dict[str, int], query: str, filters: dict[str, Any]) -> None:
    plan = read(query, shop_view(prices))
    assert plan.filters == filters
    assert plan.text in ("shoes", "kettle")


def test_pounds_are_a_weight_where_nothing_is_sold_in_them() -> None:
    plan = read("dumbbell under 50 pounds")
    assert (plan.filters, plan.text) == ({}, "dumbbell under 50 pounds")


def test_a_price_alone_leaves_no_words() -> None:
    assert read("under 60").text == ""
    assert read("under 60", shop_view({})).text == "under 60"  # or there would be no search


def test_the_language_is_the_shops_or_the_shoppers() -> None:
    german = shop_view(locale="de")
    assert read("schuhe unter 60", german).filters == {"price": {"lte": 60}}
    assert read("schuhe unter 60", locale="de").filters == {"price": {"lte": 60}}
    assert read("schuhe unter 60").filters == {}


@pytest.mark.parametrize(
    ("query", "label", "field", "value"),
    [
        ("shoes size 8", "size", "size", "8"),
        ("shoes uk 9", "size", "size", "UK 9"),
        ("shirt xl", "size", "size", "XL"),
        ("shoes 10.5", "size", "size", "10.5"),
        ('32" monitor', "UoM", "screen", "32 inch"),
    ],
)
def test_sizes_of_the_shop(query: str, label: str, field: str, value: str) -> None:
    (span,) = (s for s in read(query).spans if s.label == label)
    assert (span.field, span.values, span.effect) == (field, (value,), "boost")


def test_a_size_that_the_shop_does_not_have_is_a_note() -> None:
    assert told(read("shoes size 44"))[1:] == [("size", "size 44", "", (), "note")]
    assert [s.label for s in read("shoes 11.5").spans] == ["core_product_type"]


@pytest.mark.parametrize("query", ["iphone 8", "nike 8", "7 for all mankind jeans 8"])
def test_a_number_alone_is_no_size(query: str) -> None:
    assert not [s for s in read(query).spans if s.field == "size"]


@pytest.mark.parametrize("query", ["milk 500 ml", "milk 0.5 l", "milk 50cl"])
def test_a_measure_is_found_in_whatever_unit(query: str) -> None:
    shop = shop_view(volume={"500 ml": 3, "1 l": 4})
    (span,) = (s for s in read(query, shop).spans if s.label == "UoM")
    assert (span.field, span.values, span.effect) == ("volume", ("500 ml",), "boost")


def test_colours_akin_to_the_one_named() -> None:
    (span,) = read("red", shop_view(color={"Red": 5, "Maroon": 2, "Wine Red": 1, "Blue": 4})).spans
    assert span.values == ("Red",)
    assert span.near == {"Maroon": 0.6, "Wine Red": 0.8}
    (span,) = read("crimson", shop_view(color={"Red": 5, "Maroon": 2, "Blue": 4})).spans
    assert (span.values, span.near) == (("Red",), {"Maroon": 0.3})


def test_light_and_dark_say_which_shades() -> None:
    shop = shop_view(color={"Blue": 5, "Navy Blue": 2, "Sky Blue": 1, "Teal": 4})
    nears = {q: read(q, shop).spans[0].near for q in ("blue", "dark blue", "pale blue")}
    assert nears["blue"] == {"Navy Blue": 0.8, "Sky Blue": 0.8, "Teal": 0.6}
    assert nears["dark blue"] == {"Navy Blue": 1.0, "Teal": 0.6}
    assert nears["pale blue"] == {"Sky Blue": 1.0, "Teal": 0.6}


@pytest.mark.parametrize(
    ("query", "admitted"),
    [
        ("shoes for women", ["Women", "Unisex", None]),
        ("mens shoes", ["Men", "Unisex", None]),
        ("shoes for men and women", ["Men", "Women", "Unisex", None]),
        ("shoes for girls", ["Women", "Girls", "Kids", "Unisex", None]),  # who may be grown up
        ("kids shoes", ["Boys", "Girls", "Kids", "Unisex", None]),
        ("unisex shoes", None),
        ("shoes", None),
    ],
)
def test_a_department_leaves_the_others_out(query: str, admitted: list[Any] | None) -> None:
    everyone = dict.fromkeys(("Men", "Women", "Boys", "Girls", "Kids", "Unisex"), 3)
    filters = {"gender": admitted} if admitted else {}
    assert read(query, shop_view(gender=everyone)).filters == filters


@pytest.mark.parametrize(
    ("gender", "found"),
    [
        (["Men", "Women"], True),
        (["Men", "Boys"], False),
        ("Women", True),
        ("Men", False),
        ("Unisex", True),
        (None, True),
    ],
)
def test_a_product_for_several_departments_is_for_each(gender: Any, found: bool) -> None:
    everyone = dict.fromkeys(("Men", "Women", "Boys", "Unisex"), 3)
    shop = shop_view(gender=everyone)
    plan = read("shoes for women", shop)
    assert matches(parse_filters(plan.filters, shop.schema), "p", {"gender": gender}) == found


def test_a_field_of_too_many_values_filters_nobody() -> None:
    many = {"Men": 9, "Women": 9, **{f"Unisex {i}": 1 for i in range(MAX_VALUES)}}
    plan = read("shoes for women", shop_view(gender=many))
    assert plan.filters == {}
    assert ("department", "boost") in [(s.label, s.effect) for s in plan.spans]


def test_departments_by_their_codes() -> None:
    assert read("bag for women", shop_view(gender={"F": 3, "M": 2})).filters == {
        "gender": ["F", None]
    }


def test_a_department_that_is_a_guess_leaves_nobody_out() -> None:
    model = with_model(("women", "occasion"))
    assert read("shoes women", processor=model).filters == {}


TITLES = Lexicon({"print": 9, "over": 2, "ear": 2, "nonsense": 1}, {"no nonsense": 3})


@pytest.mark.parametrize(
    ("query", "phrase", "excluded"),
    [
        ("shirt not printed", "printed", []),
        ("shirt no prints", "prints", []),
        ("not over ear shirt", "over ear", []),
        ("shirt without print or black", "print", ["Black", "Matte Black"]),
        ("shirt not black or printed", "printed", ["Black", "Matte Black"]),
        ("shirt not plastic", "plastic", []),  # no title has the word, and it is a material
    ],
)
def test_what_only_titles_know_is_avoided(query: str, phrase: str, excluded: list[str]) -> None:
    plan = read(query, msgspec.structs.replace(SHOP, lexicon=TITLES))
    (span,) = (s for s in plan.spans if s.effect == "avoid")
    assert (span.label, span.field, span.values) == ("negation", "", (phrase,))
    filters = {"color": {"not": excluded}} if excluded else {}
    assert (plan.text, plan.filters) == ("shirt", filters)


def test_each_of_several_is_avoided_by_itself() -> None:
    plan = read("shirt not printed or nonsense", msgspec.structs.replace(SHOP, lexicon=TITLES))
    assert [s.values for s in plan.spans if s.effect == "avoid"] == [("printed",), ("nonsense",)]


@pytest.mark.parametrize("query", ["shirt not timer", "no nonsense shirt", "not your print"])
def test_what_no_title_has_or_is_a_name_is_not_avoided(query: str) -> None:
    plan = read(query, msgspec.structs.replace(SHOP, lexicon=TITLES))
    assert not [s for s in plan.spans if s.effect == "avoid"]
    assert plan.text == query


@pytest.mark.parametrize(
    ("query", "filters", "text"),
    [
        ("but red", {"color": ["Red", None]}, ""),
        ("like this in black please", {"color": ["Black", "Matte Black", None]}, ""),
        ("same but for women", {"gender": ["Women", None]}, ""),
        ("something like this for my wife", {"gender": ["Women", None]}, ""),
        ("not black", {"color": {"not": ["Black", "Matte Black"]}}, ""),
        ("cotton with stripes", {"material": ["Cotton", None]}, "with stripes"),
        ("red shoes", {}, "red shoes"),  # a query of its own, which the photo illustrates
        ("something like this", {}, "something like this"),
    ],
)
def test_words_beside_a_photo_say_how_it_should_differ(
    query: str, filters: dict[str, Any], text: str
) -> None:
    colors = {"Red": 5, "Orange": 3, "Black": 7, "Matte Black": 1, "White": 4}
    plan = read(query, shop_view(color=colors, brand={"Nike": 9}), pictured=True)
    assert (plan.filters, plan.text) == (filters, text)


@pytest.mark.parametrize(
    "query", ["without print", "same but without the print", "no prints please"]
)
def test_beside_a_photo_what_only_titles_have_is_avoided_whatever_words_are_left(
    query: str,
) -> None:
    plan = read(query, msgspec.structs.replace(SHOP, lexicon=TITLES), pictured=True)
    assert [s.effect for s in plan.spans] == ["avoid"]
    assert plan.text == ""


def test_a_department_beside_a_photo_leaves_what_is_for_all() -> None:
    everyone = dict.fromkeys(("Men", "Women", "Unisex"), 3)
    plan = read("but for women", shop_view(gender=everyone), pictured=True)
    assert plan.filters == {"gender": ["Women", "Unisex", None]}


def test_cheaper_beside_what_to_be_like() -> None:
    plan = read("but cheaper in red", pictured=True)
    assert (plan.below, plan.text) == (("price",), "")
    assert read("cheaper").below == ()


@pytest.mark.parametrize(
    ("query", "need"),
    [
        ("something to hang coats on", True),
        ("somewhere to put my shirts", True),
        ("for when it rains", False),
        ("keep my feet dry", True),
        ("watch films with my friends", True),
        ("walk in wardrobe", False),
        ("watch for men", False),
        ("Watches for a friend", False),
        ("red shoes for women", False),
        ("running shoes", False),
        ("lampshade", False),
    ],
)
def test_needs(query: str, need: bool) -> None:
    assert read(query).need is need


def test_the_model_chooses_between_fields() -> None:
    assert told(read("orange"))[0][2:4] == ("color", ("Orange",))
    phone = with_model(("orange", "creator"))
    assert told(read("orange", processor=phone))[0][2:4] == ("brand", ("Orange",))


def test_part_of_a_name_is_no_value() -> None:
    model = with_model(("red wing", "creator"), ("shoes", "core_product_type"))
    assert told(read("red wing shoes", processor=model)) == [
        ("creator", "red wing", "", (), "note"),
        ("core_product_type", "shoes", "category", ("Shoes",), "boost"),
    ]


def test_a_type_at_the_end_of_a_name_is_one() -> None:
    model = with_model(("apple watch", "product_name"))
    assert told(read("apple watch", processor=model)) == [
        ("product_name", "apple", "", (), "note"),
        ("core_product_type", "watch", "category", ("Watches",), "boost"),
    ]


@pytest.mark.parametrize(
    ("query", "linked"),
    [
        ("watch strap", []),
        ("watches nixon", ["watches"]),
        ("shirt dress", ["dress"]),
        ("red watch for men", ["red", "watch", "men"]),
    ],
)
def test_a_noun_before_a_noun_only_describes_it(query: str, linked: list[str]) -> None:
    assert [s.value for s in read(query).spans if s.field] == linked


def test_what_the_model_knows_more_stays_a_note() -> None:
    model = with_model(("for women", "department"), ("wedding", "occasion", 0.4))
    assert told(read("wedding shoes for women", processor=model)) == [
        ("core_product_type", "shoes", "category", ("Shoes",), "boost"),
        ("department", "women", "gender", ("Women",), "boost"),
    ]


def test_rules_come_before_the_model() -> None:
    model = with_model(("shoes under 60", "product_name"), ("cheap", "price"))
    plan = read("cheap shoes under 60", processor=model)
    assert [(s.label, s.value) for s in plan.spans] == [
        ("price", "cheap"),
        ("core_product_type", "shoes"),
        ("price", "under 60"),
    ]


def test_agreement_makes_sure() -> None:
    agreed = with_model(("red", "color", 0.95))
    other = with_model(("red", "modifier", 0.95))
    confidence = [read("red", processor=p).spans[0].confidence for p in (agreed, RULES, other)]
    assert confidence == sorted(confidence, reverse=True)
    assert len(set(confidence)) == 3


def test_what_describes_is_a_modifier_to_the_model() -> None:
    model = with_model(("leather", "modifier"))
    assert told(read("leather", processor=model))[0][:3] == ("material", "leather", "material")
    assert read("leather", processor=model).spans[0].confidence > 0.9


def test_of_two_model_spans_the_one_that_agrees() -> None:
    model = with_model(("running", "modifier"), ("shoes", "core_product_type"))
    span = read("running shoes", processor=model).spans[0]
    assert (span.value, span.label) == ("running shoes", "core_product_type")
    assert span.confidence > 0.9


def test_what_the_shopper_took_back_is_left_out() -> None:
    query = "red shoes not black under 60"
    plan = read(query, ignored=("price:under 60", "negation:not black", "color:red"))
    assert [s.value for s in plan.spans] == ["shoes"]
    assert (plan.filters, plan.text) == ({}, query)


def test_a_word_whose_correction_was_taken_back_is_none_of_the_shop() -> None:
    assert told(read("Nikke shoes"))[0][2:4] == ("brand", ("Nike",))
    assert [s.field for s in read("Nikke shoes", ignored=("spelling:nikke",)).spans] == ["category"]


def test_what_others_planned_stays() -> None:
    earlier = Span(0, 3, "color", "red", 1.0, "color", ("White",), "boost")
    plan = read(
        "red shoes under 60",
        read="red shoes under 60",
        spans=(earlier,),
        filters={"price": {"lte": 10}},
        categories={"Watches": 0.7},
    )
    assert plan.spans[0] == earlier
    assert [s.value for s in plan.spans] == ["red", "shoes", "under 60"]
    assert plan.filters == {"price": {"lte": 10}}
    assert plan.categories["Watches"] == 0.7


@given(
    st.lists(
        st.sampled_from(
            [
                "red",
                "nike",
                "shoes",
                "not",
                "black",
                "or",
                "under",
                "60",
                "€",
                "size",
                "8",
                "-",
                ",",
                "-black",
            ]
        )
    )
)
def test_whatever_stands_together(words: list[str]) -> None:
    plan = read(" ".join(words))
    end = 0
    for span in plan.spans:
        assert end <= span.start < span.end <= len(plan.read)
        end = span.end
    assert bool(plan.text) or bool(plan.filters) or not words


def test_the_model_reads() -> None:
    plan = read("red nike running shoes for women", processor=make(model=str(LOOKUP), threads=1))
    labels = [s.label for s in plan.spans]
    assert labels == ["color", "creator", "core_product_type", "department"]
    assert plan.categories["Shoes > Running"] > 0.5


def test_the_reader_is_there_for_others() -> None:
    assert make(model=str(LOOKUP)).reader.read("red").spans
    with pytest.raises(InvalidModel, match="without a model"):
        _ = make().reader


def test_a_missing_model_is_told_when_it_is_needed(tmp_path: Path) -> None:
    processor = make(model=str(tmp_path))
    for _ in range(2):
        with pytest.raises(InvalidModel, match=str(tmp_path)):
            read("red shoes", processor=processor)


@pytest.mark.parametrize("options", [{"min_confidence": 2}, {"threads": 0}, {"runtime": "cuda"}])
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidSettings, match=f"understand.*{next(iter(options))}"):
        make(**options)


def test_categories_by_likeness() -> None:
    likely = LiveCategories().likely("running shoes", SHOP)
    assert next(iter(likely)) == "Shoes > Running Shoes"
    assert 0 < sum(likely.values()) <= 1


def test_kinds_are_told_by_the_field_that_says_most_about_them() -> None:
    kinds = {f"Kind {i}": 1 for i in range(9)}
    fine = shop_view(type={**kinds, "Flip Flops": 2})
    plan = read("walk on the beach in flip", fine)
    assert plan.kind_field == "type"
    assert plan.fields[-1] == "type" not in plan.spoken
    assert "Flip Flops" in LiveCategories().likely("flip flops", fine, "type")
    assert read("walk on the beach").kind_field == "category"


@pytest.mark.parametrize(("query", "pictured"), [("running shoes", False), ("in black", True)])
def test_no_kind_is_guessed_where_it_is_named_or_no_words_are_left(
    query: str, pictured: bool
) -> None:
    assert read(query, pictured=pictured).kind_field == ""


def test_a_photo_shows_the_kind() -> None:
    assert read("in stripes", pictured=True).kind_field == "category"


def test_a_kind_of_a_similar_name_is_near() -> None:
    shop = shop_view(type={"Rucksacks": 2, "Backpacks": 9, "Shoes": 3})
    (bag,) = read("rucksack", shop).spans
    assert (bag.values, bag.near) == (("Rucksacks",), {"Backpacks": ALIKE})
    (other,) = read("daypack", shop).spans
    assert set(other.values) == {"Rucksacks", "Backpacks"}


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("light blue skirt", ["Skirts"]),
        ("skirt, light blue", ["Skirts"]),
        ("ceiling light blue", ["Lamps"]),
        ("light skirt", ["Skirts"]),
        ("lights blue", ["Lamps"]),
    ],
)
def test_light_before_a_colour_is_no_lamp_where_something_else_is_named(
    query: str, kinds: list[str]
) -> None:
    shop = shop_view(type={"Lamps": 2, "Skirts": 3}, color={"Blue": 4, "Navy": 1})
    spans = read(query, shop).spans
    assert [v for s in spans if s.field == "type" for v in s.values] == kinds


def test_baby_before_a_colour_is_no_department_where_something_is_named() -> None:
    shop = shop_view(type={"Dress": 3}, color={"Blue": 4}, gender={"Baby": 2, "Women": 3})
    assert read("baby blue dress", shop).filters == {}
    assert read("blue baby dress", shop).filters == {"gender": ["Baby", None]}
    assert read("baby dress", shop).filters == {"gender": ["Baby", None]}


def test_without_an_article_means_only_what_a_field_has() -> None:
    assert read("shoes without the leather").filters == {"material": {"not": ["Leather"]}}
    assert read("rebel without a cause").filters == {}


def test_titles_may_inflect_what_is_not_wanted() -> None:
    shop = msgspec.structs.replace(SHOP, lexicon=Lexicon({"curvy": 2, "monitor": 3}))
    (note,) = [span for span in read("monitor not curved", shop).spans if span.label == "negation"]
    assert (note.effect, note.values) == ("avoid", ("curved",))


def test_a_shop_may_say_nothing_of_kinds() -> None:
    bare = msgspec.structs.replace(SHOP, vocabulary={"brand": {"Nike": 1}})
    assert read("walk on the beach", bare).kind_field == ""


class Counting(HashEncoder):
    def __init__(self) -> None:
        super().__init__(HashOptions())
        self.documents: list[str] = []

    def encode_texts(self, texts: Sequence[str], role: Any) -> Any:
        self.documents += texts if role == "document" else []
        return super().encode_texts(texts, role)


def test_category_names_are_embedded_once_and_many_of_them_beforehand() -> None:
    names = {f"Kind {i}": 1 for i in range(AT_ONCE + 1)}
    encoder = Counting()
    shop = msgspec.structs.replace(shop_view(category=names), text_encoder=encoder)
    categories = LiveCategories()
    assert categories.likely("kind 3", shop) == {}
    assert encoder.documents == []
    categories.learn(shop)
    assert categories.likely("kind 3", shop)
    grown = msgspec.structs.replace(shop, vocabulary={"category": {**names, "Lamps": 1}})
    assert "Lamps" in categories.likely("lamps", grown)
    assert sorted(encoder.documents) == sorted([*names, "Lamps"])


def test_a_noise_floor_keeps_unlike_categories_out() -> None:
    class Strict(HashEncoder):
        @property
        def info(self) -> Any:
            return msgspec.structs.replace(super().info, min_score={"text": 0.99})

    shop = msgspec.structs.replace(SHOP, text_encoder=Strict(HashOptions()))
    assert LiveCategories().likely("something else", shop) == {}


ITEMS = [
    Product(id=f"{n}", title=title, brand=brand, price=price, currency="EUR",
            category=("Shoes",), attributes={"color": color})
    for n, (title, brand, price, color) in enumerate(
        [
            ("Court shoe", "Nike", 80.0, "Red"),
            ("Trail shoe", "Zyxorn", 50.0, "Black"),
            ("Road shoe", "Puma", 40.0, "Red"),
            ("City shoe", "Puma", 30.0, "White"),
        ]
    )
]  # fmt: skip


def open_shop(folder: Path, model: str) -> Engine:
    """A real index of :data:`ITEMS`, read with understanding."""
    made = ProfileSettings(query_processors=("normalize", "understand"), rankers=("understood",))
    settings = settings_for(folder)
    plugins = msgspec.structs.replace(settings.plugins, options={"understand": {"model": model}})
    settings = msgspec.structs.replace(settings, plugins=plugins, profiles={"default": made})
    build(settings, "20260101-000000-aaaa", ITEMS)
    make_live(settings, "20260101-000000-aaaa")
    return Engine(settings)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_shop(tmp_path_factory.mktemp("shop"), "") as opened:
        yield opened


def search(shop: Engine, text: str, **request: Any) -> Any:
    return shop.search(SearchRequest(Query(text), **request))


def ids(answer: Any) -> list[str]:
    return [hit.id for hit in answer.hits]


def test_a_search_for_a_colour_lifts_it(shop: Engine) -> None:
    answer = search(shop, "white shoe", explain=True)
    assert ids(answer)[0] == "3"
    assert answer.hits[0].explain.rankers["understood"] > 0
    assert answer.degraded == ()


def test_a_search_under_a_price_keeps_to_it(shop: Engine) -> None:
    assert set(ids(search(shop, "shoe under 45"))) == {"2", "3"}
    assert set(ids(search(shop, "under 45"))) == {"2", "3"}
    assert set(ids(search(shop, "shoe under 45", ignore=["price:under 45"]))) == set("0123")
    assert set(ids(search(shop, "shoe under 45", filters={"price": {"gte": 60}}))) == {"0"}


def test_a_search_without_a_brand_hides_it(shop: Engine) -> None:
    assert set(ids(search(shop, "shoe not puma"))) == {"0", "1"}


def test_a_product_that_was_just_written_is_understood(shop: Engine) -> None:
    new = Product(id="9", title="Evening shoe", brand="Qwermeo", category=("Shoes",))
    shop.put([(new, [])])
    plan, degraded = shop.understand("qwermeo shoe")
    assert degraded == []
    assert plan.spans[0].values == ("Qwermeo",)
    assert ids(search(shop, "qwermeo shoe"))[0] == "9"


def test_without_its_model_the_query_stays_plain(tmp_path: Path) -> None:
    with open_shop(tmp_path, str(tmp_path / "none")) as opened:
        answer = search(opened, "white shoe under 45")
    assert len(answer.hits) == len(ITEMS)
    assert [d.component for d in answer.degraded] == ["understand"]
    assert answer.plan.text == "white shoe under 45"
    assert np.isfinite([hit.score for hit in answer.hits]).all()


def doc_rows() -> list[list[str]]:
    """The table of examples in docs/understanding.md."""
    text = (Path(__file__).parents[2] / "docs" / "understanding.md").read_text(encoding="utf-8")
    table = text.split("| Query | Is searched for |")[1].split("\n\n")[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("row", doc_rows(), ids=lambda row: row[0])
def test_the_documented_examples(row: list[str]) -> None:
    query, searched, linked, filters = row
    example: dict[str, dict[str, int]] = {
        "brand": {"Nike": 3, "Zyxorn": 1},
        "color": {"Red": 1, "Navy Blue": 1, "Black": 1},
        "gender": {"Men": 1, "Women": 1},
        "material": {"Leather": 1, "Cotton": 1},
        "category": {"Shoes": 4, "Shoes > Running Shoes": 2},
    }
    kinds = dict.fromkeys(("color", "gender", "material"), FieldKind.KEYWORD)
    shop = ShopView(IndexSchema(kinds), example, ENCODER, {"EUR": 4})
    plan = read(query.strip("`"), shop)
    named = [": ".join((s.field, *s.values)) for s in plan.spans if s.field]
    assert plan.text == searched.strip("`")
    assert "; ".join(named) == linked
    assert plan.filters == json.loads(filters.strip("`"))


def test_rules_that_change_cost_no_new_vocabulary() -> None:
    """It is long to learn, and a search would wait for it."""
    processor = Understand(UnderstandOptions(model=""))
    view = shop_view()
    plan = processor.process(QueryPlan(original="red shoes", text="red shoes"), view)
    learnt = processor._gazetteer(view), processor._categories._known
    ruled = msgspec.structs.replace(view, rules=RuleSet())
    assert processor.process(QueryPlan(original="red shoes", text="red shoes"), ruled) == plan
    assert processor._gazetteer(ruled) is learnt[0]
    assert processor._categories._known is learnt[1]
    assert processor._gazetteer(shop_view()) is not learnt[0]
