"""Word tags to labelled spans: what the query tower's training and its serving share.

A query is split at white space, as the words of QueryNER are. A word's tag is "O", or "B-x" or
"I-x" where it begins or continues a span labelled x.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .errors import InvalidModel
from .plan import Span

OUTSIDE = "O"
LEAST = 1e-30
"""Stands for the probability 0, whose logarithm is no number."""

Floats = npt.NDArray[np.float32]
Word = tuple[int, int]
"""Where a word begins and ends in its text."""


def word_offsets(text: str) -> list[Word]:
    """The stretches of ``text`` between white space."""
    return [match.span() for match in re.finditer(r"\S+", text)]


class TagDecoder:
    """The likeliest tags that make sense: ``I-x`` stands only after ``B-x`` or ``I-x``.

    ``labels`` are the tags in the order of the model's classes.

    Raises:
        InvalidModel: ``labels`` are not tags as the module says, or some have no beginning.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        names = [label[2:] for label in labels]
        begun = {label[2:] for label in labels if label.startswith("B-")}
        for label, name in zip(labels, names, strict=True):
            begins = label.startswith(("B-", "I-")) and name in begun
            if label != OUTSIDE and not begins:
                raise InvalidModel(f"label {label!r}: O, B-x, or I-x with its B-x is asked")
        if OUTSIDE not in labels or len(set(labels)) < len(labels):
            raise InvalidModel("labels: each must be there once, and one must be O")
        self.labels = tuple(labels)
        self._names = names
        inside = np.array([label.startswith("I-") for label in labels])
        same = np.array([[a == b and bool(a) for b in names] for a in names])
        self._forbidden_first = np.where(inside, -np.inf, 0.0)
        self._steps = np.where(inside[None, :] & ~same, -np.inf, 0.0)

    def best(self, probabilities: Floats) -> list[int]:
        """The class of each word: of all sequences that make sense the one with the largest
        product of ``probabilities [words, labels]`` (Viterbi's algorithm)."""
        if not len(probabilities):
            return []
        scores = _log(probabilities)
        total = scores[0] + self._forbidden_first
        came_from = []
        for row in scores[1:]:
            paths = total[:, None] + self._steps
            came_from.append(paths.argmax(axis=0))
            total = paths.max(axis=0) + row
        found = [int(total.argmax())]
        for previous in reversed(came_from):
            found.append(int(previous[found[-1]]))
        return found[::-1]

    def spans(self, text: str, words: Sequence[Word], probabilities: Floats) -> list[Span]:
        """What the words stand for, in their order. The confidence of a span is the geometric
        mean of its words' probabilities, so that length alone does not lower it."""
        classes = self.best(probabilities)
        starts = [i for i, c in enumerate(classes) if self.labels[c].startswith("B-")]
        spans = []
        for first in starts:
            last = first
            while last + 1 < len(classes) and self.labels[classes[last + 1]].startswith("I-"):
                last += 1
            chosen = probabilities[range(first, last + 1), classes[first : last + 1]]
            confidence = float(np.exp(_log(chosen).mean()))
            start, end = words[first][0], words[last][1]
            label = self._names[classes[first]]
            spans.append(Span(start, end, label, text[start:end], min(confidence, 1.0)))
        return spans


def _log(probabilities: Floats) -> npt.NDArray[np.float64]:
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST))
