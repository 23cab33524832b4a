"""The features of :mod:`plugins.ltr.feature_table`, computed from a window alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine import RankingBatch, Vectors

from ..word_forms import forms
from . import window
from .feature_table import FEATURES, GROUPS, LANES, NAMES, SPANS, VERSION
from .overlap import MAX_QUERY_WORDS, Titles, overlaps
from .text import query_text

__all__ = ["FEATURES", "GROUPS", "NAMES", "VERSION", "fields", "matrix"]

FIELDS: Final = ("title", "brand", "category", "price", "currency", "in_stock")


Floats = npt.NDArray[np.floating[Any]]
BEST: Final = 20
LEADERS: Final = 5
"""So many of the best say what the window is about (more where scores are equal)."""


def fields(popularity: str = "") -> tuple[str, ...]:
    """The columns that :func:`matrix` reads, beside those that the plan speaks of."""
    return (*FIELDS, popularity) if popularity and popularity not in FIELDS else FIELDS


def matrix(batch: RankingBatch, popularity: str = "") -> Vectors:
    """The features of a window, float32 ``[n, len(NAMES)]``; NaN where one says nothing.
    ``popularity`` names a number field of the shop. What a batch does not hold is NaN, too."""
    n = len(batch.ids)
    values = np.full((n, len(NAMES)), np.nan, dtype=np.float32)
    if not n:
        return values
    titles = Titles(batch.columns.get("title", [None] * n))
    # Not the rows: a window means the same in any order.
    rank = n - np.searchsorted(np.sort(batch.scores), batch.scores, "right") + 1
    best = rank <= BEST
    asked = query_text(batch.plan.text, MAX_QUERY_WORDS)
    found: dict[str, npt.ArrayLike] = {
        **_fusion(batch),
        "rank": 1 / rank,
        **_lanes(batch),
        **overlaps(asked, titles),
        **window.consensus(titles, asked, best, rank <= LEADERS),
        **_spans(batch),
        **_category_and_brand(batch, best),
        **_shop(batch, popularity),
        **_query(batch),
    }
    found |= window.standing(found)
    for name, column in found.items():
        values[:, _PLACE[name]] = column
    return values


_PLACE = {name: place for place, name in enumerate(NAMES)}


def _fusion(batch: RankingBatch) -> dict[str, npt.ArrayLike]:
    best = float(batch.scores.max())
    found = [ranks > 0 for ranks in batch.lane_ranks.values()]
    return {
        "score": batch.scores,
        "score_share": batch.scores / best if best > 0 else np.nan,
        "lanes_found": np.sum(found, axis=0) if found else 0,
    }


def _lanes(batch: RankingBatch) -> dict[str, npt.ArrayLike]:
    """A translated lane ("text:es") counts as its kind; of several the best."""
    columns: dict[str, npt.ArrayLike] = {}
    with np.errstate(divide="ignore", invalid="ignore"):
        for lane in LANES:
            own = [name for name in batch.lane_ranks if name.partition(":")[0] == lane]
            if not own:
                continue
            ranks = np.asarray([batch.lane_ranks[name] for name in own], dtype=np.float64)
            rank = np.where(ranks > 0, ranks, np.inf).min(axis=0)
            score = np.fmax.reduce([batch.lane_scores[name] for name in own])
            best = np.fmax.reduce(score)
            columns[f"{lane}_rank"] = np.where(np.isfinite(rank), 1 / rank, np.nan)
            columns[f"{lane}_score"] = score
            columns[f"{lane}_score_share"] = score / best if best > 0 else np.nan
    return columns


def _spans(batch: RankingBatch) -> dict[str, npt.ArrayLike]:
    """What was named and can be looked up. Several spans of one field are alternatives, as for
    the ranker ``understood``."""
    wanted: dict[str, dict[str, set[str]]] = {}
    sure: dict[str, float] = {}
    kind_of = {label: kind for kind, labels in SPANS.items() for label in labels}
    for span in batch.plan.spans:
        if span.effect == "boost" and span.field in batch.columns:
            kind = kind_of.get(span.label, "other")
            wanted.setdefault(kind, {}).setdefault(span.field, set()).update(span.values)
            sure[kind] = max(sure.get(kind, 0.0), span.confidence)
    columns: dict[str, npt.ArrayLike] = {f"sure_{kind}": value for kind, value in sure.items()}
    for kind, by_field in wanted.items():
        held = [_having(batch.columns[field], values) for field, values in by_field.items()]
        columns[f"has_{kind}"] = np.mean(held, axis=0)
    return columns


def _having(column: Sequence[Any], values: set[str]) -> npt.NDArray[np.bool_]:
    """Which products have one of ``values``; a product may have several, or none."""
    held = (value if isinstance(value, list) else [value] for value in column)
    return np.asarray([not values.isdisjoint(h for h in hs if h is not None) for hs in held], bool)


def _category_and_brand(
    batch: RankingBatch, best: npt.NDArray[np.bool_]
) -> dict[str, npt.ArrayLike]:
    n, asked = len(batch.ids), forms(batch.plan.text)
    paths = [_path(value) for value in batch.columns.get("category", [None] * n)]
    brands = batch.columns.get("brand", [None] * n)
    own = [path[-1] if path else None for path in paths]
    leading, count = Counter(compress(own, best)), int(best.sum())
    likely = batch.plan.categories
    leaves = [name.rpartition(" > ")[2] if name is not None else None for name in own]
    columns: dict[str, npt.ArrayLike] = {
        "category_consensus": [np.nan if name is None else leading[name] / count for name in own],
        "brand_in_query": [_share_of(name, asked) for name in brands],
        "category_in_query": [_share_of(name, asked) for name in leaves],
    }
    if likely:
        columns["category_likely"] = [
            max((likely.get(name, 0.0) for name in path), default=np.nan) for path in paths
        ]
    return columns


def _path(value: Any) -> Sequence[str]:
    """A category as the store has it: all its prefixes, the longest last."""
    return value if isinstance(value, list) else [value] if value else []


def _share_of(words: str | None, asked: frozenset[str]) -> float:
    own = _forms(words) if words else frozenset()
    return len(own & asked) / len(own) if own and asked else np.nan


_forms = lru_cache(maxsize=65_536)(forms)
"""Brands and categories come again and again."""


def _shop(batch: RankingBatch, popularity: str) -> dict[str, npt.ArrayLike]:
    price = _number(batch, "price")
    currencies = Counter(batch.columns.get("currency", []))
    if len(currencies) > 1:  # prices are compared in the window's most frequent currency only
        usual = max(currencies, key=lambda code: (currencies[code], str(code)))
        price = np.where([code == usual for code in batch.columns["currency"]], price, np.nan)
    known = price[price > 0]
    columns: dict[str, npt.ArrayLike] = {
        "price_place": window.places(price),
        "in_stock": _number(batch, "in_stock"),
    }
    if len(known):
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["price_ratio"] = np.log(np.where(price > 0, price, np.nan) / np.median(known))
    if popularity:
        popular = _number(batch, popularity)
        columns["popularity"] = np.log1p(np.maximum(popular, 0))
        columns["popularity_place"] = window.places(popular)
    return columns


def _number(batch: RankingBatch, field: str) -> npt.NDArray[np.float64]:
    column = batch.columns.get(field, [None] * len(batch.ids))
    numbers = [v if isinstance(v, int | float) else np.nan for v in column]
    return np.asarray(numbers, dtype=np.float64)


def _query(batch: RankingBatch) -> dict[str, npt.ArrayLike]:
    text, query = batch.plan.text, batch.request.query
    words = text.split()
    return {
        "query_words": len(words),
        "query_characters": len(text),
        "query_numbers": sum(any(c.isdigit() for c in word) for word in words),
        "query_has_photo": query is not None and query.image is not None,
        "query_likes": len(query.like) if query is not None else 0,
        "candidates": len(batch.ids),
    }
