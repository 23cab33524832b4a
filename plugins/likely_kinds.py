"""How likely each product of a window is of the kind that is meant, where no word names the kind.

"Something to hang coats on" names nothing. The best of what it finds tell the kind: their kinds
count by their scores, as in pseudo-relevance feedback, which does so with words (Lavrenko and
Croft, *Relevance-based language models*, SIGIR 2001). What the names of kinds say by their likeness
to the query (``plan.categories``) counts as much. Both were chosen on queries for development
(``benchmarks/categories.py``): the window alone brought needs less, and the names alone cost
searches for one product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine import QueryPlan

from .title_words import any_phrase
from .uses import things

NAMED = 0.5
"""How much the names of kinds say, the window the rest."""
SHARPNESS = 15.0
"""A product says e times as much as one whose score is lower by a fifteenth of the best."""
TURNS = 0.25
"""How soon it is another kind's turn to serve a need. Chosen on needs for development: with 0 fewer
have one that serves them among the first five, with 0.5 more, but kinds that do not serve, too."""


def likely_kinds(
    kinds: Sequence[Any], scores: npt.NDArray[np.floating], named: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """The probability ``[n]``, 0 to 1, of each product's kind; 0 without a kind.

    Args:
        kinds: per product a text, the prefixes of a path (the last says the kind), or ``None``.
        scores: ``[n]``, the ranking so far; a window without a score above 0 tells nothing.
        named: kind → probability, by its name.
    """
    own = [kind[-1] if isinstance(kind, list) else kind for kind in kinds]
    best = float(scores.max(initial=0.0))
    if best <= 0:
        return np.zeros(len(own))
    weights = np.exp(SHARPNESS * (scores.astype(np.float64) / best - 1.0))
    found: dict[str, float] = {}
    for kind, weight in zip(own, weights.tolist(), strict=True):
        if kind is not None:
            found[kind] = found.get(kind, 0.0) + weight
    total = float(weights.sum())
    chances = {
        kind: (1 - NAMED) * weight / total + NAMED * named.get(kind, 0.0)
        for kind, weight in found.items()
    }
    return np.asarray([chances.get(kind, 0.0) if kind is not None else 0.0 for kind in own])


def serving(
    plan: QueryPlan,
    kinds: Sequence[Any],
    titles: Sequence[str],
    scores: npt.NDArray[np.floating],
) -> npt.NDArray[np.float64]:
    """How much each product is lifted for serving the need that the words describe, ``[n]``, 0 to
    1: by the probability of its kind or, where ``plan.things`` are told, of the likeliest that its
    title or kind names; the less, the more of the same have a better score, so that all that may
    be meant is among the first (:func:`_in_turns`). None is where a title has the words as they are
    ("a walk in the woods"): they are its name.

    Args:
        kinds, scores: as for :func:`likely_kinds`.
        titles: in lower case.
    """
    typed = plan.read.lower().strip()
    if any(typed in title for title in titles):
        return np.zeros(len(titles))
    own = [kind[-1] if isinstance(kind, list) else kind or "" for kind in kinds]
    if not plan.things:
        return _in_turns([(plan.categories.get(kind, 0.0), kind) for kind in own], scores)
    known = things()
    tests = [
        (any_phrase(known[name].names), chance, name)
        for name, chance in plan.things.items()
        if name in known
    ]
    called = [
        f"{title} {kind.rpartition(' > ')[2].lower()}"
        for title, kind in zip(titles, own, strict=True)
    ]
    found = [
        max(((c * test(text), name) for test, c, name in tests), default=(0.0, ""))
        for text in called
    ]
    return _in_turns(found, scores)


def _in_turns(
    found: Sequence[tuple[float, str]], scores: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """The probability of each product's kind, divided by 1, 1.25, 1.5, … as seats of a council are
    given to parties by their votes (Dang and Croft, *Diversity by proportionality*, SIGIR 2012,
    give places of a ranking so)."""
    had: dict[str, int] = {}
    lifts = np.zeros(len(found))
    for row in np.argsort(-scores, kind="stable").tolist():
        chance, kind = found[row]
        if chance:
            before = had.get(kind, 0)
            lifts[row] = chance / (1 + TURNS * before)
            had[kind] = before + 1
    return lifts
