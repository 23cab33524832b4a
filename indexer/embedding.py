"""Texts and photos to vectors: from the cache where they are known, else in batches.

A batch that the encoder refuses is tried again item by item, so one bad item fails alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
from PIL.Image import Image

from engine.errors import EncoderError, EntrepotError
from engine.protocols import Encoder, Vectors

from .cache import EmbeddingCache, pack, text_key, unpack
from .report import Counts

log = logging.getLogger(__name__)

PHOTO_BATCH = 32
TEXT_BATCH, TOKEN_BUDGET = 64, 4096
"""Texts in a batch, and its padded size in tokens: as many short texts as fit, few long."""
MAX_IN_A_ROW = 64
"""Items refused one after the other that stop a build: it is the encoder, not the catalogue."""
_CHARS_PER_TOKEN = 4
_LONGEST = 512
T = TypeVar("T")


class Embedder:
    """Collects what a chunk of products needs. Not thread-safe: one thread encodes.

    ``vectors`` and ``failures`` hold results by cache key until :meth:`clear`.
    """

    def __init__(
        self, text: Encoder, image: Encoder, cache: EmbeddingCache, counts: Counts
    ) -> None:
        self.vectors: dict[bytes, Vectors] = {}
        self.failures: dict[bytes, str] = {}
        self._text = text
        self._image = image
        self._cache = cache
        self._counts = counts
        self._photos: dict[bytes, Image] = {}
        self._refused = 0

    def add_photo(self, key: bytes, found: Vectors | Image) -> None:
        """Take a photo's vector from the cache, or its pixels for the next batch."""
        if isinstance(found, np.ndarray):
            self.vectors[key] = found
            self._counts.reused += 1
        elif key in self.vectors or key in self._photos:
            self._counts.reused += 1
        else:
            self._photos[key] = found
            if len(self._photos) >= PHOTO_BATCH:
                self.encode_photos()

    def encode_photos(self) -> None:
        """Embed the photos that wait, which frees their pixels."""
        waiting, self._photos = self._photos, {}
        if waiting:
            self._encode(list(waiting), list(waiting.values()), self._image.encode_images)

    def texts(self, texts: Sequence[str]) -> list[bytes]:
        """Embed ``texts``; their keys, in order."""
        fingerprint = self._text.info.fingerprint
        keys = [text_key(fingerprint, text) for text in texts]
        missing: dict[bytes, str] = {}
        for key, text in zip(keys, texts, strict=True):
            if key not in self.vectors and key not in missing:
                known = self._cache.get(key)
                if known is None:
                    missing[key] = text
                    continue
                self.vectors[key] = known
            self._counts.reused += 1
        limit = self._text.info.max_tokens or _LONGEST
        for batch in text_batches(missing, limit):
            self._encode(
                batch,
                [missing[key] for key in batch],
                lambda some: self._text.encode_texts(some, "document"),
            )
        return keys

    def clear(self) -> None:
        """Forget the results; the cache has them."""
        self.vectors.clear()
        self.failures.clear()

    def _encode(
        self, keys: list[bytes], items: list[T], encode: Callable[[list[T]], Vectors]
    ) -> None:
        packed = {
            key: pack(row)
            for key, row in zip(keys, self._rows(keys, items, encode), strict=True)
            if row is not None
        }
        self._cache.put(packed)
        self._counts.embedded += len(packed)
        self.vectors.update((key, unpack(vector)) for key, vector in packed.items())

    def _rows(
        self, keys: list[bytes], items: list[T], encode: Callable[[list[T]], Vectors]
    ) -> Iterator[Vectors | None]:
        try:
            rows = encode(items)
            if len(rows) != len(items):
                raise EncoderError(f"{len(rows)} vectors for {len(items)} items")
            if not np.isfinite(rows).all():
                raise EncoderError("the vector is not finite")
        # Whatever a third-party encoder raises; the guilty item is found and reported.
        except Exception as error:
            if len(items) > 1:
                for key, item in zip(keys, items, strict=True):
                    yield from self._rows([key], [item], encode)
                return
            log.debug("cannot embed", exc_info=True)
            self._refuse(keys[0], error)
            yield None
            return
        self._refused = 0
        yield from rows

    def _refuse(self, key: bytes, error: Exception) -> None:
        known = isinstance(error, EntrepotError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        self.failures[key] = reason
        self._refused += 1
        if self._refused >= MAX_IN_A_ROW:
            raise EncoderError(
                f"the encoder refused {self._refused} items in a row: {reason}"
            ) from error


def text_batches(texts: Mapping[bytes, str], max_tokens: int) -> Iterator[list[bytes]]:
    """Keys by rising text length, in batches within both bounds: padding wastes little."""

    def tokens(key: bytes) -> int:
        return min(max_tokens, len(texts[key]) // _CHARS_PER_TOKEN + 2)

    batch: list[bytes] = []
    for key in sorted(texts, key=lambda key: len(texts[key])):
        if batch and (len(batch) >= TEXT_BATCH or tokens(key) * (len(batch) + 1) > TOKEN_BUDGET):
            yield batch
            batch = []
        batch.append(key)
    if batch:
        yield batch
