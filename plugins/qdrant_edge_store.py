"""One open generation in Qdrant Edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Literal
from uuid import UUID

import msgspec
import qdrant_edge as q
from qdrant_edge import EdgeShard, SearchParams, UpdateOperation

from engine.durable import write_atomically
from engine.errors import StoreError, StoreLocked
from engine.filters import Filter, Range, Terms
from engine.protocols import GenerationSpec, LaneQuery, Point, Scored, Vectors
from engine.schema import IndexSchema
from engine.types import FacetValue, Product, SortBy

from .qdrant_bm25 import document, question
from .qdrant_common import (
    Clause,
    Parts,
    check_points,
    check_query,
    chunks,
    index_of,
    ranked,
    threshold,
    to_fields,
    to_parts,
    to_payload,
    to_point,
    to_product,
    to_rows,
)
from .qdrant_docvalues import DocValues, PointId
from .qdrant_edge_segments import Cuts
from .vector_cache import VectorCache

UPSERT_CHUNK = 64
"""Points per call: a call holds the GIL, and so every request, for about 5 ms."""
FLUSH_EVERY = 4096
"""Points between flushes, which empty the write-ahead log: without them it grows by the size
of every point (measured 3.8 kB at 256 dimensions) and is read again when opening. A written
point survives the process without a flush, for the log is in the system's hands by then."""
SCROLL_CHUNK = 1000
KEPT_BYTES = 64 * 2**20
"""Of the vectors of each space that were read last: about 40,000 of 384 dimensions."""


