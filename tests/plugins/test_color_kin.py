"""Which colours are akin."""

from __future__ import annotations

from itertools import product

import pytest

from plugins.color_kin import FAMILIES, colors_in, kin_words, kinship


def near(asked: str, held: str) -> float:
    return kinship(colors_in(asked.split()), colors_in(held.split()))


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ("red", ["wine red", "maroon", "pink"]),
        ("maroon", ["red", "crimson", "blue"]),
        ("aqua", ["turquoise", "navy", "red"]),
        ("blue", ["navy blue", "teal", "black"]),
        ("greenish", ["green", "olive", "red"]),
    ],
)
def test_graded(asked: str, held: list[str]) -> None:
    grades = [near(asked, other) for other in held]
    assert grades == sorted(grades, reverse=True)
    assert len(set(grades)) == 3
    assert grades[-1] == 0


def test_kinship_is_mutual_and_a_share() -> None:
    names = sorted({*FAMILIES, *" ".join(FAMILIES.values()).split()})
    for a, b in product(names, names):
        assert near(a, b) == near(b, a)
        assert 0 <= near(a, b) <= 1


def test_words_that_are_no_colours() -> None:
    assert colors_in(["shoe", "dish", "finish", "ish"]) == frozenset()
    assert colors_in(["reddish", "bluish"]) == {"red", "blue"}


def test_the_words_by_which_a_title_is_judged() -> None:
    words = kin_words(["red"])
    assert words["maroon"] == 0.6
    assert "blue" not in words
