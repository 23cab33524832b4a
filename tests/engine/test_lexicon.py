"""The words of a shop, counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Lexicon, fold, lexicon, terms
from engine.lexicon import LexiconReader


def test_words_are_folded_and_keep_their_places() -> None:
    text = "Women’s T-Shirt, Größe 38 é鞋子"
    found = list(terms(text))
    assert [t.word for t in found] == ["womens", "t", "shirt", "grosse", "38", "e", "鞋", "子"]
    assert [text[t.start : t.end] for t in found][3] == "Größe"
    assert fold("ÀÉ") == "ae"


def test_products_are_counted_not_words() -> None:
    reader = LexiconReader()
    reader.read(["Red shoe, red", "red lamp"], [["Acme", None], [["Home", "Home > Shoe"], []]])
    words = reader.lexicon().words
    assert words["red"] == 2
    assert words["shoe"] == words["acme"] == words["home"] == 1


def test_pairs_are_neighbours_in_several_titles() -> None:
    reader = LexiconReader()
    reader.read(["Running Shoes Nike", "Running shoes", "Red lamp"], [])
    lexicon = reader.lexicon()
    assert dict(lexicon.pairs) == {"running shoes": 2}
    assert lexicon.together("shoes", "running") == 2
    assert lexicon.together("red", "lamp") == 0


def test_which_products_have_a_word() -> None:
    reader = LexiconReader()
    reader.read(["Red shoe, red", None, "Blue shoe"], [["Acme", "Acme", "Nike Red"]])
    sample = reader.lexicon().sample
    assert sample.products == 3
    assert sample.of("red").tolist() == [0, 2]
    assert sample.of("shoe").tolist() == [0, 2]
    assert sample.of("acme").tolist() == [0, 1]
    assert sample.of("lamp").tolist() == []
    assert LexiconReader().lexicon().sample.products == 0
    assert Lexicon().sample.of("red").tolist() == []


def test_of_many_products_a_sample_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "MAX_SAMPLED", 10)
    reader = LexiconReader()
    for start in range(0, 60, 7):
        reader.read([f"w{i}" for i in range(start, min(60, start + 7))], [])
    found = reader.lexicon()
    assert found.sample.products == 8
    assert [w for w in found.words if found.sample.of(w).size] == [f"w{8 * i}" for i in range(8)]


def test_new_words_are_added_and_old_ones_kept() -> None:
    lexicon = Lexicon({"red": 5})
    more = lexicon.with_words([("Red zebra", ["Acme"]), ("zebra", [])])
    assert dict(more.words) == {"red": 5, "zebra": 2, "acme": 1}
    assert more.sample is lexicon.sample
    assert lexicon.with_words([("RED", [])]) is lexicon


@given(st.lists(st.text(max_size=30), max_size=8), st.integers(min_value=1, max_value=4))
def test_reading_in_parts_is_reading_at_once(titles: list[str], size: int) -> None:
    whole, parts = LexiconReader(), LexiconReader()
    whole.read(titles, [titles])
    for start in range(0, len(titles), size):
        part = titles[start : start + size]
        parts.read(part, [part])
    assert parts.lexicon().words == whole.lexicon().words
    assert parts.lexicon().pairs == whole.lexicon().pairs
    rows = [made.lexicon().sample.rows.tolist() for made in (parts, whole)]
    assert rows[0] == rows[1]
