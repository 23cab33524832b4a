"""Stages 6 and 7: facets, field selection, highlights and explanations for one page."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from .filters import Filter, require_field
from .fusion import contributions
from .protocols import VectorStore
from .schema import FieldKind, IndexSchema
from .types import (
    Candidate,
    Explanation,
    FacetResult,
    FacetValue,
    Hit,
    Product,
    SearchRequest,
    SortBy,
    product_to_dict,
)

HIGHLIGHTED = ("title", "description")
_WORD = re.compile(r"\w+")


def facets_of(
    names: Sequence[str], ids: Sequence[str], store: VectorStore, schema: IndexSchema, most: int
) -> dict[str, FacetResult]:
    """Counts of the result set ``ids``; up to ``most`` values a field, largest first."""
    kinds = {name: require_field(name, schema, use="facets") for name in names}
    columns = store.columns(ids, list(kinds)) if kinds else {}
    return {name: _facet(kind, columns[name], most) for name, kind in kinds.items()}


def browse_facets(
    names: Sequence[str], filter: Filter, store: VectorStore, schema: IndexSchema, most: int
) -> dict[str, FacetResult]:
    """Counts over every product under ``filter``, however many."""
    found: dict[str, FacetResult] = {}
    for name in names:
        if require_field(name, schema, use="facets") is FieldKind.NUMBER:
            column = store.columns(store.scroll(filter, store.count(filter)), [name])[name]
            found[name] = _facet(FieldKind.NUMBER, column, most)
        else:
            found[name] = FacetResult(tuple(store.facet(name, filter, most)))
    return found


def _facet(kind: FieldKind, column: Sequence[Any], most: int) -> FacetResult:
    if kind is FieldKind.NUMBER:
        numbers = [value for value in column if value is not None]
        return FacetResult(min=min(numbers), max=max(numbers)) if numbers else FacetResult()
    # Whole values first, for Counter is quick and few of them are distinct.
    whole = Counter(tuple(value) if isinstance(value, list) else (value,) for value in column)
    counts: Counter[str | bool] = Counter()
    for values, count in whole.items():
        for value in dict.fromkeys(values):
            if value is not None:
                counts[value] += count
    best = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))[:most]
    return FacetResult(tuple(FacetValue(value, count) for value, count in best))


def sort_ids(ids: Sequence[str], sort: SortBy, store: VectorStore) -> list[str]:
    """``ids`` by a declared field; missing values last, ties in the given order (Python's
    sort is stable in reverse as well)."""
    values = dict(zip(ids, store.columns(ids, [sort.field])[sort.field], strict=True))
    present = [id for id in ids if values[id] is not None]
    present.sort(key=lambda id: _sort_key(values[id]), reverse=sort.order == "desc")
    return present + [id for id in ids if values[id] is None]


def _sort_key(value: Any) -> list[Any]:
    """Lists are compared item by item, as stores sort them."""
    return value if isinstance(value, list) else [value]


class Explainer(Struct, frozen=True):
    """Explains a candidate: each lane's contribution, each ranker's delta."""

    weights: Mapping[str, float]
    rrf_k: int

    def __call__(self, candidate: Candidate) -> Explanation:
        return Explanation(
            lanes=contributions(candidate, self.weights, self.rrf_k),
            fused=candidate.fused,
            rankers=dict(candidate.deltas),
            score=candidate.score,
            arrangers=dict(candidate.moves),
            reasons=dict(candidate.reasons),
        )


def make_hits(
    page: Sequence[Candidate],
    request: SearchRequest,
    text: str,
    store: VectorStore,
    explainer: Explainer,
) -> tuple[Hit, ...]:
    """The page's hits with the product fields, highlights and explanations asked for."""
    products = store.get([candidate.id for candidate in page])
    words = frozenset(_stems(text)) if request.highlight else frozenset()
    return tuple(
        Hit(
            id=candidate.id,
            score=candidate.score,
            product=select_fields(product, request.fields),
            highlights=_highlights(product, words) if request.highlight else None,
            explain=explainer(candidate) if request.explain else None,
        )
        for candidate, product in zip(page, products, strict=True)
        # A product deleted between retrieval and here is simply gone.
        if product is not None
    )


def select_fields(product: Product, fields: tuple[str, ...] | None) -> dict[str, Any]:
    """The product as JSON-ready builtins, reduced to ``fields`` (attributes by name too)."""
    whole = product_to_dict(product)
    if fields is None:
        return whole
    attributes = whole["attributes"]
    return {name: whole.get(name, attributes.get(name)) for name in ("id", *fields)}


def _highlights(product: Product, words: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in HIGHLIGHTED:
        marked, hits = _mark(getattr(product, name), words)
        if hits:
            found[name] = marked
    return found


def _mark(text: str, words: frozenset[str]) -> tuple[str, int]:
    """``text`` escaped for HTML with matching words in ``<mark>``, and how many matched."""
    parts: list[str] = []
    end = hits = 0
    for match in _WORD.finditer(text):
        if _stem(match[0].lower()) in words:
            parts += [
                html.escape(text[end : match.start()]),
                f"<mark>{html.escape(match[0])}</mark>",
            ]
            end = match.end()
            hits += 1
    parts.append(html.escape(text[end:]))
    return "".join(parts), hits


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower())]


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    """Plural and singular alike, enough to mark words; the store's stemmer ranks."""
    for suffix, least in (("ies", 5), ("es", 5), ("s", 4)):
        if word.endswith(suffix) and len(word) >= least and not word.endswith("ss"):
            return word.removesuffix(suffix)
    return word[:-1] if word.endswith(("y", "e")) and len(word) >= 4 else word
