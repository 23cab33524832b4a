"""What is done to a query keeps its tags with their words, and is the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.query_data import Query, one_hot
from models.query_noise import CHANGES, change, misspelt, noisy_queries, retag
from models.query_tags import LABELS, begin, best_path, continued, spans_of, tag_index

FIRST, NEXT = "B-core_product_type", "I-core_product_type"


def query(text: str, *labels: str) -> Query:
    return Query(tuple(text.split()), tuple(tag_index(label) for label in labels))


SHOES = query(
    "red nike running shoes for women",
    *("B-color", "B-creator", FIRST, NEXT, "B-department", "I-department"),
)


def lawful(tags: tuple[int, ...]) -> bool:
    return all(
        tag % 2 or not tag or (i and tags[i - 1] in (tag, tag - 1)) for i, tag in enumerate(tags)
    )


def applied(name: str, asked: Query, seed: int = 0) -> Query:
    words, done = change(asked.words, spans_of(asked.tags), np.random.default_rng(seed))
    for later in range(seed, 500):
        if done == (name,):
            return retag(words, asked.tags)
        words, done = change(asked.words, spans_of(asked.tags), np.random.default_rng(later))
    raise AssertionError(f"{name} was never drawn")


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_alters_the_words_and_keeps_the_kinds(name: str) -> None:
    after = applied(name, SHOES)
    assert after.words != SHOES.words
    assert lawful(after.tags)
    assert sorted(s.kind for s in spans_of(after.tags)) == sorted(
        s.kind for s in spans_of(SHOES.tags)
    )


def test_spans_move_whole() -> None:
    after = applied("order", SHOES)
    text = after.text
    assert "running shoes" in text
    assert "for women" in text
    assert sorted(after.words) == sorted(SHOES.words)


def test_a_lost_space_joins_words_of_one_span() -> None:
    after = applied("joined", SHOES)
    assert len(after.words) == 5
    assert {"runningshoes", "forwomen"} & set(after.words)


def test_another_language_and_another_number() -> None:
    assert "running shoe" in applied("number", SHOES).text
    mixed = applied("mixed", SHOES)
    assert mixed.tags == SHOES.tags
    assert not {"red", "shoes", "women"} & set(mixed.words)


def test_a_second_half_goes_on() -> None:
    row = one_hot([begin("color")])[0]
    assert LABELS[int(continued(row).argmax())] == "I-color"
    assert continued(one_hot([0])[0])[0] == 1.0


@given(
    st.lists(st.sampled_from(["ab", "nike", "shoes", "14k", "é"]), max_size=6), st.integers(0, 50)
)
def test_tags_stay_lawful_whatever_is_changed(words: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    tags = best_path(rng.dirichlet(np.ones(len(LABELS)), len(words)).astype(np.float32))
    after, _ = change(words, spans_of(tags), rng, times=2)
    again = retag(after, tags)
    assert lawful(again.tags)
    assert all(word and not word.isspace() for word in again.words)


def test_the_noisy_set_is_fixed_and_each_query_has_its_own_draws() -> None:
    asked = [SHOES, query("oak desk", FIRST, NEXT), query("x", "O")]
    first = noisy_queries(asked)
    assert first == noisy_queries(asked)
    assert noisy_queries([SHOES, SHOES])[0] == first[0]
    assert first[0][0] != SHOES
    assert first[2] == (asked[2], ())


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12), st.integers(0, 99))
def test_a_slip_keeps_the_first_letter(word: str, seed: int) -> None:
    slipped = misspelt(word, np.random.default_rng(seed))
    assert slipped[0] == word[0]
    assert abs(len(slipped) - len(word)) <= 1
