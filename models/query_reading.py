"""A query model of torch in use: readings, as the served one gives them, and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine import TagDecoder, word_offsets

from .query_data import Floats
from .query_evaluation import Read
from .query_fit import read
from .query_model import QueryBert

TEMPERATURES = np.geomspace(0.4, 4.0, 73)
"""Tried in calibration, steps of about 3 %."""


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
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    return float(min(TEMPERATURES, key=loss))
