"""The terms of titles and the company they keep, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.term_contexts import FEWEST_PRODUCTS, TermContexts, TermReader

WORDS = ("sofa", "couch", "red", "blue", "leather", "7", "x")
TITLES = st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), max_size=30)


def read(*titles: str) -> TermContexts:
    reader = TermReader()
    for title in titles:
        reader.read(title, ())
    return reader.contexts()


def number(contexts: TermContexts, name: str) -> int:
    return contexts.names.index(tuple(name.split()))


@given(TITLES)
def test_counts_are_those_of_titles(titles: list[str]) -> None:
    contexts = read(*titles)
    held = [title.split() for title in titles]
    single = {name[0]: i for i, name in enumerate(contexts.names) if len(name) == 1}
    counts = {word: sum(word in words for words in held) for word in WORDS}
    terms = {w for w, n in counts.items() if n >= FEWEST_PRODUCTS and w.isalpha() and len(w) > 1}
    assert single.keys() == terms
    for word, i in single.items():
        assert contexts.counts[i] == counts[word]
        places = [(words, at) for words in held for at, w in enumerate(words) if w == word]
        behind = np.mean([at > 0 and words[at - 1] == "7" for words, at in places])
        assert contexts.after_numbers[i] == pytest.approx(behind)
        for other, j in single.items():
            both = sum({word, other} <= set(words) for words in held)
            assert contexts.together(i, j) == both
            frames = [
                {
                    (*words[:at], None, *words[at + 1 :])
                    for words in held
                    for at, found in enumerate(words)
                    if found == each
                }
                for each in (word, other)
            ]
            assert contexts.contrasts(i, j) == len(frames[0] & frames[1])


@given(TITLES)
def test_likeness_is_of_both_sides_and_finite(titles: list[str]) -> None:
    contexts = read(*titles)
    same = contexts.rows @ contexts.rows.T
    assert np.all(np.abs(same) <= 1 + 1e-5)
    np.testing.assert_allclose(same, same.T, atol=1e-6)
    if contexts.names:
        assert np.isfinite(contexts.likeness(range(len(contexts.names)))).all()


def test_two_words_that_belong_together_are_a_term() -> None:
    steel = [f"{what} in stainless steel" for what in ("sink", "table", "shelf", "grill")]
    other = [f"{what} in oak" for what in ("sink", "table", "shelf", "bench", "chair", "desk")]
    names = read(*steel, *other).names
    assert ("stainless", "steel") in names
    assert ("in", "stainless") not in names, "in goes with all"


def test_company_tells_apart_what_letters_do_not() -> None:
    rooms = ("leather sectional", "velvet sleeper", "linen corner")
    seats = [f"{room} {seat}" for room in rooms for seat in ("sofa", "couch")]
    lamps = [f"{shape} glass lamp" for shape in ("round", "tall", "small")]
    contexts = read(*seats, *lamps)
    sofa, couch, lamp = (number(contexts, name) for name in ("sofa", "couch", "lamp"))
    row = contexts.likeness([sofa])[0]
    assert row[couch] > row[lamp]


def test_evidence_is_words_that_both_stand_beside() -> None:
    rooms = ("leather", "velvet", "linen")
    seats = [f"{room} {seat}" for room in rooms for seat in ("sofa", "couch")]
    contexts = read(*seats, *[f"item number {n}" for n in range(60)])
    sofa, couch = number(contexts, "sofa"), number(contexts, "couch")
    assert set(contexts.shared(sofa, couch, 2)) < {*rooms}
    assert contexts.shared(sofa, number(contexts, "item"), 3) == []


def test_values_are_company() -> None:
    reader = TermReader()
    for n in range(4):
        reader.read(f"sofa {n}a", [("category", "Living room")])
        reader.read(f"couch {n}b", [("category", "Living room")])
        reader.read(f"drill {n}c", [("category", "Tools")])
    contexts = reader.contexts()
    sofa, couch, drill = (number(contexts, name) for name in ("sofa", "couch", "drill"))
    rows = contexts.rows
    assert rows[sofa] @ rows[couch] > rows[sofa] @ rows[drill]


def test_a_shop_without_words_has_no_terms() -> None:
    assert read().names == read("", "!").names == []
