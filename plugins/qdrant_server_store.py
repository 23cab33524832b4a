"""One generation on a Qdrant server. Everything is asked of the server, so that several
processes and machines may serve one collection."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from engine.errors import StoreError
from engine.filters import Filter, Range, Terms
from engine.protocols import GenerationSpec, LaneQuery, Point, Scored, Vectors
from engine.schema import FieldKind, IndexSchema
from engine.types import FacetValue, Product, SortBy

from .qdrant_bm25 import document, question
from .qdrant_common import (
    HNSW_EF,
    OVERSAMPLING,
    Clause,
    Parts,
    check_points,
    check_query,
    chunks,
    field_path,
    flag_path,
    index_of,
    point_id,
    ranked,
    sort_ids,
    threshold,
    to_fields,
    to_parts,
    to_payload,
    to_point,
    to_product,
    to_rows,
)
from .qdrant_transport import Transport

SPEC = "entrepot_spec"
BUILT = "entrepot_built"

UPSERT_CHUNK = 64
"""Points per request: the server refuses bodies over 32 MiB, descriptions may be long."""
SCROLL_CHUNK = 1000
POLL_S = 0.5


class ServerStore:
    """``m`` is ``qdrant_client.models``; ``indexed`` is false for the client's local mode,
    which has no payload indexes."""

    def __init__(
        self,
        transport: Transport,
        m: Any,
        collection: str,
        spec: GenerationSpec,
        *,
        exact_below_kb: int,
        quantized: bool,
        indexed: bool,
    ) -> None:
        self._transport = transport
        self._m = m
        self._collection = collection
        self._spec = spec
        self._exact_below_kb = exact_below_kb
        self._indexed = indexed
        again = m.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING)
        params = m.SearchParams(
            hnsw_ef=HNSW_EF,
            acorn=m.AcornSearchParams(enable=True),
            quantization=again if quantized else None,
        )
        self._params = params if indexed else None

    @property
    def spec(self) -> GenerationSpec:
        return self._spec

    def upsert(self, points: Sequence[Point]) -> None:
        check_points(points, self._spec)
        for chunk in chunks(points, UPSERT_CHUNK):
            self._call("upsert", points=[self._point(point) for point in chunk], wait=True)

    def delete(self, ids: Sequence[str]) -> None:
        for chunk in chunks(ids, SCROLL_CHUNK):
            gone = self._m.PointIdsList(points=_point_ids(chunk))
            self._call("delete", points_selector=gone, wait=True)

    def search_batch(
        self, lanes: Sequence[LaneQuery], filter: Filter, limit: int
    ) -> list[list[Scored]]:
        compiled = self._filter(filter)
        asked = [(lane, query) for lane in lanes if (query := self._query(lane)) is not None]
        if not asked or limit < 1:
            return [[] for _ in lanes]
        requests = [
            self._m.QueryRequest(
                query=self._m.NearestQuery(nearest=query),
                using="bm25" if lane.using == "codes" else lane.using,
                filter=compiled,
                limit=limit,
                score_threshold=threshold(lane.min_score),
                params=self._params,
                with_payload=["id"],
            )
            for lane, query in asked
        ]
        answers = self._call("query_batch_points", requests=requests)
        found = {id(lane): answer.points for (lane, _), answer in zip(asked, answers, strict=True)}
        return [
            ranked([(-p.score, p.payload["id"]) for p in found.get(id(lane), [])], lane.min_score)
            for lane in lanes
        ]

    def facet(self, field: str, filter: Filter, limit: int) -> list[FacetValue]:
        kind = self._spec.schema.kind(field)
        if kind is FieldKind.NUMBER or limit < 1:
            return []
        is_flag = kind is FieldKind.BOOLEAN
        hits = self._facet(flag_path(field) if is_flag else field_path(field), filter, limit)
        values = [FacetValue(v == "true" if is_flag else v, count) for v, count in hits]
        return sorted(values, key=lambda value: (-value.count, value.value))

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        payloads = {
            record.payload["id"]: record.payload
            for record in self._retrieve(ids, with_payload=["id", "f", "product.title"])
        }
        rows = {
            id: {"title": payload["product"]["title"], **to_fields(payload)}
            for id, payload in payloads.items()
        }
        return {field: [rows.get(id, {}).get(field) for id in ids] for field in fields}

    def vectors(self, ids: Sequence[str], using: Literal["text", "image"]) -> list[Vectors]:
        dim = (self._spec.text_encoder if using == "text" else self._spec.image_encoder).dim
        records = self._retrieve(ids, with_payload=["id"], with_vectors=[using])
        found = {r.payload["id"]: to_rows((r.vector or {}).get(using), dim) for r in records}
        return [found.get(id, to_rows(None, dim)) for id in ids]

    def get(self, ids: Sequence[str]) -> list[Product | None]:
        records = self._retrieve(ids, with_payload=["id", "product"])
        found = {record.payload["id"]: to_product(record.payload) for record in records}
        return [found.get(id) for id in ids]

    def scroll(
        self, filter: Filter, limit: int, offset: int = 0, sort: SortBy | None = None
    ) -> list[str]:
        """In id order and by numbers from the server's indexes; by keywords and flags after
        reading that field of every match."""
        end = offset + limit
        if limit < 1:
            return []
        if sort is None:
            return self._first_ids(filter, end)[offset:]
        if self._spec.schema.kind(sort.field) is FieldKind.NUMBER:
            return self._by_number(filter, end, sort)[offset:end]
        values = {
            record.payload["id"]: to_fields(record.payload).get(sort.field)
            for record in self._scroll(SCROLL_CHUNK, ["id", "f"], False, self._filter(filter))
        }
        return sort_ids(list(values), values, sort.order)[offset:end]

    def iterate(self, batch: int = 256) -> Iterable[list[Point]]:
        points: list[Point] = []
        for record in self._scroll(batch, True, ["text", "image"], None):
            points.append(to_point(record.payload, record.vector, self._spec))
            if len(points) == batch:
                yield points
                points = []
        if points:
            yield points

    def count(self, filter: Filter) -> int:
        found = self._call("count", count_filter=self._filter(filter), exact=True)
        return int(found.count)

    def build(self, schema: IndexSchema, products: int) -> None:
        """Payload indexes, then HNSW (held back until now by a threshold of zero)."""
        m = self._m
        if self._indexed:
            self._index("id", m.PayloadSchemaType.KEYWORD)
            for name in schema.names():
                path, is_number = index_of(name, schema)
                kinds = m.PayloadSchemaType
                self._index(path, kinds.FLOAT if is_number else kinds.KEYWORD)
        enough = m.OptimizersConfigDiff(indexing_threshold=self._exact_below_kb)
        self._call("update_collection", optimizers_config=enough)
        self._wait_for_optimizers()
        self._spec = msgspec.structs.replace(self._spec, schema=schema, products=products)
        spec = msgspec.json.encode(self._spec).decode()
        self._call("update_collection", metadata={SPEC: spec, BUILT: True})

    def close(self) -> None:
        """The connection belongs to the shop's stores."""

    def _call(self, method: str, **options: Any) -> Any:
        return self._transport.call(method, self._collection, **options)

    def _index(self, path: str, kind: Any) -> None:
        self._call("create_payload_index", field_name=path, field_schema=kind, wait=True)

    def _wait_for_optimizers(self) -> None:
        """Until two looks in a row find the server idle: it starts a moment after being told.
        Should it start later still, searches are exact until it ends."""
        idle = 0
        while idle < 2:
            info = self._call("get_collection")
            if info.status == "red":
                raise StoreError(f"{self._collection}: optimizing failed: {info.optimizer_status}")
            idle = idle + 1 if info.status != "yellow" else 0
            if self._indexed:
                time.sleep(POLL_S)

    def _point(self, point: Point) -> Any:
        vectors: dict[str, Any] = {"text": point.text.tolist()}
        if point.images.size:
            vectors["image"] = point.images.tolist()
        if sparse := document(point.bm25, self._spec):
            vectors["bm25"] = self._sparse(sparse)
        id = str(point_id(point.product.id))
        return self._m.PointStruct(id=id, vector=vectors, payload=to_payload(point))

    def _query(self, lane: LaneQuery) -> Any:
        """The vendor's query vector, or ``None`` for a text without words."""
        if lane.using in ("bm25", "codes"):
            sparse = question(lane, self._spec)
            return sparse and self._sparse(sparse)
        values = check_query(lane.using, lane.vector, self._spec)
        return [values] if lane.using == "image" else values

    def _sparse(self, vector: Any) -> Any:
        return self._m.SparseVector(indices=vector.indices, values=vector.values)

    def _retrieve(self, ids: Sequence[str], **want: Any) -> Iterator[Any]:
        for chunk in chunks(ids, SCROLL_CHUNK):
            yield from self._call("retrieve", ids=_point_ids(chunk), **want)

    def _scroll(self, batch: int, payload: Any, vectors: Any, filter: Any) -> Iterator[Any]:
        offset = None
        while True:
            records, offset = self._call(
                "scroll",
                scroll_filter=filter,
                limit=batch,
                offset=offset,
                with_payload=payload,
                with_vectors=vectors,
            )
            yield from records
            if offset is None:
                return

    def _first_ids(self, filter: Filter, limit: int, *extra: Any) -> list[str]:
        """The smallest ids: each counts once, and a facet breaks ties by value."""
        return [id for id, _ in self._facet("id", filter, limit, *extra)]

    def _facet(self, path: str, filter: Filter, limit: int, *extra: Any) -> list[tuple[Any, int]]:
        compiled = self._filter(filter, *extra)
        found = self._call("facet", key=path, facet_filter=compiled, limit=limit, exact=True)
        return [(hit.value, hit.count) for hit in found.hits]

    def _by_number(self, filter: Filter, limit: int, sort: SortBy) -> list[str]:
        """The first ``limit`` by a number. The server breaks ties its own way, so those at the
        cut are asked for again in id order; so are products without the number, at the end."""
        path = field_path(sort.field)
        order = self._m.OrderBy(key=path, direction=sort.order)
        records, _ = self._call(
            "scroll",
            scroll_filter=self._filter(filter),
            limit=limit,
            order_by=order,
            with_payload=["id"],
        )
        values = {record.payload["id"]: record.order_value for record in records}
        if len(records) < limit:
            empty = self._m.IsEmptyCondition(is_empty=self._m.PayloadField(key=path))
            rest = self._first_ids(filter, limit - len(records), empty)
            return sort_ids(list(values), values, sort.order) + rest
        last = records[-1].order_value
        before = sort_ids([id for id, v in values.items() if v != last], values, sort.order)
        at = Range(sort.field, gte=last, lte=last)
        ties = msgspec.structs.replace(filter, conditions=(*filter.conditions, at))
        return before + self._first_ids(ties, limit - len(before))

    def _filter(self, filter: Filter, *extra: Any) -> Any:
        """Our AST, and further conditions, in the client's words; ``None`` admits everything."""
        parts = self._parts(filter.conditions)
        parts.must += extra
        if filter.ids is not None:
            parts.must.append(self._m.HasIdCondition(has_id=_point_ids(filter.ids)))
        if filter.exclude_ids:
            excluded = _point_ids(filter.exclude_ids)
            parts.must_not.append(self._m.HasIdCondition(has_id=excluded))
        parts.must_not += (self._whole(self._parts(group)) for group in filter.exclude)
        return self._whole(parts) if parts else None

    def _whole(self, parts: Parts) -> Any:
        return self._m.Filter(
            must=parts.must or None, should=parts.should or None, must_not=parts.must_not or None
        )

    def _parts(self, conditions: Sequence[Terms | Range]) -> Parts:
        return to_parts(conditions, self._alternatives, lambda found: self._m.Filter(should=found))

    def _alternatives(self, clause: Clause) -> list[Any]:
        m = self._m
        found: list[Any] = []
        for path, words in clause.matches():
            match = m.MatchValue(value=words[0]) if len(words) == 1 else m.MatchAny(any=words)
            found.append(m.FieldCondition(key=path, match=match))
        for path, r in clause.ranges:
            bounds = m.Range(gt=r.gt, gte=r.gte, lt=r.lt, lte=r.lte)
            found.append(m.FieldCondition(key=path, range=bounds))
        if clause.absent:
            found.append(m.IsEmptyCondition(is_empty=m.PayloadField(key=clause.absent)))
        return found or [m.HasIdCondition(has_id=[])]


def _point_ids(ids: Sequence[str]) -> list[str]:
    return [str(point_id(id)) for id in ids]
