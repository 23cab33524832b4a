"""Tags to spans: the best sequence of all that make sense, and spans that are in the text."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InvalidModel, Span, TagDecoder, word_offsets
from engine.tagging import Floats

LABELS = ("O", "B-color", "I-color", "B-creator", "I-creator")
DECODER = TagDecoder(LABELS)


def makes_sense(classes: tuple[int, ...]) -> bool:
    tags = ["O", *(LABELS[c] for c in classes)]
    return all(
        not tag.startswith("I-") or (before != "O" and before[2:] == tag[2:])
        for before, tag in pairwise(tags)
    )


@st.composite
def probabilities(draw: st.DrawFn, most: int = 5) -> Floats:
    """Rows that sum to 1, as soft or as sure as they come, zeros included."""
    words, seed = draw(st.integers(1, most)), draw(st.integers(0, 2**32 - 1))
    sharpness = draw(st.sampled_from([0.1, 1.0, 10.0, 200.0]))
    logits = np.random.default_rng(seed).normal(scale=sharpness, size=(words, len(LABELS)))
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def tags(*names: str, sure: float = 0.9) -> Floats:
    rows = np.full((len(names), len(LABELS)), (1 - sure) / (len(LABELS) - 1), dtype=np.float32)
    for row, name in zip(rows, names, strict=True):
        row[LABELS.index(name)] = sure
    return rows


@given(probabilities())
def test_no_other_sequence_that_makes_sense_is_likelier(found: Floats) -> None:
    def score(classes: tuple[int, ...]) -> float:
        logs = np.log(np.maximum(found.astype(np.float64), 1e-30))
        return float(logs[range(len(classes)), classes].sum())

    best = tuple(DECODER.best(found))
    assert makes_sense(best)
    every = filter(makes_sense, product(range(len(LABELS)), repeat=len(found)))
    assert score(best) == pytest.approx(max(map(score, every)), rel=1e-12)


@given(probabilities(most=12))
def test_spans_are_whole_words_in_order(found: Floats) -> None:
    text = "  ".join(f"word{i}" for i in range(len(found)))
    words = word_offsets(text)
    spans = DECODER.spans(text, words, found)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(set(edges))
    begins = [LABELS[c][2:] for c in DECODER.best(found) if LABELS[c].startswith("B-")]
    assert [span.label for span in spans] == begins
    for span in spans:
        assert span.value == text[span.start : span.end]
        assert span.start in {start for start, _ in words}
        assert span.end in {end for _, end in words}
        assert 0.0 <= span.confidence <= 1.0


def test_spans_of_a_query() -> None:
    text = "red  new balance shoes"
    found = tags("B-color", "B-creator", "I-creator", "O")
    found[2, LABELS.index("I-creator")] = 0.4
    spans = DECODER.spans(text, word_offsets(text), found)
    assert spans[0] == Span(0, 3, "color", "red", pytest.approx(0.9))
    assert spans[1] == Span(5, 16, "creator", "new balance", pytest.approx((0.9 * 0.4) ** 0.5))
    assert len(spans) == 2


def test_neighbours_of_one_label_stay_apart() -> None:
    spans = DECODER.spans("red blue", [(0, 3), (4, 8)], tags("B-color", "B-color"))
    assert [span.value for span in spans] == ["red", "blue"]


def test_a_continuation_of_nothing_is_read_as_a_beginning() -> None:
    """ "I-color" at the start cannot be; what else is likely decides."""
    found = tags("I-color", "I-color")
    found[0, LABELS.index("B-color")] = 0.08
    (span,) = DECODER.spans("navy blue", [(0, 4), (5, 9)], found)
    assert (span.label, span.value) == ("color", "navy blue")


def test_no_words() -> None:
    nothing = np.zeros((0, len(LABELS)), dtype=np.float32)
    assert DECODER.best(nothing) == []
    assert DECODER.spans("", [], nothing) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n　", []),
        ("a", ["a"]),
        ("  red, shoes\u00a042.5 ", ["red,", "shoes", "42.5"]),
        ("男士 皮鞋", ["男士", "皮鞋"]),
    ],
)
def test_words_stand_between_white_space(text: str, words: list[str]) -> None:
    assert [text[start:end] for start, end in word_offsets(text)] == words


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (("O", "B-color", "I-brand"), "label 'I-brand'"),
        (("O", "color"), "label 'color'"),
        (("O", ""), "label ''"),
        (("B-color", "I-color"), "one must be O"),
        (("O", "B-color", "B-color"), "each must be there once"),
        ((), "one must be O"),
    ],
)
def test_labels_that_are_none(labels: tuple[str, ...], words: str) -> None:
    with pytest.raises(InvalidModel, match=words):
        TagDecoder(labels)
