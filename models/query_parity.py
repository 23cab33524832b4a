"""How near a served query tower reads to what it was made from, word by word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from torch import nn

from .evaluation import served_reader
from .parity import Loss, verdict
from .query_data import validation_queries
from .query_evaluation import tag_figures
from .query_model import load_query_bert

TAGS = 0.999
"""The share of words whose tag must be the reference's."""
ALONE = 1e-4
"""How far a probability may be from the same in a batch."""
QUERIES = (
    *("red nike running shoes for women under 60", "sofa", "a", "navy blue wool coat size 12"),
    *("iphone 12 pro max case with card holder", "non slip yoga mat 6mm", "42.5 mens boots"),
    *("dress without sleeves", "crème brûlée torch", "lego star wars 75192", "男士黑色皮鞋"),
    *("gluten free dog food 30 lb", "2 pack led bulb e27 warm white", "ps5", "👟", "shoes " * 80),
)
"""What is read without data."""


class Agreement(Struct, frozen=True):
    """Of ``words``, the ``share`` that got the reference's tag; ``error`` is the largest
    difference of a probability."""

    what: str
    share: float
    words: int
    error: float
    bound: float

    @property
    def kept(self) -> bool:
        """Whether the bound is kept."""
        return self.share >= self.bound

    def __str__(self) -> str:
        figures = f"{self.share:.3%} of {self.words:,} words   error ≤ {self.error:.1e}"
        return f"{self.what:44} {figures}   ≥ {self.bound:.1%}{verdict(self.kept)}"


class Drift(Struct, frozen=True):
    """The largest difference of a probability, and its bound."""

    what: str
    error: float
    bound: float = ALONE

    @property
    def kept(self) -> bool:
        """Whether the bound is kept."""
        return self.error <= self.bound

    def __str__(self) -> str:
        return f"{self.what:44} error ≤ {self.error:.1e}   ≤ {self.bound:g}{verdict(self.kept)}"


class TorchSession:
    """A torch module in the place of its exported graph."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module.eval()

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        """What the module gives, in its order."""
        with torch.inference_mode():
            found = self._module(torch.from_numpy(inputs["input_ids"]))
        parts = [found] if isinstance(found, torch.Tensor) else found
        return [part.numpy() for part in parts]


def reference_of(path: Path, reader: Any) -> Any:
    """A reader of the served folder ``path``, or ``reader`` on the checkpoint ``path``.

    Raises:
        InvalidModel: it is neither.
    """
    if path.is_dir():
        return served_reader(path)
    return reader.over(TorchSession(load_query_bert(path)))


def report(
    reader: Any, reference: Any, bound: float, data: Path | None
) -> Iterator[Agreement | Drift | Loss]:
    """``reader`` against ``reference``, which reads one by one so that padding has no part in
    it; and alone against in a batch. With ``data`` over QueryNER's validation queries, and their
    entity F1."""
    texts = queries(data)
    expected = [reference.tagged([text])[0] for text in texts]
    batch = reader.tagged(texts)
    yield agreement_of("query: tags against the reference", reader.decoder, expected, batch, bound)
    alone = [reader.tagged([text])[0] for text in texts]
    error = max(_error(a, b) for a, b in zip(alone, batch, strict=True))
    yield Drift("query: alone against in a batch", error)
    if data is not None:
        found = [tag_figures(validation_queries(data), r, "val") for r in (reference, reader)]
        yield Loss("query: entity F1", *(figures["entity F1 (val)"].value for figures in found))


def agreement_of(
    what: str, decoder: Any, expected: Sequence[Any], found: Sequence[Any], bound: float
) -> Agreement:
    """Compare what two readers say of the same texts, tag by tag as they are decoded."""
    same = [
        tag == other
        for a, b in zip(expected, found, strict=True)
        for tag, other in zip(decoder.best(a.tags), decoder.best(b.tags), strict=True)
    ]
    error = max(_error(a, b) for a, b in zip(expected, found, strict=True))
    return Agreement(what, float(np.mean(same)), len(same), error, bound)


def queries(data: Path | None) -> list[str]:
    """Texts to compare with."""
    if data is None:
        return list(QUERIES)
    return [query.text for query in validation_queries(data)]


def _error(a: Any, b: Any) -> float:
    """The largest difference of a probability of one text."""
    pairs = ((a.tags, b.tags), (a.categories, b.categories))
    return max(float(np.abs(x - y).max(initial=0.0)) for x, y in pairs)
