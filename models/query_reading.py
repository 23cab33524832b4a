"""A query model of torch in use: readings, as the served one gives them, and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine import TagDecoder, word_offsets

from .query_data import Floats
from .query_evaluation import Read
from .query_fit import read
from .query_model import QueryBert
from .query_tags import best_path, spans_of

TEMPERATURES = np.geomspace(0.4, 4.0, 73)
"""Tried in calibration, steps of about 3 %."""
LEAST = 1e-6
"""Probabilities nearer to 0 or 1 count as this, so that one surprise does not decide."""


class TorchReader:
    """Reads with a :class:`~models.query_model.QueryBert`, one query at a time or in batches."""

    def __init__(self, model: QueryBert) -> None:
        self.model = model
        self.decoder = TagDecoder(model.names.labels)

    def read_many(self, texts: Sequence[str]) -> list[Read]:
        logits, kinds = read(self.model, [text.split() for text in texts])
        tag_t = float(self.model.tag_temperature)
        categories = softmax(kinds / float(self.model.category_temperature))
        found = []
        for text, own, row in zip(texts, logits, categories, strict=True):
            spans = self.decoder.spans(text, word_offsets(text), softmax(own / tag_t))
            best = np.argsort(-row, kind="stable")[:5]
            found.append(Read(spans, {self.model.names.categories[i]: float(row[i]) for i in best}))
        return found


def softmax(logits: Floats) -> Floats:
    """Over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    out: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return out


def temperature(logits: Floats, classes: Sequence[int]) -> float:
    """The one that makes the observed ``classes`` likeliest (Guo et al. 2017), ``[n, k]``."""
    rows = np.arange(len(classes))
    wanted = np.asarray(classes)

    def loss(value: float) -> float:
        chosen: Floats = softmax(logits / np.float32(value))[rows, wanted]
        return float(-np.log(np.maximum(chosen, LEAST)).mean())

    return float(min(TEMPERATURES, key=loss))


def span_temperature(logits: Sequence[Floats], gold: Sequence[Sequence[int]]) -> float:
    """The one at which the confidence of spans, the geometric mean of their words'
    probabilities, says best whether they are right. What is read stays the same at any: a
    temperature moves the scores of all paths alike."""
    paths = [best_path(softmax(row)) for row in logits]
    right = [
        span in set(spans_of(tags))
        for path, tags in zip(paths, gold, strict=True)
        for span in spans_of(path)
    ]
    words = [np.arange(s.start, s.end) for path in paths for s in spans_of(path)]
    owner = [row for row, path in enumerate(paths) for _ in spans_of(path)]

    def loss(value: float) -> float:
        scaled = [softmax(row / np.float32(value)) for row in logits]
        confidence = [
            np.exp(np.log(scaled[row][places, np.asarray(paths[row])[places]]).mean())
            for row, places in zip(owner, words, strict=True)
        ]
        said = np.clip(confidence, LEAST, 1 - LEAST)
        return float(-np.log(np.where(right, said, 1 - said)).mean())

    return float(min(TEMPERATURES, key=loss))
