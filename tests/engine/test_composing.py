"""A photo in another colour: which words ask for it, and what becomes of the photo's vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine, Query, SearchRequest, Vectors
from engine.composing import COLORS, asked_colors, recolored

from .shop import photo

RNG = np.random.default_rng(5)


def unit(row: Any) -> Vectors:
    return np.asarray(row / np.linalg.norm(row), dtype=np.float32)


class Joint:
    """Colours are axes of their own, beside shapes; the other half of an encoder is not asked."""

    def encode_texts(self, texts: Sequence[str], role: str) -> Vectors:
        assert role == "query"
        return np.eye(len(COLORS) + 4, dtype=np.float32)[[COLORS.index(text) for text in texts]]


def thing(color: str, shape: int) -> Vectors:
    row = np.zeros(len(COLORS) + 4, np.float32)
    row[COLORS.index(color)], row[len(COLORS) + shape] = 0.6, 0.8
    return unit(row)


@pytest.mark.parametrize(
    ("text", "colors"),
    [
        ("red", ("red",)),
        ("but in Red", ("red",)),
        ("this one in gray or black", ("grey", "black")),
        ("red shoe", ()),
        ("but cheaper", ()),
        ("", ()),
    ],
)
def test_words_that_ask_for_a_colour(text: str, colors: tuple[str, ...]) -> None:
    assert asked_colors(text) == colors


@given(st.sampled_from(COLORS), st.sampled_from(COLORS), st.integers(0, 3), st.integers(0, 3))
def test_the_same_thing_in_the_asked_colour_comes_first(
    own: str, asked: str, shape: int, other: int
) -> None:
    found: Any = recolored(thing(own, shape), [asked], 0.5, Joint())  # type: ignore[arg-type]
    assert found @ thing(asked, shape) == pytest.approx(
        max(found @ thing(color, k) for color in COLORS for k in range(4))
    )
    assert np.linalg.norm(found) == pytest.approx(1.0)
    if other != shape:
        assert found @ thing(asked, shape) > found @ thing(asked, other)


def test_the_photo_alone_and_the_words_alone() -> None:
    mug = thing("blue", 1)
    joint: Any = Joint()
    np.testing.assert_allclose(recolored(mug, ["red"], 1.0, joint), mug, atol=1e-6)
    np.testing.assert_allclose(
        recolored(mug, ["red"], 0.0, joint), joint.encode_texts(["red"], "query")[0], atol=1e-6
    )
    weights = np.linspace(0, 1, 21)
    rows = [recolored(mug, ["red"], float(weight), joint) for weight in weights]
    asked = [float(row[COLORS.index("red")]) for row in rows]
    assert asked == sorted(asked, reverse=True)
    assert max(float(np.linalg.norm(b - a)) for a, b in itertools.pairwise(rows)) < 0.3


def test_words_and_photo_pass_into_one_another(shop: Engine) -> None:
    """At 0 the words alone, at 1 the photo alone, and the words' lanes fade out in between."""

    def answer(weight: float | None, text: str | None = "in red", picture: bool = True) -> Any:
        image = photo("mug", "blue") if picture else None
        query = Query(text, image, image_weight=0.5 if weight is None else weight)
        request = SearchRequest(query, limit=1000, profile="bare", explain=True)
        return [
            (hit.id, hit.score, hit.explain and hit.explain.lanes.keys())
            for hit in shop.search(request).hits
        ]

    assert answer(0.0) == answer(None, picture=False)
    assert answer(1.0) == answer(None, text=None)
    assert {lane for _, _, lanes in answer(0.5) for lane in lanes} == {"photo"}
    assert {lane for _, _, lanes in answer(0.4) for lane in lanes} > {"photo", "text"}
