"""Pass 2: photos are read and decoded by a pool while the encoders work on earlier ones."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from msgspec import Struct
from PIL.Image import Image

from engine.documents import dense_text, make_point
from engine.errors import EntrepotError
from engine.protocols import Encoder, Point, Vectors, VectorStore
from engine.settings import Settings
from engine.types import Product

from .cache import EmbeddingCache, photo_key
from .embedding import Embedder
from .photos import PhotoLoader, photo_issue, with_images
from .progress import Ticker
from .report import Counts, Issue, IssueLog

CHUNK = 256
"""Products between two writes to the store; their texts are sorted by length in batches."""
AHEAD = 24
"""Products whose photos are read ahead of the encoder. With :data:`PHOTO_BATCH` pictures
waiting this bounds the memory, at about 3 MB for each that is still large."""
_FETCHERS = 16
S = TypeVar("S")
T = TypeVar("T")


class Item(Struct):
    """A product on its way. ``photos`` are pairs of reference and cache key; ``found`` is
    what each key needs: nothing more (a vector), or encoding (pixels)."""

    line: int
    product: Product
    warned: bool
    photos: list[tuple[str, bytes]]
    found: dict[bytes, Vectors | Image]
    shown: frozenset[str]
    issues: list[Issue]


class Pipeline:
    """Takes the products of one catalogue to a store. ``seconds`` are per stage: "photos" is
    time spent waiting for the pool, which otherwise costs nothing."""

    def __init__(
        self,
        settings: Settings,
        root: str,
        encoders: tuple[Encoder, Encoder],
        cache: EmbeddingCache,
        counts: Counts,
        log: IssueLog,
    ) -> None:
        self.seconds = {"photos": 0.0, "images": 0.0, "texts": 0.0, "store": 0.0}
        self.photos_by_url = 0
        self._settings = settings
        self._root = root
        self._image_print = encoders[1].info.fingerprint
        self._dim = encoders[1].info.dim
        self._loader = PhotoLoader(settings)
        self._cache = cache
        self._counts = counts
        self._log = log
        self._embedder = Embedder(*encoders, cache, counts)

    def run(
        self, products: Iterable[tuple[int, Product, bool]], store: VectorStore, ticker: Ticker
    ) -> None:
        """Embed and store all ``products``; what fails is in the log."""
        done = 0
        with ThreadPoolExecutor(self._threads(), "photos") as pool:
            try:
                chunk: list[Item] = []
                items = run_ahead(pool, self._prepare, products, AHEAD)
                while (item := self._next(items)) is not None:
                    with self._timed("images"):
                        for key, found in item.found.items():
                            self._embedder.add_photo(key, found)
                    item.found = {}
                    chunk.append(item)
                    done += 1
                    ticker.tick(done)
                    if len(chunk) >= CHUNK:
                        self._finish(chunk, store)
                        chunk = []
                self._finish(chunk, store)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _threads(self) -> int:
        """Decoding is bound by the processor, fetching by the network."""
        return _FETCHERS if self._settings.images.urls else min(2, os.cpu_count() or 1)

    def _next(self, items: Iterator[Item]) -> Item | None:
        with self._timed("photos"):
            return next(items, None)

    def _prepare(self, entry: tuple[int, Product, bool]) -> Item:
        """In a pool thread: read, hash and, if the cache has no vector, decode the photos."""
        line, product, warned = entry
        product, issues = self._loader.keep_inline(product, line)
        item = Item(line, product, warned, [], {}, frozenset(), issues)
        for ref in product.images:
            try:
                data = self._loader.read(ref, self._root)
                key = photo_key(self._image_print, data)
                vector = self._cache.get(key)
                item.found[key] = self._loader.decode(data) if vector is None else vector
                item.photos.append((ref, key))
            except EntrepotError as error:
                if self._loader.left_alone(error):
                    item.shown |= {ref}
                else:
                    issues.append(photo_issue(line, product.id, ref, error))
        return item

    def _finish(self, chunk: list[Item], store: VectorStore) -> None:
        """Encode what is left of a chunk and write it to the store."""
        embedder = self._embedder
        with self._timed("images"):
            embedder.encode_photos()
        with self._timed("texts"):
            keys = embedder.texts([dense_text(item.product) for item in chunk])
        with self._timed("store"):
            points: list[Point] = []
            for item, key in zip(chunk, keys, strict=True):
                if key in embedder.failures:
                    self._fail(item, embedder.failures[key])
                else:
                    points.append(self._point(item, embedder.vectors[key], store))
                self._log.add(item.issues)
            store.upsert(points)
            self._counts.indexed += len(points)
        embedder.clear()

    def _point(self, item: Item, text: Vectors, store: VectorStore) -> Point:
        """The product with those photos that can be used, and their vectors."""
        embedder, rows = self._embedder, []
        refs = set(item.shown)
        for ref, key in item.photos:
            if key in embedder.failures:
                error = EntrepotError(embedder.failures[key])
                item.issues.append(photo_issue(item.line, item.product.id, ref, error))
            else:
                rows.append(embedder.vectors[key])
                refs.add(ref)
        self._counts.photos += len(rows)
        self._counts.warned += bool(item.issues) and not item.warned
        self.photos_by_url += len(item.shown)
        product = with_images(item.product, [ref for ref in item.product.images if ref in refs])
        images = np.stack(rows) if rows else np.zeros((0, self._dim), dtype=np.float32)
        return make_point(product, text, images, store.spec.schema)

    def _fail(self, item: Item, reason: str) -> None:
        self._counts.failed += 1
        reason = f"cannot be embedded: {reason}"
        item.issues.append(Issue(item.line, item.product.id, "title", reason))

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - start


def run_ahead(
    pool: ThreadPoolExecutor, work: Callable[[S], T], items: Iterable[S], depth: int
) -> Iterator[T]:
    """``map`` in order, with at most ``depth`` items under way or waiting."""
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
