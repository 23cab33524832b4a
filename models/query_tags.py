"""QueryNER's tags: their order in the model's output, and spans of tags.

A word's tag is O, or B-x or I-x of one of 17 types (Palen-Michel et al. 2024, QueryNER).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine import TagDecoder

Floats = npt.NDArray[np.float32]

TYPES = (
    *("core_product_type", "modifier", "creator", "content", "department", "product_name"),
    *("UoM", "color", "shape", "material", "occasion", "condition", "quantity", "price"),
    *("origin", "time", "product_number"),
)
LABELS = ("O", *(f"{prefix}-{kind}" for kind in TYPES for prefix in "BI"))
"""Index = class of the model: O is 0, B-x is odd, and I-x follows its B-x."""
_INDEX = {label: i for i, label in enumerate(LABELS)}
_DECODER = TagDecoder(LABELS)


class TagSpan(NamedTuple):
    """Words ``start`` to ``end`` (exclusive) are of type ``kind``."""

    start: int
    end: int
    kind: str


def tag_index(label: str) -> int:
    """The class of ``label``.

    Raises:
        ValueError: no such label.
    """
    try:
        return _INDEX[label]
    except KeyError:
        raise ValueError(f"{label!r} is not a QueryNER tag") from None


def begin(kind: str) -> int:
    """The class of B-``kind``."""
    return tag_index(f"B-{kind}")


def spans_of(tags: Sequence[int]) -> list[TagSpan]:
    """The spans of a lawful path, in order."""
    found: list[TagSpan] = []
    for i, tag in enumerate(tags):
        if tag % 2:
            found.append(TagSpan(i, i + 1, TYPES[tag // 2]))
        elif tag:
            found[-1] = found[-1]._replace(end=i + 1)
    return found


def best_path(probabilities: Floats) -> list[int]:
    """The likeliest lawful tags of words, ``[words, labels]``."""
    return _DECODER.best(probabilities)


def continued(row: Floats) -> Floats:
    """The distribution of a word's second half, when the word is written apart: what began,
    goes on."""
    out = row.copy()
    out[2::2] += out[1::2]
    out[1::2] = 0.0
    return out
