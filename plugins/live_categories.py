"""Which of the shop's own categories a query is about, by the similarity of embeddings."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from engine import Encoder, ShopView, Vectors

MAX_CATEGORIES = 2000
"""Of a shop that are compared, those with the most products."""
AT_ONCE = 16
"""Names that a search may wait for; more are embedded before the generation goes live."""
BATCH = 32
SHARPNESS = 20.0
"""A cosine higher by 0.05 is e times as likely."""
BEST, LEAST = 3, 0.1
"""At most so many categories are told, none less likely than that."""


class _Known(Struct, frozen=True, eq=False):
    """``rows`` ``[categories, d]`` of one vocabulary of the shop."""

    vocabulary: Mapping[str, Mapping[str, int]]
    text_encoder: Encoder
    names: list[str]
    rows: Vectors


class LiveCategories:
    """Embeds each name once, in the shop's own text encoder; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[tuple[str, str], Vectors] = {}
        self._known: _Known | None = None

    def learn(self, shop: ShopView) -> None:
        """Embed the names that are new, however many; long, so before searches come."""
        if self._knows(shop) is not None:
            return
        names = _names(shop)
        with self._lock:
            missing = self._missing(names, shop)
            for i in range(0, len(missing), BATCH):
                self._embed(missing[i : i + BATCH], shop)
            self._known = self._all(names, shop)

    def likely(self, text: str, shop: ShopView) -> dict[str, float]:
        """The likeliest categories with their probability. Nothing while too many of their
        names are yet to be embedded."""
        known = self._of(shop)
        if known is None or not known.names or not text:
            return {}
        (query,) = shop.text_encoder.encode_texts([text], "query")
        cosines = known.rows @ query
        if cosines.max() < shop.text_encoder.info.min_score.get("text", 0.0):
            return {}
        weights = np.exp(SHARPNESS * (cosines - cosines.max()).astype(np.float64))
        chances = weights / weights.sum()
        best = np.argsort(-chances, kind="stable")[:BEST]
        return {known.names[i]: float(chances[i]) for i in best if chances[i] >= LEAST}

    def _knows(self, shop: ShopView) -> _Known | None:
        known = self._known
        if known is None or known.vocabulary is not shop.vocabulary:
            return None
        return known if known.text_encoder is shop.text_encoder else None

    def _of(self, shop: ShopView) -> _Known | None:
        if known := self._knows(shop):
            return known
        names = _names(shop)
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

    def _missing(self, names: Sequence[str], shop: ShopView) -> list[str]:
        encoder = shop.text_encoder.info.fingerprint
        return [name for name in names if (encoder, name) not in self._rows]

    def _embed(self, names: Sequence[str], shop: ShopView) -> None:
        if not names:
            return
        spoken = [name.replace(" > ", ", ") for name in names]
        encoder = shop.text_encoder.info.fingerprint
        for name, row in zip(
            names, shop.text_encoder.encode_texts(spoken, "document"), strict=True
        ):
            self._rows[encoder, name] = row.copy()

    def _all(self, names: list[str], shop: ShopView) -> _Known:
        encoder = shop.text_encoder.info
        rows = [self._rows[encoder.fingerprint, name] for name in names]
        empty = np.zeros((0, encoder.dim), dtype=np.float32)
        stacked = np.stack(rows) if rows else empty
        return _Known(shop.vocabulary, shop.text_encoder, names, stacked)


def _names(shop: ShopView) -> list[str]:
    counts = shop.vocabulary.get("category", {})
    return sorted(counts, key=lambda name: (-counts[name], name))[:MAX_CATEGORIES]
