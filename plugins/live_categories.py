"""Which of the shop's own categories a query is about, by the similarity of embeddings.

A category is a value of the field "category", or of the field that says most finely what products
are (:func:`kind_field`): a shop may have "Footwear" in its categories and "Flip Flops" in a field
``type``."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct

from engine import Encoder, ShopView, Vectors

from .field_labels import TYPE
from .gazetteer import Gazetteer

CATEGORY = "category"
MAX_CATEGORIES = 2000
"""Of a field that are compared, those with the most products."""
AT_ONCE = 16
"""Names that a search may wait for; more are embedded before the generation goes live."""
BATCH = 32
SHARPNESS = 20.0
"""A cosine higher by 0.05 is e times as likely."""
BEST, LEAST = 3, 0.1
"""At most so many categories of a field are told, none less likely than that."""


def kind_field(gazetteer: Gazetteer) -> str:
    """Of the fields that say what products are, the one with the most values; empty where there is
    none."""
    values = gazetteer.vocabulary
    kinds = [field for field, labels in gazetteer.labels.items() if TYPE in labels[:1]]
    return max(kinds, key=lambda field: (len(values[field]), field == CATEGORY), default="")


class _Known(Struct, frozen=True, eq=False):
    """``rows`` ``[names, d]`` by field, of one vocabulary of the shop."""

    vocabulary: Mapping[str, Mapping[str, int]]
    text_encoder: Encoder
    names: dict[str, list[str]]
    rows: dict[str, Vectors]


class LiveCategories:
    """Embeds each name once, in the shop's own text encoder; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], Vectors] = {}
        self._known: _Known | None = None

    def learn(self, shop: ShopView, kind: str = CATEGORY) -> None:
        """Embed the names that are new, however many; long, so before searches come."""
        if self._knows(shop) is not None:
            return
        names = _names(shop, kind)
        with self._lock:
            missing = self._missing(names, shop)
            for i in range(0, len(missing), BATCH):
                self._embed(missing[i : i + BATCH], shop)
            self._known = self._all(names, shop)

    def likely(self, text: str, shop: ShopView, kind: str = CATEGORY) -> dict[str, float]:
        """The likeliest categories with their probability, and the likeliest values of the field
        ``kind``. Nothing while too many of their names are yet to be embedded."""
        known = self._of(shop, kind)
        if known is None or not text:
            return {}
        (query,) = shop.text_encoder.encode_texts([text], "query")
        least = shop.text_encoder.info.min_score.get("text", 0.0)
        found: dict[str, float] = {}
        for field, names in known.names.items():
            if names:
                for name, chance in _chances(names, known.rows[field] @ query, least):
                    found[name] = max(chance, found.get(name, 0.0))
        return found

    def _knows(self, shop: ShopView) -> _Known | None:
        known = self._known
        if known is None or known.vocabulary is not shop.vocabulary:
            return None
        return known if known.text_encoder is shop.text_encoder else None

    def _of(self, shop: ShopView, kind: str) -> _Known | None:
        if known := self._knows(shop):
            return known
        names = _names(shop, kind)
        if not self._lock.acquire(blocking=False):
            return None  # they are being learnt
        try:
            missing = self._missing(names, shop)
            if len(missing) > AT_ONCE:
                return None
            self._embed(missing, shop)
            self._known = self._all(names, shop)
            return self._known
        finally:
            self._lock.release()

    def _missing(self, names: Mapping[str, Sequence[str]], shop: ShopView) -> list[str]:
        encoder = shop.text_encoder.info.fingerprint
        every = dict.fromkeys(name for some in names.values() for name in some)
        return [name for name in every if (encoder, name) not in self._rows]

    def _embed(self, names: Sequence[str], shop: ShopView) -> None:
        if not names:
            return
        spoken = [name.replace(" > ", ", ") for name in names]
        encoder = shop.text_encoder.info.fingerprint
        for name, row in zip(
            names, shop.text_encoder.encode_texts(spoken, "document"), strict=True
        ):
            self._rows[encoder, name] = row.copy()

    def _all(self, names: dict[str, list[str]], shop: ShopView) -> _Known:
        key = shop.text_encoder.info.fingerprint
        rows = {
            field: np.stack([self._rows[key, name] for name in some])
            for field, some in names.items()
            if some
        }
        return _Known(shop.vocabulary, shop.text_encoder, names, rows)


def _names(shop: ShopView, kind: str) -> dict[str, list[str]]:
    """By field, the most frequent first."""
    found = {}
    for field in dict.fromkeys((CATEGORY, kind or CATEGORY)):
        counts = shop.vocabulary.get(field, {})
        found[field] = sorted(counts, key=lambda name: (-counts[name], name))[:MAX_CATEGORIES]
    return found


def _chances(names: Sequence[str], cosines: Vectors, least: float) -> Iterator[tuple[str, float]]:
    """The likeliest names; none where even the best is no more like the query than chance."""
    if cosines.max() < least:
        return
    weights = np.exp(SHARPNESS * (cosines - cosines.max()).astype(np.float64))
    chances = weights / weights.sum()
    for i in np.argsort(-chances, kind="stable")[:BEST]:
        if chances[i] >= LEAST:
            yield names[i], float(chances[i])
