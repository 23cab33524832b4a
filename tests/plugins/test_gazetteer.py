"""Finding the shop's own words: spelling, typos, spaces, ambiguity, new values."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.types import MAX_QUERY_CHARS
from plugins.field_labels import labels_of
from plugins.gazetteer import ALIAS, SPLIT, TYPO, Gazetteer, Link, value_keys
from plugins.kind_names import GROUPS
from plugins.word_forms import Speller, form_of, key_of, words_of

VOCABULARY: Mapping[str, Mapping[str, int]] = {
    "brand": {"Zyxorn": 1, "Under Armour": 3, "H&M": 2, "Levi's": 2, "7 For All Mankind": 1}
    | {"Marks & Spencer": 2, "Orange": 1, "Nike": 9, "NA": 4, "Only The": 1},
    "category": {"Wear": 20, "Wear > Shoes": 9, "Wear > T-Shirts": 5, "Kids > Shoes": 2},
    "kind": {"Running Shoes": 4, "Shorts": 2, "Dresses": 2, "Sports Shoes": 3},
    "color": {"Red": 5, "Navy Blue": 2, "Orange": 3, "Black": 7, "Heather Grey": 1, "Maroon": 1},
    "gender": {"Men": 8, "Women": 9, "Kids": 2},
    "size": {"8": 2, "10.5": 1, "XL": 2, "UK 9": 1},
    "usage": {"Sports": 4, "Smart Casual": 1},
}
SHOP = Gazetteer.compile(VOCABULARY)


def found(text: str, shop: Gazetteer = SHOP) -> list[tuple[str, dict[str, tuple[str, ...]]]]:
    return [
        (text[m.start : m.end], {link.field: link.values for link in m.links})
        for m in shop.find(text)
    ]


@pytest.mark.parametrize(
    ("query", "phrase", "field", "value"),
    [
        ("a zyxorn jacket", "zyxorn", "brand", "Zyxorn"),  # no model has seen this brand
        ("UNDER ARMOUR bag", "UNDER ARMOUR", "brand", "Under Armour"),
        ("under armor bag", "under armor", "brand", "Under Armour"),
        ("underarmour bag", "underarmour", "brand", "Under Armour"),
        ("h&m bag", "h&m", "brand", "H&M"),
        ("h & m bag", "h & m", "brand", "H&M"),
        ("h and m bag", "h and m", "brand", "H&M"),
        ("marks and spencer", "marks and spencer", "brand", "Marks & Spencer"),
        ("levis 501", "levis", "brand", "Levi's"),
        ("levi’s 501", "levi’s", "brand", "Levi's"),
        ("7 for all mankind", "7 for all mankind", "brand", "7 For All Mankind"),
        ("nike running shoes", "running shoes", "kind", "Running Shoes"),
        ("runningshoes", "runningshoes", "kind", "Running Shoes"),
        ("running shoe", "running shoe", "kind", "Running Shoes"),
        ("runing shoes", "runing shoes", "kind", "Running Shoes"),
        ("tshirts", "tshirts", "category", "Wear > T-Shirts"),
        ("t shirt", "t shirt", "category", "Wear > T-Shirts"),
        ("dress", "dress", "kind", "Dresses"),
        ("women's", "women's", "gender", "Women"),
        ("womens", "womens", "gender", "Women"),
        ("ladies", "ladies", "gender", "Women"),
        ("gents", "gents", "gender", "Men"),
        ("wemen", "wemen", "gender", "Women"),
        ("for her", "her", "gender", "Women"),
        ("children", "children", "gender", "Kids"),
        ("navy", "navy", "color", "Navy Blue"),
        ("navy-blue", "navy-blue", "color", "Navy Blue"),
        ("gray", "gray", "color", "Heather Grey"),
        ("burgundy", "burgundy", "color", "Maroon"),
        ("blakc", "blakc", "color", "Black"),
        ("balck", "balck", "color", "Black"),
        ("blck", None, "", ""),  # four letters are too few to guess from
        ("smart casual", "smart casual", "usage", "Smart Casual"),
    ],
)
def test_spellings(query: str, phrase: str | None, field: str, value: str) -> None:
    matches = dict(found(query))
    if phrase is None:
        assert matches == {}
    else:
        assert value in matches[phrase][field]


@pytest.mark.parametrize(
    ("query", "phrase", "field", "values"),
    [
        ("trainers", "trainers", "kind", {"Sports Shoes", "Running Shoes"}),
        ("a party frock", "frock", "kind", {"Dresses"}),
        ("tees", "tees", "category", {"Wear > T-Shirts"}),
        ("coat in earth tones", "earth tones", "color", {"Tan", "Olive"}),
        ("gift for my wife", "my wife", "gender", {"Women"}),
        ("for dad", "for dad", "gender", {"Men"}),
    ],
)
def test_other_names(query: str, phrase: str, field: str, values: set[str]) -> None:
    more = {**VOCABULARY, "color": {**VOCABULARY["color"], "Tan": 1, "Olive": 1}}
    assert {k: set(v) for k, v in dict(found(query, Gazetteer.compile(more)))[phrase].items()} == {
        field: values
    }


@pytest.mark.parametrize("query", ["mom jeans", "boyfriend shirt", "earth", "pastel dress"])
def test_names_that_need_more_words(query: str) -> None:
    assert not {"gender", "color"} & {field for _, links in found(query) for field in links}


def test_a_name_that_the_shop_has_is_no_other_name() -> None:
    """A shop of sneakers and trainers means by "trainers" what it says."""
    shop = Gazetteer.compile({"kind": {"Sneakers": 3, "Trainers": 2}})
    assert found("trainers", shop) == [("trainers", {"kind": ("Trainers",)})]


def test_every_name_of_a_kind_is_found_by_words() -> None:
    for group in GROUPS:
        for one in group:
            shop = Gazetteer.compile({"kind": {one: 1}})
            others = [name for name in group if name != one]
            assert all(shop.find(name) for name in others), group


def test_a_leaf_names_every_category_that_ends_in_it() -> None:
    assert found("shoes") == [("shoes", {"category": ("Wear > Shoes", "Kids > Shoes")})]


def test_the_longest_phrase_counts() -> None:
    assert found("red running shoes") == [
        ("red", {"color": ("Red",)}),
        ("running shoes", {"kind": ("Running Shoes",)}),
    ]


def test_what_is_ambiguous_names_all_fields() -> None:
    ((_, fields),) = found("orange")
    assert fields == {"brand": ("Orange",), "color": ("Orange",)}


@pytest.mark.parametrize(
    "query",
    ["", "na", "8", "10.5", "iphone 8", "501", "the only", "m", "a", "  ", "and", "&", "한국어"],
)
def test_numbers_letters_and_empty_words_are_no_values(query: str) -> None:
    assert found(query) == []


@pytest.mark.parametrize("query", ["short dress", "shots", "sport coat", "nikon", "blade"])
def test_words_of_their_own_are_no_typos(query: str) -> None:
    phrases = [phrase for phrase, _ in found(query)]
    assert not {"short", "shots", "nikon", "blade", "coat"} & set(phrases)


def test_two_words_in_one() -> None:
    assert found("blackshoes") == [
        ("black", {"color": ("Black",)}),
        ("shoes", {"category": ("Wear > Shoes", "Kids > Shoes")}),
    ]
    assert found("womensshorts")[0] == ("womens", {"gender": ("Women",)})


def test_scores_say_how_it_was_found() -> None:
    scores = {q: SHOP.find(q)[0].score for q in ("red", "navy", "blakc", "blackshoes")}
    assert scores == {"red": 1, "navy": ALIAS, "blakc": TYPO, "blackshoes": SPLIT}


def test_an_exact_value_can_be_a_number() -> None:
    assert SHOP.exactly("8", ["size"]) == (Link("size", ("8",), 2),)
    assert SHOP.exactly("uk 9", ["size"]) == (Link("size", ("UK 9",), 1),)
    assert SHOP.exactly("8", ["brand"]) == ()


@given(
    st.one_of(
        st.sampled_from([value for values in VOCABULARY.values() for value in values]),
        st.sampled_from(["nothing", "", "8", "none", "trail runners", "of"]),
    )
)
def test_a_value_has_a_key_where_it_is_found_exactly(text: str) -> None:
    found = SHOP.exactly(text, VOCABULARY.keys())
    assert (key_of(words_of(text)) in value_keys(VOCABULARY)) is bool(found)


def test_a_new_value_is_known_at_once_and_the_old_shop_is_as_it_was() -> None:
    grown = {**VOCABULARY, "brand": {**VOCABULARY["brand"], "Qwermeo": 1}}
    after = Gazetteer.compile(grown, SHOP)
    assert found("qwermeo shoes", after)[0] == ("qwermeo", {"brand": ("Qwermeo",)})
    assert found("qwermoe shoes", after)[0] == ("qwermoe", {"brand": ("Qwermeo",)})
    assert found("qwermeo") == []
    assert [after.find(q) for q in ("red nike runningshoes", "orange")] == [
        Gazetteer.compile(grown).find(q) for q in ("red nike runningshoes", "orange")
    ]


def test_what_the_shop_no_longer_has_is_forgotten() -> None:
    shrunk = {**VOCABULARY, "brand": {"Nike": 9}}
    assert found("zyxorn", Gazetteer.compile(shrunk, SHOP)) == []


@pytest.mark.parametrize(
    ("name", "values", "first"),
    [
        ("brand", {"Acme": 1}, "creator"),
        ("manufacturer_name", {"Acme": 1}, "creator"),
        ("shade", {"Dusk": 1}, "color"),
        ("variant", {"Red": 3, "Black": 4, "Dusk": 1}, "color"),
        ("baseColour", {"Dusk": 1}, "color"),
        ("for_whom", {"Men": 3, "Women": 2, "Unisex": 1}, "department"),
        ("gender_affinity", {"M": 3, "F": 2}, "department"),
        ("made_of", {"Cotton": 3, "100% Wool": 2}, "material"),
        ("größe", {"S": 3, "42": 2}, "UoM"),
        ("product-type", {"Shoes": 2}, "core_product_type"),
        ("season", {"Winter": 2}, "occasion"),
    ],
)
def test_what_a_field_is_about(name: str, values: dict[str, int], first: str) -> None:
    assert labels_of(name, values)[:1] == (first,)


def test_a_field_may_be_about_anything() -> None:
    assert labels_of("note", {"good": 1, "better": 2}) == ()


def test_children_are_boys_and_girls_where_they_have_no_name() -> None:
    shop = Gazetteer.compile({"gender": {"Men": 5, "Boys": 3, "Girls": 2}})
    assert found("kids shirt", shop) == [("kids", {"gender": ("Boys", "Girls")})]


def test_coded_departments() -> None:
    shop = Gazetteer.compile({"gender_affinity": {"M": 3, "F": 2}})
    assert found("shoes for women", shop) == [("women", {"gender_affinity": ("F",)})]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dress", "dresses"),
        ("box", "boxes"),
        ("watch", "watches"),
        ("scarf", "scarves"),
        ("cookie", "cookies"),
        ("hoody", "hoodies"),
        ("accessory", "accessories"),
        ("shoe", "shoes"),
        ("tomato", "tomatoes"),
        ("house", "houses"),
        ("Café", "cafe"),
        ("men's", "mens"),
        ("GRAY", "grey"),
        ("tie", "ties"),
        ("kurti", "kurtis"),
        ("sun glasses", "sunglasses"),
    ],
)
def test_same_form(one: str, other: str) -> None:
    assert key_of(words_of(one)) == key_of(words_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("short", "shorts"), ("glass", "glasses"), ("cap", "cape"), ("bus", "bu"), ("man", "woman")],
)
def test_another_form(one: str, other: str) -> None:
    assert form_of(one) != form_of(other)


def test_one_typo_and_no_more() -> None:
    speller = Speller({"purple": 1, "jean": 1, "people": 1})
    typos = ["purpl", "purrple", "purqle", "pruple", "puprel", "urple", "jaen", "jeen", "pean"]
    assert [speller.correct(typo) for typo in typos] == [
        *["purple"] * 4,
        *[None, None, "jean", None, None],
    ]


def test_of_two_words_the_more_frequent() -> None:
    assert Speller({"boots": 1, "boats": 5}).correct("bogts") == "boats"


@given(st.sampled_from(sorted(VOCABULARY["brand"])), st.text(max_size=20), st.text(max_size=20))
def test_finds_lie_in_the_text_and_apart(brand: str, before: str, after: str) -> None:
    text = f"{before} {brand} {after}"
    end = 0
    for match in SHOP.find(text):
        assert end <= match.start < match.end <= len(text)
        assert match.links
        end = match.end


@given(st.text(max_size=30))
def test_a_key_does_not_depend_on_case(text: str) -> None:
    if text.isascii():
        assert key_of(words_of(text.upper())) == key_of(words_of(text.lower()))


@pytest.mark.parametrize("unit", ["a", "shoes ", "running ", "blackshoes ", "zyxron ", "- ", "'"])
def test_the_longest_query_is_read(unit: str) -> None:
    text = (unit * MAX_QUERY_CHARS)[:MAX_QUERY_CHARS]
    assert all(match.end <= len(text) for match in SHOP.find(text))
