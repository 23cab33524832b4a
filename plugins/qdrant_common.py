"""What the embedded and the server store share: ids, payload layout, filters.

A point is the same in both but for its id (the embedded store also reads points with a server's):

======== ==========================================================================
id       on a server UUIDv5 of the product id (:func:`point_id`); embedded a number, for Python
         makes an object of every id that is found (measured: 0.5 ms of a search, UUIDs 0.9)
payload  ``{"id": product id, "product": the whole product, "f": {field: value},
         "b": {field: "true" or "false"}}``, "b" for flags only
text     dense vector, dot product (cosine, for rows are unit vectors)
image    multivector, one row per photo, scored by the best one; absent without photos
bm25     sparse vector of words and identifiers (:mod:`plugins.qdrant_bm25`), IDF applied by
         the store
======== ==========================================================================

Flags are searched as keywords because Qdrant's index of booleans is slow: of 18,000 points,
half of them true, a filtered top-20 takes 22 ms by it and 0.5 ms by keyword.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID, uuid5

import msgspec
import numpy as np
from msgspec import Struct

from engine.errors import IndexMismatch, InvalidRequest, StoreError
from engine.filters import Range, Terms
from engine.protocols import GenerationSpec, Point, Scored, Vectors
from engine.schema import FieldKind, IndexSchema
from engine.types import Product

NAMESPACE = UUID("1dd36043-1b07-5f41-9a49-64fbbdc3e427")
"""``uuid5(NAMESPACE_DNS, "entrepot")``, of all point ids; changing it orphans every index."""

EXACT_BELOW_KB = 20_000
"""Below this many KiB of vectors (about 40,000 of 256 dimensions at float16) a lane is searched
exactly: measured at 20,000 x 256, a scan to depth 1,000 takes 1.5 ms and HNSW 2.3 ms."""
HNSW_M = 24
HNSW_EF_CONSTRUCT = 128
HNSW_EF = 256
"""Searches also enable ACORN, which matters to filters alone: with two conditions that each
have an index, plain HNSW reached recall@10 of 0.90, ACORN 1.00."""
EACH_ALONE = 8
"""Of so many wanted values a filter matches each by itself: at 18,318 products a search takes 0.2
ms of processor time longer for two to five such matches, 0.6 ms for one match of any of them."""
OVERSAMPLING = 2.0
"""Of int8 candidates that are scored again with the full vectors."""

_NAME = re.compile(r"[A-Za-z0-9_](?:-?[A-Za-z0-9._])*")

T = TypeVar("T")


def point_id(product_id: str) -> UUID:
    """The store's id of a product."""
    return uuid5(NAMESPACE, product_id)


def field_key(name: str) -> str:
    """A field's key in the payload; the three characters no JSON path can hold are escaped."""
    return name.replace("%", "%25").replace('"', "%22").replace("\\", "%5C")


def field_path(name: str) -> str:
    """The JSON path of a declared field, quoted, for names may hold spaces and dots."""
    return f'f."{field_key(name)}"'


def flag_path(name: str) -> str:
    """The JSON path of a flag's keyword twin."""
    return f'b."{field_key(name)}"'


def index_of(name: str, schema: IndexSchema) -> tuple[str, bool]:
    """The path to index so that filters on the field are fast, and whether it holds numbers
    (else keywords)."""
    kind = schema.kind(name)
    path = flag_path(name) if kind is FieldKind.BOOLEAN else field_path(name)
    return path, kind is FieldKind.NUMBER


def to_payload(point: Point) -> dict[str, Any]:
    fields = {field_key(name): value for name, value in point.fields.items()}
    return {
        "id": point.product.id,
        "product": msgspec.to_builtins(point.product),
        "f": fields,
        "b": {key: str(v).lower() for key, v in fields.items() if isinstance(v, bool)},
    }


def to_product(payload: Mapping[str, Any]) -> Product:
    return msgspec.convert(payload["product"], Product)


def to_fields(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The declared fields of a payload under their own names."""
    return {_unescape(key): value for key, value in payload["f"].items()}


def _unescape(key: str) -> str:
    if "%" not in key:
        return key
    return key.replace("%5C", "\\").replace("%22", '"').replace("%25", "%")


def check_name(name: str, *, what: str) -> str:
    """A shop or generation name that is safe as a folder and in a collection's name."""
    if len(name) > 100 or not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{what}: {name!r} must be letters, digits, '_', '.' and single '-', at most 100",
            field=what,
        )
    return name


def check_points(points: Iterable[Point], spec: GenerationSpec) -> None:
    """Refuse vectors that are not what the generation's encoders make.

    Raises:
        IndexMismatch: another dimension than the generation's.
        StoreError: NaN or infinity in a vector.
    """
    for point in points:
        _check_rows(point, "text", point.text[None, :], spec.text_encoder.dim)
        if point.images.size:
            _check_rows(point, "image", point.images, spec.image_encoder.dim)