@contextmanager
def vendor(folder: Path) -> Iterator[None]:
    """The one place where Qdrant Edge's errors (bare ``Exception``, or a panic) become ours."""
    try:
        yield
    except (StoreError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as exc:
        if "WouldBlock" in str(exc):
            raise StoreLocked(
                f"{folder} is open in another process; stop that server, or let it do the work "
                "(of the commands, index, search, generations and rules ask it over HTTP)"
            ) from exc
        if "not initialized" in str(exc):
            raise StoreError(f"{folder.name} is closed") from exc
        raise StoreError(f"Qdrant Edge failed on {folder}: {exc}") from exc


class EdgeStore:
    """Reads need no lock (the vendor serializes its calls); writers wait for one another, so
    that the shard and its doc values change in the same order."""

    def __init__(
        self,
        shard: EdgeShard,
        spec: GenerationSpec,
        folder: Path,
        params: SearchParams,
        cuts: Cuts | None = None,
    ) -> None:
        self.shard = shard
        self._cuts = cuts
        self._spec = spec
        self._folder = folder
        self.params = params
        self._docs = DocValues()
        self._vectors = {"text": VectorCache(KEPT_BYTES), "image": VectorCache(KEPT_BYTES)}
        self._lock = Lock()
        self._unflushed = 0

    @property
    def spec(self) -> GenerationSpec:
        return self._spec

    def load(self) -> None:
        """Read the doc values of a generation that was just opened."""
        for record in self._scroll(SCROLL_CHUNK, ["id", "f", "product.title"], False):
            payload = record.payload
            title = payload["product"]["title"]
            self._docs.put(payload["id"], record.id, title, to_fields(payload))

    def upsert(self, points: Sequence[Point]) -> None:
        check_points(points, self._spec)
        with self._lock:
            for chunk in chunks(points, UPSERT_CHUNK):
                ids = [point.product.id for point in chunk]
                numbers = self._docs.number(ids)
                with vendor(self._folder):
                    made = [self._point(n, point) for n, point in zip(numbers, chunk, strict=True)]
                self._update(UpdateOperation.upsert_points(made), ids)
                for n, point in zip(numbers, chunk, strict=True):
                    self._docs.put(point.product.id, n, point.product.title, point.fields)
                if self._cuts:
                    with vendor(self._folder):
                        self.shard = self._cuts.wrote(self.shard, chunk)

    def delete(self, ids: Sequence[str]) -> None:
        with self._lock:
            for chunk in chunks(ids, UPSERT_CHUNK):
                gone: list[int | UUID | str] = [*self._docs.written(chunk)]
                self._update(UpdateOperation.delete_points(gone), chunk)
                for id in chunk:
                    self._docs.drop(id)

    def search_batch(
        self, lanes: Sequence[LaneQuery], filter: Filter, limit: int
    ) -> list[list[Scored]]:
        compiled = compile_filter(self._docs.plainer(filter), self._docs.points)
        asked = [(lane, query) for lane in lanes if (query := self._query(lane))]
        if not asked or limit < 1:
            return [[] for _ in lanes]
        requests = [
            q.QueryRequest(
                limit=limit,
                query=query,
                filter=compiled,
                score_threshold=threshold(lane.min_score),
                params=self.params,
            )
            for lane, query in asked
        ]
        with vendor(self._folder):
            answers = self.shard.query_batch(q.QueryBatchRequest(requests))
        found = {id(lane): answer for (lane, _), answer in zip(asked, answers, strict=True)}
        return [
            ranked(self._docs.rows_of(found.get(id(lane), ())), lane.min_score) for lane in lanes
        ]

    def facet(self, field: str, filter: Filter, limit: int) -> list[FacetValue]:
        return self._docs.facet(field, filter, limit)

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        return self._docs.columns(ids, fields)

    def vectors(self, ids: Sequence[str], using: Literal["text", "image"]) -> list[Vectors]:
        dim = (self._spec.text_encoder if using == "text" else self._spec.image_encoder).dim
        cache = self._vectors[using]
        found, writes = cache.find(ids)
        if missing := [id for id in dict.fromkeys(ids) if id not in found]:
            records = self._retrieve(missing, with_payload=False, with_vector=[using])
            read = {id: (record.vector or {}).get(using) for id, record in records}
            # A product without this vector is kept as such.
            fresh = {id: to_rows(read.get(id), dim) for id in missing}
            cache.keep(fresh, writes)
            found |= fresh
        return [found[id] for id in ids]

    def get(self, ids: Sequence[str]) -> list[Product | None]:
        records = self._retrieve(ids, with_payload=["product"], with_vector=False)
        found = {id: to_product(record.payload) for id, record in records}
        return [found.get(id) for id in ids]

    def scroll(
        self, filter: Filter, limit: int, offset: int = 0, sort: SortBy | None = None
    ) -> list[str]:
        return self._docs.scroll(filter, limit, offset, sort)

    def iterate(self, batch: int = 256) -> Iterable[list[Point]]:
        points: list[Point] = []
        for record in self._scroll(batch, True, ["text", "image"]):
            points.append(to_point(record.payload, record.vector, self._spec))
            if len(points) == batch:
                yield points
                points = []
        if points:
            yield points

    def count(self, filter: Filter) -> int:
        return self._docs.count(filter)

    def build(self, schema: IndexSchema, products: int) -> None:
        """Payload indexes come first: HNSW built without them loses filtered hits silently."""
        types = q.PayloadSchemaType
        with self._lock:
            for name in schema.names():
                path, is_number = index_of(name, schema)
                type = types.Float if is_number else types.Keyword
                self._update(UpdateOperation.create_field_index(path, type))
            with vendor(self._folder):
                self.shard.optimize()
                self.shard.flush()
            self._spec = msgspec.structs.replace(self._spec, schema=schema, products=products)
            write_atomically(self._folder / "generation.json", msgspec.json.encode(self._spec))

    def close(self) -> None:
        with self._lock, vendor(self._folder):
            self.shard.close()

    def _update(self, operation: UpdateOperation, ids: Sequence[str] = ()) -> None:
        """Change the products ``ids``, or none."""
        try:
            with vendor(self._folder):
                self.shard.update(operation)
                self._unflushed += len(ids)
                if self._unflushed >= FLUSH_EVERY:
                    self.shard.flush()
                    self._unflushed = 0
        finally:  # a failed call may have changed some
            for cache in self._vectors.values():
                cache.drop(ids)

    def _point(self, number: PointId, point: Point) -> q.Point:
        vectors: dict[str, Any] = {"text": point.text.tolist()}
        if point.images.size:
            vectors["image"] = point.images.tolist()
        if sparse := document(point.bm25, self._spec):
            vectors["bm25"] = sparse
        return q.Point(number, vectors, to_payload(point))

    def _query(self, lane: LaneQuery) -> Any:
        """The vendor's query, or ``None`` for a text without words."""
        if lane.using in ("bm25", "codes"):
            sparse = question(lane, self._spec)
            return sparse and q.Query.Nearest(sparse, using="bm25")
        return q.Query.Nearest(check_query(lane.using, lane.vector, self._spec), using=lane.using)

    def _retrieve(self, ids: Sequence[str], **want: Any) -> list[tuple[str, Any]]:
        """Those that there are, by product."""
        points = self._docs.points(ids)
        if not points:
            return []
        with vendor(self._folder):
            records = self.shard.retrieve([*points], **want)
        named = ((self._docs.product(record.id), record) for record in records)
        return [(id, record) for id, record in named if id is not None]

    def _scroll(self, batch: int, payload: Any, vector: Any) -> Iterator[Any]:
        offset = None
        while True:
            request = q.ScrollRequest(
                offset=offset, limit=batch, with_payload=payload, with_vector=vector
            )
            with vendor(self._folder):
                records, offset = self.shard.scroll(request)
            yield from records
            if offset is None:
                return


def compile_filter(
    filter: Filter, points: Callable[[Iterable[str]], Iterable[PointId]]
) -> q.Filter | None:
    """Our AST in Qdrant Edge's words, ``points`` being those of products; ``None`` when it admits
    everything."""
    parts = _parts(filter.conditions)
    if filter.ids is not None:
        parts.must.append(q.HasIdCondition(set(points(filter.ids))))
    if filter.exclude_ids:
        parts.must_not.append(q.HasIdCondition(set(points(filter.exclude_ids))))
    parts.must_not += (_whole(_parts(group)) for group in filter.exclude)
    return _whole(parts) if parts else None


def _whole(parts: Parts) -> q.Filter:
    return q.Filter(
        must=parts.must or None, should=parts.should or None, must_not=parts.must_not or None
    )


def _parts(conditions: Sequence[Terms | Range]) -> Parts:
    return to_parts(conditions, _alternatives, lambda found: q.Filter(should=found))


def _alternatives(clause: Clause) -> list[Any]:
    found: list[Any] = []
    for path, words in clause.matches():
        match = q.MatchValue(words[0]) if len(words) == 1 else q.MatchAny(words)
        found.append(q.FieldCondition(path, match=match))
    for path, r in clause.ranges:
        bounds = q.RangeFloat(gt=r.gt, gte=r.gte, lt=r.lt, lte=r.lte)
        found.append(q.FieldCondition(path, range=bounds))
    if clause.absent:
        found.append(q.IsEmptyCondition(clause.absent))
    return found or [q.HasIdCondition(set())]
