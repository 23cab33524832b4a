"""The figures are what their definitions say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from engine import Span
from models.query_data import validation_queries
from models.query_evaluation import (
    Read,
    attribute_spans,
    category_figures,
    ece,
    evaluate,
    f1,
    linking_figures,
    tags_of,
)
from models.query_noise import noisy_queries
from models.query_reading import softmax, span_temperature, temperature
from models.query_tags import LABELS, TagSpan, begin, spans_of
from models.query_taxonomy import CATEGORIES, Item, items
from tests.models.query_catalogues import write_catalogues

COLOR, BRAND = begin("color"), begin("creator")


class Answers:
    """Reads the texts it knows as they are tagged, and any other as nothing."""

    def __init__(self, known: dict[str, tuple[int, ...]], category: str = "other") -> None:
        self.known, self.category = known, category
        self.asked: list[str] = []

    def read_many(self, texts: Sequence[str]) -> list[Read]:
        self.asked += texts
        return [Read(self._spans(text), {self.category: 1.0}) for text in texts]

    def _spans(self, text: str) -> list[Span]:
        words = text.split()
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])
        found = []
        for span in spans_of(self.known.get(text, (0,) * len(words))):
            start, end = int(starts[span.start]), int(starts[span.end]) - 1
            found.append(Span(start, end, span.kind, text[start:end], 1.0))
        return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query-data")
    write_catalogues(folder)
    return folder


def test_f1_counts_spans_of_the_very_words_and_type() -> None:
    gold = [(COLOR, BRAND, BRAND + 1), (0, COLOR)]
    found = [(COLOR, BRAND, 0), (0, COLOR)]
    figure = f1(gold, found)
    assert figure.value == pytest.approx(2 * 2 / (3 + 3))
    assert figure.n == 3
    assert figure.low <= figure.value <= figure.high
    assert f1(gold, found, "color").value == 1.0
    assert f1(gold, found, "creator").value == 0.0
    assert f1(gold, gold).low == 1.0


def test_a_perfect_reader_has_all_entities_and_a_blind_one_none(data: Path) -> None:
    queries = validation_queries(data)
    changed = [query for query, _ in noisy_queries(queries)]
    perfect = Answers({query.text: query.tags for query in [*queries, *changed]})
    figures = evaluate(perfect, data)
    assert figures["entity F1 (clean)"].value == 1.0
    assert figures["entity F1 (noisy)"].value == 1.0
    assert figures["token accuracy (clean)"].n == 16
    assert figures["F1 of creator"].n == 4
    assert figures["span ECE (clean)"].value == 0.0
    blind = evaluate(Answers({}), data)
    assert blind["entity F1 (clean)"].value == 0.0
    assert blind["token accuracy (clean)"].value == 0.0


def test_spans_become_tags_of_whole_words() -> None:
    text = "red new balance shoes"
    read = ((0, 3, "color"), (4, 15, "creator"), (16, 18, "color"), (0, 3, "unknown"))
    spans = [Span(start, end, label, text[start:end]) for start, end, label in read]
    assert [LABELS[tag] for tag in tags_of(text, spans)] == [
        *("B-color", "B-creator", "I-creator", "O"),
    ]


def test_categories_are_asked_of_products_that_training_never_saw(data: Path) -> None:
    products = [
        Item("Seen Tee", ("tee",), ("red tee",), 0, False),
        Item("seen tee", ("tee",), ("blue tee", "red tee"), 0, True),
        Item("New Tee", ("tee",), ("blue tee",), 0, True),
        Item("New Lamp", ("lamp",), (), 1, True),
    ]
    reader = Answers({}, CATEGORIES[0])
    figures = category_figures(reader, products)
    assert reader.asked == ["new tee", "new lamp", "blue tee"]
    assert figures["category accuracy@1 (titles)"].value == 0.5
    assert figures["category accuracy@3 (phrases)"].value == 1.0
    assert figures["category ECE (titles)"].value == 0.5


def test_held_out_products_are_marked(data: Path) -> None:
    found = {item.title: item for item in items(data)}
    assert [title for title, item in found.items() if item.held_out and "No" in title] == [
        "Acme Men Red Shoes No0",
        "Acme Men Black Shirts No7",
    ]
    table = found["Oak Table of a Long Name That Goes On"]
    assert CATEGORIES[table.category] == "Home > Tables"
    assert CATEGORIES[found["Royal Gala"].category] == "Food > Fruit"
    assert CATEGORIES[found["Tall Lamp"].category] == "Home > Lighting"


def test_attribute_values_are_sought_in_the_title(data: Path) -> None:
    scores = {"Brand": {"Zenith": 1}, "Color": {"n/a": 1}, "Volume": {"9 oz": 1}, "Cap": {"x": 1}}
    words = ("x", "zenith", "boots", "9", "oz")
    assert list(attribute_spans({"target_scores": scores}, words)) == [
        TagSpan(1, 2, "creator"),
        TagSpan(3, 5, "UoM"),
    ]
    figures = linking_figures(Answers({}), data)
    assert figures["attribute values touched"].value == 0.0
    assert figures["attribute values touched"].n > 0


def test_calibration_finds_the_temperature_of_the_data() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)).astype(np.float32) * 2
    classes = [int(rng.choice(5, p=row / row.sum())) for row in softmax(logits).astype(np.float64)]
    assert temperature(logits, classes) == pytest.approx(1.0, rel=0.12)
    assert temperature(logits * 2, classes) == pytest.approx(2.0, rel=0.12)
    said = softmax(logits).max(axis=1).tolist()
    right = [int(row.argmax()) == c for row, c in zip(logits, classes, strict=True)]
    assert ece(said, right).value < 0.05
    assert ece([1.0] * len(right), right).value == pytest.approx(1 - np.mean(right))


def test_spans_confidence_is_calibrated_and_their_reading_stays() -> None:
    rng = np.random.default_rng(0)
    logits, gold = [], []
    for _ in range(600):
        rows = np.zeros((2, len(LABELS)), np.float32)
        rows[:, [COLOR, BRAND]] = 20 + rng.normal(size=(2, 2)).astype(np.float32) * 4
        chance = softmax(rows / 3)[:, COLOR]
        gold.append(tuple(COLOR if rng.random() < c else BRAND for c in chance))
        logits.append(rows)
    found = span_temperature(logits, gold)
    assert found == pytest.approx(3.0, rel=0.25)
