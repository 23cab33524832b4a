"""Live writes: embed, journal, apply; and replaying the journal into a generation."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct
from PIL.Image import Image

from .documents import dense_text, make_point
from .errors import EncoderError, EntrepotError, InvalidProduct
from .journal import Entry, Journal, StoredVectors
from .live import Live
from .protocols import Encoder, Point, Vectors, VectorStore
from .schema import IndexSchema
from .types import Product

log = logging.getLogger(__name__)

CHUNK = 64
"""Points per store call: the embedded store holds the GIL while it writes (8,000 points froze
all threads for 0.11 s), so searches go on between small chunks."""
CHECKPOINT_EVERY = 256
"""Writes between two records of how far the live generation has come; a crash replays at
most these, which is harmless."""


class WriteResult(Struct, frozen=True, omit_defaults=True):
    """What became of one item; ``warning`` names what was stored but cannot be searched."""

    id: str
    status: Literal["stored", "failed"]
    error: str = ""
    warning: str = ""


class Encoded(Struct, frozen=True):
    """A product with its vectors: ``text`` ``[d]``, ``images`` ``[n, d]``."""

    product: Product
    text: Vectors
    images: Vectors


class Writer:
    """Applies writes in journal order. The caller serializes :meth:`put`, :meth:`delete`
    and the last :meth:`replay` of a promotion; :meth:`encode` may run beside them."""

    def __init__(
        self,
        journal: Journal,
        text: Encoder,
        image: Encoder,
        load_images: Callable[[Product, str], list[Image]],
    ) -> None:
        self._journal = journal
        self._text = text
        self._image = image
        self._load_images = load_images
        self._since_checkpoint = 0

    def encode(self, items: Sequence[tuple[Product, list[Image]]]) -> list[Encoded | WriteResult]:
        """Check and embed all items in batches; if a batch fails, item by item, and the guilty
        one's failed result takes its place. Nothing that could not be replayed gets further."""
        return [
            done
            for start in range(0, len(items), CHUNK)
            for done in self._encode_chunk(items[start : start + CHUNK])
        ]

    def put(self, encoded: Sequence[Encoded | WriteResult], live: Live) -> list[WriteResult]:
        """Journal, then apply; one result per item, in order."""
        good = [item for item in encoded if isinstance(item, Encoded)]
        if good:
            points = [self._point(item, live.store) for item in good]
            last = self._journal.append([self._entry(item) for item in good])
            self._apply(live.store, points)
            self._applied(live.generation, last, len(good))
        schema = live.store.spec.schema
        return [_stored(item, schema) if isinstance(item, Encoded) else item for item in encoded]

    def delete(self, product_id: str, live: Live) -> None:
        last = self._journal.append([Entry("delete", product_id)])
        live.store.delete([product_id])
        self._applied(live.generation, last, 1)

    def replay(self, generation: str, store: VectorStore) -> int:
        """Apply every entry that ``generation`` has not absorbed; how many there were."""
        count, seq = 0, self._journal.absorbed(generation)
        for entries in self._journal.after(seq, CHUNK):
            latest = {entry.id: entry for entry in entries}
            points = self._replayed_points(latest.values(), store)
            store.delete([entry.id for entry in latest.values() if entry.op == "delete"])
            self._apply(store, points)
            count += len(entries)
            self._journal.set_absorbed(generation, entries[-1].seq)
        return count

    def checkpoint(self, generation: str) -> None:
        """Record that ``generation`` holds every write so far."""
        self._journal.set_absorbed(generation, self._journal.last())
        self._since_checkpoint = 0

    def _applied(self, generation: str, last: int, count: int) -> None:
        self._since_checkpoint += count
        if self._since_checkpoint >= CHECKPOINT_EVERY:
            self._journal.set_absorbed(generation, last)
            self._since_checkpoint = 0

    def _encode_chunk(
        self, items: Sequence[tuple[Product, list[Image]]]
    ) -> list[Encoded | WriteResult]:
        try:
            for product, _ in items:
                _check_product(product)
            return list(self._embed(items))
        except Exception as error:
            if len(items) > 1:
                return [done for item in items for done in self._encode_chunk([item])]
            return [_failed(items[0][0], error)]

    def _embed(self, items: Sequence[tuple[Product, list[Image]]]) -> Iterator[Encoded]:
        texts = self._text.encode_texts([dense_text(product) for product, _ in items], "document")
        images = [image for _, photos in items for image in photos]
        rows = self._image.encode_images(images) if images else self._no_images()
        if not (np.isfinite(texts).all() and np.isfinite(rows).all()):
            raise EncoderError("the encoder gave an embedding that is not finite")
        start = 0
        for (product, photos), text in zip(items, texts, strict=True):
            yield Encoded(product, text, rows[start : start + len(photos)])
            start += len(photos)

    def _no_images(self) -> Vectors:
        return np.zeros((0, self._image.info.dim), dtype=np.float32)

    def _entry(self, item: Encoded) -> Entry:
        vectors = StoredVectors(
            self._text.info.fingerprint,
            self._image.info.fingerprint,
            item.text.astype("<f4").tobytes(),
            item.images.astype("<f4").tobytes(),
            len(item.images),
        )
        return Entry("put", item.product.id, item.product, vectors)

    def _point(self, item: Encoded, store: VectorStore) -> Point:
        return make_point(item.product, item.text, item.images, store.spec.schema)

    def _replayed_points(self, entries: Iterable[Entry], store: VectorStore) -> list[Point]:
        puts = [entry for entry in entries if entry.op == "put"]
        items = [self._journalled(entry) or self._again(entry, store) for entry in puts]
        for item in items:
            if isinstance(item, WriteResult):
                log.error("journalled product %r is not replayed: %s", item.id, item.error)
        return [self._point(item, store) for item in items if isinstance(item, Encoded)]

    def _journalled(self, entry: Entry) -> Encoded | None:
        """The journalled vectors, if these encoders made them."""
        vectors = entry.vectors
        if entry.product is None or vectors is None:
            return None
        ours = (self._text.info.fingerprint, self._image.info.fingerprint)
        if (vectors.text_fingerprint, vectors.image_fingerprint) != ours:
            return None
        text, images = vectors.arrays()
        return Encoded(entry.product, text, images if len(images) else self._no_images())

    def _again(self, entry: Entry, store: VectorStore) -> Encoded | WriteResult:
        assert entry.product is not None
        photos = self._load_images(entry.product, store.spec.image_root)
        return self._encode_chunk([(entry.product, photos)])[0]

    @staticmethod
    def _apply(store: VectorStore, points: Sequence[Point]) -> None:
        for start in range(0, len(points), CHUNK):
            store.upsert(points[start : start + CHUNK])


def _check_product(product: Product) -> None:
    """Raises InvalidProduct. Constraints are checked when a product is decoded, but not when
    one is made in Python."""
    try:
        msgspec.convert(msgspec.to_builtins(product), Product)
    except (msgspec.ValidationError, TypeError) as error:
        raise InvalidProduct(str(error)) from error
    try:
        datetime.fromisoformat(product.updated_at or "1970-01-01")
    except ValueError as error:
        raise InvalidProduct(f"updated_at: {error}", field="updated_at") from error


def _failed(product: Product, error: Exception) -> WriteResult:
    if isinstance(error, InvalidProduct):
        return WriteResult(str(product.id), "failed", str(error))
    log.warning("product %r cannot be embedded", product.id, exc_info=error)
    reason = str(error) if isinstance(error, EntrepotError) else type(error).__name__
    return WriteResult(product.id, "failed", f"cannot be embedded: {reason}")


def _stored(item: Encoded, schema: IndexSchema) -> WriteResult:
    undeclared = sorted(set(item.product.attributes) - set(schema.attributes))
    warning = ""
    if undeclared:
        names = ", ".join(undeclared)
        warning = f"stored, but cannot be filtered until the next full index: {names}"
    return WriteResult(item.product.id, "stored", warning=warning)
