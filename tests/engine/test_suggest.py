"""Completing what is typed."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import QueryCount, terms
from engine.labels import LabelTable
from engine.lexicon import Lexicon
from engine.phrases import PhraseReader
from engine.shop_words import leads_somewhere, products_to_suggest, texts_to_suggest
from engine.suggest import Entry, SuggestionIndex

ENTRIES = [
    Entry("running shoes", "query"),
    Entry("Shoes", "category", "Sport > Shoes"),
    Entry("blue t-shirt", "query"),
    Entry("Nike", "brand", "Nike"),
    Entry("shoe rack", "query"),
    Entry("Sacs & bébé", "category", "Sacs & bébé"),
    Entry("鞋子", "query"),
    Entry("Nike Blue Running Shoes", "product", "p1"),
    Entry("Shoe Rack <Oak>", "product", "p2"),
]
INDEX = SuggestionIndex(ENTRIES)


def texts(typed: str, limit: int = 10, index: SuggestionIndex = INDEX) -> list[str]:
    return [s.text for s in index.suggest(typed, limit)]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sho", ["Shoes", "shoe rack", "running shoes", "Shoe Rack <Oak>"]),
        ("shoes run", ["running shoes"]),
        ("run sho", []),  # a word that is not the last is a whole one
        ("BLUE T", ["blue t-shirt"]),
        ("bebe", ["Sacs & bébé"]),
        ("shoe ", ["shoe rack"]),  # a space ends the word
        ("鞋", ["鞋子"]),
        ("nik", ["Nike", "Nike Blue Running Shoes"]),
        ("🙂", []),
        ("كتاب", []),
        ("zzzz", []),
    ],
)
def test_the_last_word_is_a_prefix(typed: str, found: list[str]) -> None:
    got = texts(typed)
    assert [text for text in got if text in found] == found
    if not found:
        assert got == []


def test_what_begins_with_the_words_comes_first_and_products_last() -> None:
    kinds = [s.kind for s in INDEX.suggest("sho", 10)]
    assert kinds == ["category", "query", "query", "product", "product"]
    assert [s.kind for s in INDEX.suggest("sho", 2)] == ["category", "product"]
    assert [s.kind for s in INDEX.suggest("sho", 1)] == ["category"]


def test_each_kind_says_what_it_leads_to() -> None:
    found = {s.text: s for s in INDEX.suggest("s", 10)}
    assert found["Shoes"].value == "Sport > Shoes"
    assert found["Shoe Rack <Oak>"].id == "p2"
    assert found["shoe rack"].value == found["shoe rack"].id == ""


@pytest.mark.parametrize(
    "typed", ["runing sho", "shoees", "nkie", "niek", "shies", "runn9ng shoes"]
)
def test_one_typing_error_is_forgiven_where_nothing_else_fits(typed: str) -> None:
    assert texts(typed)


def test_short_and_endless_words_are_not_bent() -> None:
    assert texts("nxk") == []
    assert texts("s" * 1_000_000) == []
    assert texts("shoe " * 200_000)[0] == "shoe rack"


def test_nothing_typed_is_what_is_wanted_most() -> None:
    assert texts("", 2) == texts("  ", 2) == ["running shoes", "Shoes"]
    assert "Nike Blue Running Shoes" not in texts("", 20)
    assert texts("?!") == []
    assert texts("shoe", 5, SuggestionIndex()) == []


def test_highlights_are_safe_html_with_what_was_typed() -> None:
    marked = {s.text: s.highlight for s in INDEX.suggest("shoe ra", 10)}
    assert marked["Shoe Rack <Oak>"] == "<mark>Shoe</mark> <mark>Ra</mark>ck &lt;Oak&gt;"
    (found,) = INDEX.suggest("beb", 5)
    assert found.highlight == "Sacs &amp; <mark>béb</mark>é"


def one_error_apart(word: str, prefix: str) -> bool:
    """Whether some beginning of ``word`` is ``prefix`` but for one error."""

    def near(a: str, b: str) -> bool:
        if a == b:
            return True
        i = next(
            (n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
        )
        rest, other = a[i:], b[i:]
        swapped = rest[:2] == other[:2][::-1] and rest[2:] == other[2:]
        return swapped or rest[1:] == other or rest == other[1:] or rest[1:] == other[1:]

    return any(near(word[:end], prefix) for end in range(len(word) + 1))


typed_texts = st.one_of(
    st.text(max_size=20),
    st.builds(
        lambda text, at, letter: text[:at] + letter + text[at + 1 :],
        st.sampled_from([entry.text for entry in ENTRIES]),
        st.integers(0, 12),
        st.sampled_from(["", "x", "e", " "]),
    ),
)


@given(typed_texts, st.integers(1, 20))
def test_suggestions_have_all_the_words_within_one_error(typed: str, limit: int) -> None:
    found = INDEX.suggest(typed, limit)
    assert len(found) <= limit
    assert len({(s.text, s.kind) for s in found}) == len(found)
    for suggestion in found:
        held = [term.word for term in terms(suggestion.text)]
        for term in terms(typed):
            assert any(one_error_apart(word, term.word) for word in held)
        plain = re.sub("</?mark>", "", suggestion.highlight)
        assert html.unescape(plain) == suggestion.text


def test_phrases_of_titles_are_whole() -> None:
    reader = PhraseReader()
    reader.read(["Nike Men Navy Blue T-Shirt"] * 3 + ["Puma Men Blue T-Shirt", None, "!"])
    found = reader.phrases()
    assert found["blue t-shirt"] == 4
    assert not {"navy", "men navy", "navy blue", "t"} & found.keys()  # none ends a title
    assert "t-shirt" not in found  # always a part of the one above
    reader.read(["Red T-Shirt"] * 2 + ["Nike"])
    assert {"t-shirt": 6, "red t-shirt": 2, "nike": 4}.items() <= reader.phrases().items()


def count(query: str, shoppers: int = 5, zero: int = 0, clicks: int = 0) -> QueryCount:
    return QueryCount(query, shoppers, 10, zero, clicks, 0, 0)


def test_a_query_that_leads_nowhere_is_not_offered() -> None:
    lexicon = Lexicon({"red": 1, "shoe": 2})
    assert leads_somewhere(count("Red shoe"), lexicon)
    assert not leads_somewhere(count("red shoe", zero=5), lexicon)
    assert not leads_somewhere(count("red zebra"), lexicon)
    assert leads_somewhere(count("rote schuhe", clicks=1), lexicon)


def test_what_is_asked_comes_before_what_merely_exists() -> None:
    vocabulary = {"brand": {"Acme": 9}, "category": {"Home > Shoes": 3, "Shoes": 5}}
    queries = [count("red shoe", 50), count("Acme", 3)]
    found = texts_to_suggest({"red lamp": 20, "acme": 2}, vocabulary, queries)
    assert found[0] == Entry("red shoe", "query")
    assert Entry("Shoes", "category", "Shoes") in found
    assert [e for e in found if e.text.lower() == "acme"] == [Entry("Acme", "query")]
    german = LabelTable(values={"category": {"Shoes": "Schuhe"}})
    assert Entry("Schuhe", "category", "Shoes") in texts_to_suggest({}, vocabulary, [], german)


def test_titles_are_suggested_once_the_popular_ones_first() -> None:
    titles = {"a": "Lamp", "b": "Sofa", "c": "Lamp"}
    assert [e.ref for e in products_to_suggest(titles, ["b", "gone"])] == ["b", "a"]
