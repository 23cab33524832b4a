"""The features of ``ltr``: what each is, that they are documented, and that they always exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine import Query, QueryPlan, RankingBatch, SearchRequest, Span
from engine.ranking import take
from engine.testing.ranker_contract import make_batch
from plugins.ltr import features
from plugins.ltr.text import query_text, title_text

TITLES = [
    "Acme 36 in. Oak Vanity with White Top",
    "Oak Vanities Magazine",
    "Bolt DW-735 Planer, 12-Volt",
    "acme toothbrush",
    None,
]


def batch(query: str = "36 inch oak vanity", **columns: list[Any]) -> RankingBatch:
    made = make_batch(len(TITLES), {"title": TITLES, **columns}, text=query)
    return msgspec.structs.replace(made, plan=QueryPlan(original=query, text=query, read=query))


def column(name: str, found: RankingBatch, popularity: str = "") -> list[float]:
    values = features.matrix(found, popularity)[:, features.NAMES.index(name)]
    return [round(float(value), 4) for value in values]


NAN = float("nan")
GOLDEN: list[tuple[str, str, list[float]]] = [
    ("36 inch oak vanity", "query_in_title", [1, 0.5, 0, 0, 0]),
    ("36 inch oak vanity", "query_words_missing", [0, 2, 4, 4, 4]),
    ("36 inch oak vanity", "title_in_query", [0.5, 0.6667, 0, 0, NAN]),
    ("36 inch oak vanity", "measures_in_title", [1, 0, 0, 0, 0]),
    ("24 inch oak vanity", "measures_clash", [1, 0, 0, 0, 0]),
    ("24 inch oak vanity", "numbers_in_title", [0, 0, 0, 0, 0]),
    ("oak vanity", "numbers_in_title", [NAN] * 5),
    ("white oak vanity", "query_pairs_in_title", [0.5, 0.5, 0, 0, 0]),
    ("oak vanity", "heads_agree", [1, 0, 0, 0, 0]),
    ("acme vanity", "query_first_in_title", [1, 0, 0, 1, 0]),
    ("oak vanity", "first_match_place", [3, 0, NAN, NAN, NAN]),
    ("dw735 planer", "codes_in_title", [0, 0, 1, 0, 0]),
    ("tooth brush", "query_in_title_solid", [0, 0, 0, 1, 0]),
    ("tooth brush", "query_in_title", [0, 0, 0, 0, 0]),
    ("planer", "title_words", [8, 3, 6, 2, 0]),
    # Both words are in two of five titles: idf log(1 + 3.5 / 2.5); the titles have 8 and 3 words
    # where 3.8 are usual.
    ("oak vanity", "query_in_title_bm25", [0.5481, 0.8709, 0, 0, 0]),
    ("oak desk", "query_in_title_behind", [0, 0, -0.5, -0.5, -0.5]),
    ("oak vanity", "fuzzy_words_idf_behind", [0, 0, -1, -1, -1]),
    ("oak vanity", "trigrams_in_title_behind", [0, 0, -1, -1, -1]),
    ("oak vanity", "fuzzy_words_place", [0.8, 0.8, 0.3, 0.3, 0.3]),
    ("oak vanity", "whole_matches", [1.0986] * 5),
    ("oak desk", "whole_matches", [0] * 5),
    ("☃", "whole_matches", [NAN] * 5),
]


@pytest.mark.parametrize(("query", "name", "expected"), GOLDEN)
def test_what_words_have_in_common(query: str, name: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(column(name, batch(query)), expected)


def test_typos_are_forgiven_by_characters_only() -> None:
    found = batch("oak vannity")
    assert column("query_in_title", found)[0] == 0.5
    assert column("fuzzy_last_word", found)[0] > 0.6 > column("fuzzy_last_word", found)[2]
    assert column("fuzzy_words", batch("oak vanity"))[0] == 1


def test_rare_words_count_more() -> None:
    shared = column("query_in_title_idf", batch("acme planer"))
    assert shared[2] > shared[3] > 0, "two titles have acme, one is of a planer"


@pytest.mark.parametrize(
    ("text", "forms"),
    [
        ('36" x 1/2 in. Vanities', "36 inch x 1/2 inch vanity"),
        ("5.0 GAL 05 1,500", "5 gal 5 1500"),
        ("in stock", "in stock"),
        ("36in SC-141", "36 inch sc 141"),
        ("☃ — !", ""),
    ],
)
def test_words_have_one_form(text: str, forms: str) -> None:
    assert query_text(text, 20).joined.strip() == forms


@pytest.mark.parametrize(
    ("title", "head"),
    [
        ("Delta 1-Handle Faucet Trim Kit in Chrome (Valve Not Included)", "kit"),
        ("Toro 22 in. Gas Lawn Mower with Engine", "mower"),
        ("Metal Stakes (4-Pack)", "stake"),
        ("With love", "love"),
    ],
)
def test_the_name_of_the_thing_ends_where_its_description_begins(title: str, head: str) -> None:
    text = title_text(title)
    assert text.joined.split()[text.head] == head


def test_what_the_best_have_in_common() -> None:
    """Five leaders, twenty best and one more; the last title stands alone."""
    titles = ["Acme Oak Desk"] * 5 + ["Acme Lamp in White"] * 14 + [None, "Bolt Oak Desk"]
    made = make_batch(21, {"title": titles}, text="oak")
    made = msgspec.structs.replace(
        made,
        plan=QueryPlan(original="oak", text="oak", read="oak"),
        scores=np.linspace(1, 0.5, 21, dtype=np.float32),
    )
    expected = {
        "opening_consensus": [0.95, 0.95, NAN, 0],
        "head_consensus": [0.25, 0.7, NAN, 0.25],
        "title_consensus": [(0.95 + 2 * 0.25) / 3, (0.95 + 3 * 0.7) / 4, NAN, 0.5 / 3],
        "title_consensus_behind": [0.4833 - 0.7625, 0, NAN, 0.1667 - 0.7625],
        "leaders_consensus": [1, 0.25, NAN, 2 / 3],
        "other_words_consensus": [(0.95 + 0.25) / 2, (0.95 + 3 * 0.7) / 4, NAN, 0.125],
    }
    for name, (leading, second, empty, last) in expected.items():
        found = column(name, made)
        shown = [found[0], found[5], found[19], found[20]]
        np.testing.assert_allclose(shown, [leading, second, empty, last], atol=1e-3, err_msg=name)


def test_lanes_and_fusion() -> None:
    made = msgspec.structs.replace(
        batch(),
        scores=np.float32([0.02, 0.04, 0.01, 0.04, 0.005]),
        lane_ranks={
            "text": np.int32([1, 2, 0, 0, 0]),
            "bm25": np.int32([0, 4, 0, 0, 0]),
            "bm25:es": np.int32([8, 2, 0, 0, 0]),
        },
        lane_scores={
            "text": np.float32([0.8, 0.4, np.nan, np.nan, np.nan]),
            "bm25": np.float32([np.nan, 6, np.nan, np.nan, np.nan]),
            "bm25:es": np.float32([3, 12, np.nan, np.nan, np.nan]),
        },
    )
    np.testing.assert_array_equal(column("text_rank", made), [1, 0.5, NAN, NAN, NAN])
    np.testing.assert_array_equal(column("bm25_rank", made), [0.125, 0.5, NAN, NAN, NAN])
    np.testing.assert_array_equal(column("bm25_score_share", made), [0.25, 1, NAN, NAN, NAN])
    np.testing.assert_array_equal(column("photo_rank", made), [NAN] * 5)
    assert column("rank", made) == [0.3333, 1, 0.25, 1, 0.2], "equal scores have one rank"
    assert column("score_share", made) == [0.5, 1, 0.25, 1, 0.125]
    assert column("lanes_found", made) == [2, 3, 0, 0, 0]


def test_attributes_that_were_named() -> None:
    spans = (
        Span(0, 3, "color", "red", 0.6, "color", ("Red",), "boost"),
        Span(4, 8, "color", "blue", 0.9, "color", ("Blue",), "boost"),
        Span(9, 13, "creator", "acme", 0.5, "brand", ("Acme",), "boost"),
        Span(14, 17, "negation", "oak", 1.0, "material", ("Oak",), "exclude"),
    )
    made = batch(
        color=["Red", ["Blue", "Grey"], "Grey", None, "Red"], brand=["Acme"] * 3 + [""] * 2
    )
    made = msgspec.structs.replace(made, plan=QueryPlan(text="x", read="x", spans=spans))
    assert column("has_color", made) == [1, 1, 0, 0, 1]
    assert column("sure_color", made) == [0.9] * 5
    assert column("has_brand", made) == [1, 1, 1, 0, 0]
    np.testing.assert_array_equal(column("has_material", made), [NAN] * 5)


def test_category_and_brand() -> None:
    paths = [["Home", "Home > Bath"], ["Home", "Home > Bath"], ["Media"], None, ["Home"]]
    made = batch("acme bath", category=paths, brand=["Acme", "Bolt & Co", None, "", "Acme Home"])
    assert column("category_consensus", made)[:3] == [0.4, 0.4, 0.2]
    np.testing.assert_array_equal(column("category_in_query", made), [1, 1, 0, NAN, 0])
    np.testing.assert_array_equal(column("brand_in_query", made), [1, 0, NAN, NAN, 0.5])
    plan = msgspec.structs.replace(made.plan, categories={"Home": 0.2, "Home > Bath": 0.5})
    likely = column("category_likely", msgspec.structs.replace(made, plan=plan))
    np.testing.assert_array_equal(likely, [0.5, 0.5, 0, NAN, 0.2])


def test_price_popularity_and_stock() -> None:
    made = batch(
        price=[10.0, 20.0, 40.0, None, 20.0],
        currency=["EUR"] * 5,
        in_stock=[True, False, None, True, True],
        sold=[0, 9.0, None, 3, "many"],
    )
    np.testing.assert_array_equal(column("price_place", made), [0.125, 0.5, 0.875, NAN, 0.5])
    np.testing.assert_array_equal(column("price_ratio", made)[1:4], [0, 0.6931, NAN])
    np.testing.assert_array_equal(column("in_stock", made), [1, 0, NAN, 1, 1])
    np.testing.assert_array_equal(column("popularity", made), [NAN] * 5)
    popular = column("popularity", made, "sold")
    np.testing.assert_array_equal(popular, [0, 2.3026, NAN, 1.3863, NAN])
    np.testing.assert_array_equal(
        column("popularity_place", made, "sold"), [0.1667, 0.8333, NAN, 0.5, NAN]
    )


def test_prices_in_another_currency_are_not_compared() -> None:
    made = batch(price=[10.0, 9000.0, 20.0, 30.0, 5.0], currency=["EUR", "JPY"] + ["EUR"] * 3)
    np.testing.assert_array_equal(column("price_place", made)[1], NAN)
    assert column("price_place", made)[0] == 0.375


def test_the_query_itself() -> None:
    photo = SearchRequest(Query(text="3 oak x2", image=Image.new("RGB", (4, 4)), like=("a", "b")))
    made = msgspec.structs.replace(batch("3 oak x2"), request=photo)
    for name, value in {
        "query_words": 3,
        "query_characters": 8,
        "query_numbers": 2,
        "query_has_photo": 1,
        "query_likes": 2,
        "candidates": 5,
    }.items():
        assert column(name, made) == [value] * 5, name


def test_an_empty_window_has_no_rows() -> None:
    empty = RankingBatch([], np.zeros(0, np.float32), {}, {}, QueryPlan(), SearchRequest())
    assert features.matrix(empty).shape == (0, len(features.NAMES))


WORD = st.text(st.sampled_from("ab1-/ ☃\"'inß登"), max_size=12)


@given(
    query=WORD,
    titles=st.lists(st.none() | WORD, min_size=1, max_size=8),
    seed=st.integers(0, 99),
)
def test_any_window_has_them_all_in_any_order(
    query: str, titles: list[str | None], seed: int
) -> None:
    n = len(titles)
    made = make_batch(n, {"title": titles, "price": [float(i) for i in range(n)]}, text="x")
    plan = QueryPlan(original=query, text=query, read=query)
    made = msgspec.structs.replace(made, plan=plan)
    values = features.matrix(made)
    assert values.dtype == np.float32
    assert values.shape == (n, len(features.NAMES))
    assert not np.isinf(values).any()
    order = np.random.default_rng(seed).permutation(n)
    np.testing.assert_allclose(features.matrix(take(made, order)), values[order], rtol=1e-5)


def test_names_are_distinct_and_grouped() -> None:
    assert len(set(features.NAMES)) == len(features.NAMES)
    expected = "fusion lanes text window attributes shop query"
    assert " ".join(features.GROUPS) == expected


def test_the_table_in_the_docs_is_the_table(root: Path) -> None:
    text = (root / "docs" / "ltr.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [tuple(feature) for feature in features.FEATURES]
    assert f"Features, version {features.VERSION}" in text