def _check_rows(point: Point, using: str, rows: Vectors, dim: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise IndexMismatch(
            f"product {point.product.id!r}: its {using} vectors have shape {rows.shape}, this "
            f"index holds {dim} dimensions; index again with the encoder that serves"
        )
    if not np.isfinite(rows).all():
        raise StoreError(f"product {point.product.id!r}: its {using} vector is not finite")


def check_query(using: str, vector: Vectors | None, spec: GenerationSpec) -> list[float]:
    """A dense lane's query as the vendors take it."""
    dim = (spec.text_encoder if using == "text" else spec.image_encoder).dim
    if vector is None or vector.shape != (dim,):
        shape = None if vector is None else vector.shape
        raise IndexMismatch(
            f"the {using} lane's query has shape {shape}, this index holds {dim} dimensions; "
            "serve with the encoder that indexed"
        )
    values: list[float] = vector.tolist()
    return values


def to_rows(vector: Any, dim: int) -> Vectors:
    """A vendor's vector or multivector as float32 rows ``[n, dim]``."""
    return np.asarray(vector or [], dtype=np.float32).reshape(-1, dim)


class Clause(Struct, frozen=True):
    """One condition in words both vendors have: any alternative holds or, negated, none.
    ``absent`` is the path that may be empty, if one may."""

    negate: bool
    keywords: dict[str, list[str]]
    ranges: list[tuple[str, Range]]
    absent: str = ""

    def matches(self) -> list[tuple[str, list[str]]]:
        """Its keywords, those together that one match is to look for: of few that are wanted each
        by itself."""
        alone = 1 if self.negate else EACH_ALONE
        return [
            (path, group)
            for path, words in self.keywords.items()
            for group in ([[word] for word in words] if len(words) <= alone else [words])
        ]


class Parts(Struct):
    """A filter in words both vendors have: all of ``must`` hold, one of ``should`` unless it is
    empty, and none of ``must_not``."""

    must: list[Any]
    should: list[Any]
    must_not: list[Any]

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.must or self.should or self.must_not)


def to_parts(
    conditions: Sequence[Terms | Range],
    alternatives: Callable[[Clause], list[Any]],
    any_of: Callable[[list[Any]], Any],
) -> Parts:
    """Conditions as flat as can be, for a filter within a filter makes a search 0.4 ms longer (at
    18,318 products). ``alternatives`` puts a clause in the vendor's words, and ``any_of`` nests
    them."""
    parts = Parts([], [], [])
    for condition in conditions:
        clause = _clause(condition)
        found = alternatives(clause)
        if clause.negate:
            parts.must_not += found
        elif len(found) == 1:
            parts.must += found
        elif not parts.should:
            parts.should = found
        else:
            parts.must.append(any_of(found))
    return parts


def _clause(condition: Terms | Range) -> Clause:
    """Keywords wanted per path, and ranges (the only way to match a float)."""
    path = field_path(condition.field)
    if isinstance(condition, Range):
        return Clause(negate=False, keywords={}, ranges=[(path, condition)])
    keywords: dict[str, list[str]] = {}
    ranges = []
    absent = ""
    for value in condition.values:
        if value is None:
            absent = path
        elif isinstance(value, str):
            keywords.setdefault(path, []).append(value)
        elif isinstance(value, bool):
            keywords.setdefault(flag_path(condition.field), []).append(str(value).lower())
        else:
            ranges.append((path, Range(condition.field, gte=value, lte=value)))
    return Clause(condition.negate, keywords, ranges, absent)


def to_point(payload: Any, vectors: Any, spec: GenerationSpec) -> Point:
    """A stored point with its vectors; ``bm25`` is not kept and comes back empty."""
    return Point(
        product=to_product(payload),
        text=to_rows(vectors["text"], spec.text_encoder.dim)[0],
        images=to_rows(vectors.get("image"), spec.image_encoder.dim),
        bm25=(),
        fields=to_fields(payload),
    )


def ranked(rows: list[tuple[float, str]], min_score: float | None) -> list[Scored]:
    """From (negated score, id): best first, equal scores by id, none below ``min_score``."""
    rows.sort()
    if min_score is None:
        return [Scored(id, -negative) for negative, id in rows]
    return [Scored(id, -negative) for negative, id in rows if -negative >= min_score]


def threshold(min_score: float | None) -> float | None:
    """A vendor threshold (exclusive, float32) that keeps every score ≥ ``min_score``."""
    if min_score is None:
        return None
    return float(np.nextafter(np.float32(min_score), np.float32(-np.inf)))


def sort_ids(ids: list[str], values: Mapping[str, Any], order: str) -> list[str]:
    """``ids`` ordered by their values: missing last, ties by id, lists item by item."""
    ids.sort()
    missing = [id for id in ids if values[id] is None]
    present = [id for id in ids if values[id] is not None]
    if any(isinstance(values[id], list) for id in present):
        values = {id: v if isinstance(v, list) else [v] for id, v in values.items()}
    present.sort(key=values.__getitem__, reverse=order == "desc")
    return present + missing


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    return (items[i : i + size] for i in range(0, len(items), size))
