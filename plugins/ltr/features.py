"""What a ranking model sees of each candidate: one table of features, computed from a window alone.

:data:`FEATURES` is the whole list, in the order of the columns; ``docs/ltr.md`` shows it and a test
keeps the two the same. A model keeps the names it was trained on. A change of what a name means
needs a new :data:`VERSION`, so that no model is fed something else than it learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from engine import RankingBatch, Vectors

from ..word_forms import forms
from .overlap import Titles, consensus, head_consensus, overlaps

VERSION: Final = 1
LANES: Final = ("text", "bm25", "image", "photo", "like_text", "like_image")
SPANS: Final[Mapping[str, tuple[str, ...]]] = {
    "type": ("core_product_type",),
    "brand": ("creator",),
    "color": ("color",),
    "department": ("department",),
    "material": ("material",),
    "size": ("UoM", "size"),
    "other": (),
}
"""Kinds of attributes and the span labels that belong to each; "other" has the rest."""
FIELDS: Final = ("title", "brand", "category", "price", "currency", "in_stock")


class Feature(NamedTuple):
    name: str
    group: str
    meaning: str


def _lane_features() -> list[Feature]:
    table = []
    for lane in LANES:
        table += [
            Feature(f"{lane}_rank", "lanes", f"1 / rank in the lane `{lane}`"),
            Feature(f"{lane}_score", "lanes", f"score in the lane `{lane}`"),
            Feature(f"{lane}_score_share", "lanes", f"the same, by the best of `{lane}`"),
        ]
    return table


def _span_features() -> list[Feature]:
    table = []
    for kind in SPANS:
        what = f"named values of the kind {kind}"
        table += [
            Feature(f"has_{kind}", "attributes", f"share of the {what} that the product has"),
            Feature(f"sure_{kind}", "attributes", f"confidence of the surest of the {what}"),
        ]
    return table


FEATURES: Final[tuple[Feature, ...]] = (
    Feature("score", "fusion", "score so far: the fused one, and what rankers before did to it"),
    Feature("score_share", "fusion", "the same, by the best of the window"),
    Feature("rank", "fusion", "1 / rank by that score"),
    Feature("lanes_found", "fusion", "how many lanes found it"),
    *_lane_features(),
    Feature("query_in_title", "text", "share of the query's words that are in the title"),
    Feature("query_in_title_idf", "text", "the same, words rare in the window counting more"),
    Feature("query_words_missing", "text", "how many words of the query are not in the title"),
    Feature("title_in_query", "text", "share of the title's words that are in the query"),
    Feature("query_first_in_title", "text", "whether the query's first word is in the title"),
    Feature("query_last_in_title", "text", "whether the query's last word is in the title"),
    Feature("title_words", "text", "words of the title"),
    Feature("query_in_title_phrase", "text", "whether the query stands in the title as it is"),
    Feature("query_in_title_solid", "text", "the same without spaces: `tooth brush`, `toothbrush`"),
    Feature("query_pairs_in_title", "text", "share of the query's neighbours that are ones there"),
    Feature("title_first_in_query", "text", "whether the title's first word is in the query"),
    Feature("title_head_in_query", "text", "whether the name of the thing in the title is"),
    Feature("heads_agree", "text", "whether that name is the query's last word"),
    Feature("first_match_place", "text", "place of the title's first word that is in the query"),
    Feature("trigrams_in_title", "text", "share of the query's character trigrams in the title"),
    Feature("trigrams_shared", "text", "Jaccard index of the two sets of trigrams"),
    Feature("fuzzy_words", "text", "mean over the query's words of the likest title word (Dice)"),
    Feature("fuzzy_words_idf", "text", "the same, words rare in the window counting more"),
    Feature("fuzzy_words_min", "text", "the same of the word that is worst met"),
    Feature("fuzzy_last_word", "text", "the same of the query's last word"),
    Feature("numbers_in_title", "text", "share of the query's numbers that are in the title"),
    Feature("measures_in_title", "text", "share of the query's measures (`36 in`) in the title"),
    Feature("measures_clash", "text", "other measures in the same units"),
    Feature("codes_in_title", "text", "share of the query's model codes (`dw735`) in the title"),
    Feature("title_consensus", "window", "mean share of the 20 best placed with the title's words"),
    Feature("head_consensus", "window", "share of the 20 best with the same name of the thing"),
    Feature("category_consensus", "window", "share of the 20 best placed in the same category"),
    *_span_features(),
    Feature("brand_in_query", "attributes", "share of the brand's words that are in the query"),
    Feature("category_in_query", "attributes", "share of its own category's words in the query"),
    Feature("category_likely", "attributes", "probability of its category by understanding"),
    Feature("price_place", "shop", "share of the window's prices below its own, ties half"),
    Feature("price_ratio", "shop", "log of its price by the window's median"),
    Feature("in_stock", "shop", "whether it can be had"),
    Feature("popularity", "shop", "log(1 + the field named when the model was trained)"),
    Feature("popularity_place", "shop", "share of the window less popular, ties half"),
    Feature("affinity", "personal", "likeness to what this shopper likes (nothing gives it yet)"),
    Feature("query_words", "query", "words of the query"),
    Feature("query_characters", "query", "characters of the query"),
    Feature("query_numbers", "query", "numbers in the query"),
    Feature("query_has_photo", "query", "whether a photo is part of the query"),
    Feature("query_likes", "query", "how many products the results should be like"),
    Feature("candidates", "query", "candidates in the window"),
)
NAMES: Final = tuple(feature.name for feature in FEATURES)
GROUPS: Final = tuple(dict.fromkeys(feature.group for feature in FEATURES))

Floats = npt.NDArray[np.floating[Any]]
BEST: Final = 20
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
    found: dict[str, npt.ArrayLike] = {
        **_fusion(batch),
        "rank": 1 / rank,
        **_lanes(batch),
        **overlaps(batch.plan.text, titles),
        "title_consensus": consensus(titles, best),
        "head_consensus": head_consensus(titles, best),
        **_spans(batch),
        **_category_and_brand(batch, best),
        **_shop(batch, popularity),
        **_query(batch),
    }
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
        "price_place": _place(price),
        "in_stock": _number(batch, "in_stock"),
    }
    if len(known):
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["price_ratio"] = np.log(np.where(price > 0, price, np.nan) / np.median(known))
    if popularity:
        popular = _number(batch, popularity)
        columns["popularity"] = np.log1p(np.maximum(popular, 0))
        columns["popularity_place"] = _place(popular)
    return columns


def _number(batch: RankingBatch, field: str) -> npt.NDArray[np.float64]:
    column = batch.columns.get(field, [None] * len(batch.ids))
    numbers = [v if isinstance(v, int | float) else np.nan for v in column]
    return np.asarray(numbers, dtype=np.float64)


def _place(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The share of the known values that lie below each, equal ones counted half."""
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return values
    below, upto = np.searchsorted(known, values), np.searchsorted(known, values, "right")
    return np.where(np.isnan(values), np.nan, (below + upto) / (2 * len(known)))


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
