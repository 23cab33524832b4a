"""Ranker ``personal``: among the products that fit the words, those that the shopper will like.

Goes by what the shopper looked at, put into the cart and bought (:class:`engine.UserProfile`). A
product's score is multiplied with ``exp(strength · liking)``; its liking is the sum of

- how much its text and its photos are like those of the products the shopper chose, in standard
  deviations over the window, weighed by the confidence in the taste; and
- for each keyword field, ``log(p / q)``: p is the share of its value among what the shopper chose,
  smoothed with :data:`PRIOR` clicks' worth of the window's own mix (additive smoothing), and q its
  share of the window: the log-odds of a naive Bayes classifier.

So little evidence moves little, and a value that the whole window shares moves nothing. A click of
this session counts :data:`SESSION` times one from before, and what is known of the session leaves
that much less say to the older taste.

The words outweigh the taste: only products that have the most of what ``understand`` linked are
told apart; all others get the factor of the least liked of them, so none of those can pass one
that has more of what was asked for. Products without a single event are judged by their content
like any other.

The figures were chosen on a simulated population, on shoppers that no report is made of
(``benchmarks/personalization.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress
from math import log
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import Ranker, RankingBatch, Register, Taste, UserProfile, Vectors, hookimpl

from .fitting import fitting, values_of

PRIOR = 5.0
"""The evidence, in clicks, at which a taste is believed half, as in :attr:`Taste.confidence`."""
SESSION = 3.0
"""How many clicks of before one of this session is worth."""
MOST = 6.0
"""Bound of the liking either way: the factor lies between ``exp(±MOST · strength)``."""
MOST_OF_FIELD = 1.5
"""Bound of what one field adds: values that few products have, such as a model number, must not
speak for a product that was looked at more than all the rest."""
LEAST_SPREAD = 0.03
"""Cosines that spread less than this over the window tell no products apart."""
TOLD = 3
"""How many reasons a product is given."""

Column = npt.NDArray[np.float64]
Space = Literal["text", "image"]


class PersonalOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``strength`` is how much a liking of 1 lifts a score; 0 leaves the order as it is.
    ``without`` names fields that no result is to depend on, such as a department."""

    strength: Annotated[float, Meta(ge=0, le=1)] = 0.1
    without: tuple[str, ...] = ()


class _Part(Struct, frozen=True):
    """What one cause adds to the liking of each row; ``field`` is "" for ``space``."""

    likings: Column
    field: str = ""


class Personal:
    """Left out of the search of a shopper nobody knows."""

    prompt = True
    required_fields: Sequence[str] = ()
    required_vectors: Sequence[Space] = ("text", "image")
    required_behaviour = ("profile",)
    for_known_shoppers = True

    def __init__(self, options: PersonalOptions) -> None:
        self._strength = options.strength
        self._without = frozenset(options.without)

    def rank(self, batch: RankingBatch) -> Vectors:
        if batch.profile is None or not len(batch.scores):
            return batch.scores
        rows = fitting(batch)
        liking = self._liking(self._parts(batch, batch.profile, rows))
        if liking is None:
            return batch.scores
        factors = np.exp(self._strength * liking)
        factors[~rows] = factors[rows].min()
        return (batch.scores * factors).astype(np.float32)

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[Mapping[str, float | str]]:
        """The strongest causes that speak for a product that is liked, or against one that is
        not, in words."""
        if batch.profile is None or not len(batch.scores):
            return [{} for _ in rows]
        fits = fitting(batch)
        parts = self._parts(batch, batch.profile, fits)
        liking = self._liking(parts)
        return [
            {} if liking is None or not fits[row] else _told(batch, parts, row, liking[row])
            for row in rows.tolist()
        ]

    def _parts(self, batch: RankingBatch, profile: UserProfile, rows: Any) -> list[_Part]:
        tastes = _weighed(profile)
        if not tastes:
            return []
        parts = [
            _Part(alike)
            for using in self.required_vectors
            if (alike := _alike(batch, using, tastes, rows)) is not None
        ]
        evidence = [(taste, weight) for taste, weight, _ in tastes]
        return parts + [
            _Part(_liked_values(batch.columns[name], name, evidence, rows), name)
            for name in profile.fields
            if name in batch.columns and name not in self._without
        ]

    @staticmethod
    def _liking(parts: Sequence[_Part]) -> Column | None:
        if not parts:
            return None
        whole = np.sum([part.likings for part in parts], axis=0)
        return np.asarray(np.clip(whole, -MOST, MOST))


