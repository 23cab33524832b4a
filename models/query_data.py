"""Queries with their tags, and the parts that choices and reports are made on.

``queryner/validation.jsonl`` is for reports alone. Choices are made on a part of the training
file, whose folds also let a teacher label queries that it has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .data import rows
from .query_tags import LABELS, tag_index

Rows = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]
DEV_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Query:
    """Words without white space and, for each, the class of its tag."""

    words: tuple[str, ...]
    tags: tuple[int, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Example:
    """What the model learns from: a distribution over tags for each word ``[words, labels]``
    (none where the tags are not known) and one over categories ``[categories]`` (likewise).

    ``gold`` marks queries of the training file, whose distribution holds a person's tags.
    """

    words: tuple[str, ...]
    tags: Floats | None = None
    categories: Floats | None = None
    gold: bool = False


def training_queries(data: Path) -> list[Query]:
    """The training file."""
    return _queries(data / "queryner" / "train.jsonl")


def validation_queries(data: Path) -> list[Query]:
    """The validation file: never trained on, never chosen by."""
    return _queries(data / "queryner" / "validation.jsonl")


def _queries(path: Path) -> list[Query]:
    return [
        Query(tuple(row["tokens"]), tuple(tag_index(label) for label in row["labels"]))
        for row in rows(path)
    ]


def dev_split(count: int, seed: int = 0) -> tuple[Rows, Rows]:
    """Rows to train on and rows to choose by."""
    order = np.random.default_rng(seed).permutation(count)
    held = int(count * DEV_SHARE)
    return np.sort(order[held:]), np.sort(order[:held])


def folds(chosen: Rows, count: int, seed: int = 0) -> Iterator[tuple[Rows, Rows]]:
    """``count`` times the rows ``chosen`` in two parts, to train on and to label; each row is
    labelled once."""
    parts = np.array_split(np.random.default_rng(seed).permutation(chosen), count)
    for i, part in enumerate(parts):
        rest = [other for j, other in enumerate(parts) if j != i]
        yield np.sort(np.concatenate(rest)), np.sort(part)


def one_hot(tags: Sequence[int]) -> Floats:
    """``[words, labels]``."""
    out: Floats = np.eye(len(LABELS), dtype=np.float32)[list(tags)]
    return out
