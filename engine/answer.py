"""The last stage: sorting, highlights and explanations for one page."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from .fusion import Fusion, contributions
from .localize import Audience
from .protocols import VectorStore
from .relevance import Relevance
from .types import (
    Candidate,
    Explanation,
    Hit,
    Product,
    SearchRequest,
    SortBy,
)

HIGHLIGHTED = ("title", "description")
_WORD = re.compile(r"\w+")


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
    """Explains a candidate: each lane's contribution, each ranker's delta; and how relevant it is,
    where that is known."""

    fusion: Fusion = Fusion({})
    relevance: Relevance | None = None

    def __call__(self, candidate: Candidate) -> Explanation:
        return Explanation(
            lanes=contributions(candidate, self.fusion),
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
    audience: Audience | None = None,
) -> tuple[Hit, ...]:
    """The page's hits as ``audience`` sees them (everybody), with the product fields, highlights
    and explanations asked for."""
    audience = audience or Audience(store.spec.schema)
    products = store.get([candidate.id for candidate in page])
    words = frozenset(_stems(text)) if request.highlight else frozenset()
    hits: list[Hit] = []
    for candidate, product in zip(page, products, strict=True):
        if product is None:  # deleted between retrieval and here
            continue
        shown, notes = audience.shown(product)
        hit = Hit(
            id=candidate.id,
            score=candidate.score,
            product=audience.selected(shown, notes, request.fields),
            highlights=_highlights(shown, words) if request.highlight else None,
            explain=explainer(candidate) if request.explain else None,
            relevance=explainer.relevance(candidate) if explainer.relevance else None,
        )
        hits.append(hit)
    return tuple(hits)


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