def _weighed(profile: UserProfile) -> list[tuple[Taste, float, float]]:
    """Each taste that has evidence, with its weight in clicks and its say, the sum of which is
    below 1."""
    session, before = profile.session, profile.long_term
    now = SESSION * session.weight
    say = now / (now + PRIOR)
    found = [(session, now, say), (before, before.weight, (1 - say) * before.confidence)]
    return [each for each in found if each[1] > 0]


def _alike(
    batch: RankingBatch, using: Space, tastes: Sequence[tuple[Taste, float, float]], rows: Any
) -> Column | None:
    """How much nearer than others each product is to the tastes; 0 without a vector."""
    vectors = batch.vectors[using]
    lengths = np.linalg.norm(vectors, axis=1)
    has = lengths > 0
    known = [(getattr(taste, using), say) for taste, _, say in tastes]
    known = [(wanted, say) for wanted, say in known if wanted is not None]
    if not known or not (has & rows).any():
        return None
    found = np.zeros(len(lengths))
    for wanted, say in known:
        cosines = (vectors @ wanted) / np.where(has, lengths, 1)
        compared = cosines[has & rows]
        spread = max(float(compared.std()), LEAST_SPREAD)
        found += say * np.where(has, (cosines - compared.mean()) / spread, 0)
    return found


def _liked_values(
    column: Sequence[Any], name: str, evidence: Sequence[tuple[Taste, float]], rows: Any
) -> Column:
    """``log(p / q)`` of each product's value, the best of several, less the mean over ``rows``;
    0 without a value."""
    keys = [tuple(value) if isinstance(value, list) else value for value in column]
    counts: Counter[Any] = Counter()
    for key, count in Counter(compress(keys, rows)).items():
        counts.update(dict.fromkeys(values_of(key), count))
    total, n = sum(weight for _, weight in evidence), int(rows.sum())
    ratios = {}
    for value, count in counts.items():
        chosen = sum(weight * _share(taste, name, value) for taste, weight in evidence)
        usual = count / n
        ratio = log((chosen + PRIOR * usual) / ((total + PRIOR) * usual))
        ratios[value] = min(max(ratio, -MOST_OF_FIELD), MOST_OF_FIELD)
    best = {
        key: max((ratios.get(value, 0.0) for value in values_of(key)), default=0.0)
        for key in set(keys)
    }
    likings = np.asarray([best[key] for key in keys])
    return np.asarray(likings - likings[rows].mean())


def _share(taste: Taste, field: str, value: Any) -> float:
    return taste.affinities.get(field, {}).get(value, 0.0)


def _told(
    batch: RankingBatch, parts: Sequence[_Part], row: int, liking: float
) -> dict[str, float | str]:
    """Up to :data:`TOLD` causes that point where the whole does, the strongest first."""
    assert batch.profile is not None
    session = batch.profile.session
    taste, when = (
        (session, "in this session") if session.weight else (batch.profile.long_term, "before")
    )
    toward = 1 if liking > 0 else -1
    strong = [part for part in parts if part.likings[row] * toward > 0.05]
    told: dict[str, float | str] = {}
    if batch.ids[row] in batch.profile.bought:
        told["bought"] = "this very product, before"
    elif batch.ids[row] in batch.profile.recent:
        told["looked at"] = "this very product"
    for part in sorted(strong, key=lambda part: -abs(part.likings[row]))[:TOLD]:
        if not part.field:
            like = "like" if toward > 0 else "unlike"
            told["content"] = f"{like} what was looked at {when}"
            continue
        shares = {
            v: _share(taste, part.field, v) for v in values_of(batch.columns[part.field][row])
        }
        if shares:  # a product that says nothing of the field is no cause in words
            value = max(reversed(shares), key=shares.__getitem__)
            told[part.field] = f"{value}: {shares[value]:.0%} of what was looked at {when}"
    return told


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("personal", Personal, PersonalOptions)
