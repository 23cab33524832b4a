"""Seeded products, points and filters for store tests, and what a brute force answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from engine.filters import Condition, Filter, Range, Terms, matches
from engine.protocols import FieldText, GenerationSpec, Point, Scored, Vectors
from engine.schema import FieldKind, IndexSchema, field_values
from engine.types import EncoderInfo, FacetValue, Product, Translation

TEXT_DIM = 16
IMAGE_DIM = 24
"""Unlike, so that a store that mixes the two up is noticed."""

COLORS = ("red", "deep green", "café crème", "", "赤")
SCHEMA = IndexSchema(
    {
        "color": FieldKind.KEYWORD,
        "plant type": FieldKind.KEYWORD,
        "sole.height": FieldKind.NUMBER,
        'odd "[0]" \\ %22 name': FieldKind.KEYWORD,
        "on sale": FieldKind.BOOLEAN,
    },
    prices=("EUR", "GBP", "new york/USD"),
    stock=("new york",),
)
"""Attribute names as catalogues really have them: spaces, dots, quotes, brackets; and the fields
of prices in several currencies and of one market's stock."""

WORDS = ("running", "leather", "shoe", "lamp", "sofa", "orchid", "purse", "wooden", "blue", "mug")


def make_encoder(dim: int) -> EncoderInfo:
    return EncoderInfo(f"test-{dim}", "1", dim, ("text", "image"), f"fingerprint-{dim}")


def make_spec(
    text_dim: int = TEXT_DIM, image_dim: int = IMAGE_DIM, locale: str = "en", products: int = 0
) -> GenerationSpec:
    """``products`` is how many are expected, as an indexer knows it."""
    return GenerationSpec(
        SCHEMA,
        make_encoder(text_dim),
        make_encoder(image_dim),
        "photos",
        bm25_locale=locale,
        products=products,
    )


def unit_rows(rng: np.random.Generator, n: int, dim: int, clusters: int = 0) -> Vectors:
    """Unit float32 rows ``[n, dim]``, around ``clusters`` centres as embeddings are."""
    rows = rng.standard_normal((n, dim))
    if clusters:
        rows = rng.standard_normal((clusters, dim))[rng.integers(0, clusters, n)] + 0.7 * rows
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def make_product(i: int, rng: np.random.Generator) -> Product:
    """Some fields are missing, some attributes hold lists, none is the same in all."""
    colors = [c for c in COLORS if c]
    listed = sorted({str(c) for c in rng.choice(colors, 2)})
    attributes: dict[str, Any] = {
        "color": [None, colors[i % len(colors)], listed][int(rng.integers(3))],
        "plant type": f"type {i % 7}" if i % 3 else None,
        "sole.height": float(rng.integers(-3, 4)) / 2 if i % 4 else None,
        'odd "[0]" \\ %22 name': f"value {i % 5}",
        "on sale": bool(i % 2) if i % 5 else None,
    }
    return Product(
        id=f"sku/{i:05d}",
        title=f"{' '.join(rng.choice(WORDS, 3))} {i}",
        description="Größe 42 \N{EM DASH} 防水 🙂" if i % 2 else "",
        category=("Home", f"Aisle {i % 6}") if i % 6 else (),
        brand=f"Brand {i % 9}" if i % 9 else "",
        price=float(i % 50) + 0.1 if i % 10 else None,
        currency="EUR",
        attributes={name: value for name, value in attributes.items() if value is not None},
        images=tuple(f"{i}-{k}.jpg" for k in range(i % 3)),
        translations={"es": Translation("zapato")} if i % 8 == 0 else {},
        in_stock=bool(i % 4),
        prices={"GBP": float(i % 40), "new york/USD": float(i % 3)} if i % 3 else {},
        stock={"new york": bool(i % 2)} if i % 5 else {},
        updated_at="2026-01-02T03:04:05+00:00",
    )


def make_point(
    product: Product, text: Vectors, images: Vectors | None = None, bm25: str | None = None
) -> Point:
    rows = images if images is not None else np.zeros((0, IMAGE_DIM), np.float32)
    words = (FieldText("title", product.title if bm25 is None else bm25),)
    return Point(product, text, rows, words, field_values(product, SCHEMA))


def make_points(n: int, seed: int = 0, start: int = 0) -> list[Point]:
    """``n`` products with random unit vectors; none, one or two photos each."""
    rng = np.random.default_rng(seed)
    texts, photos = unit_rows(rng, n, TEXT_DIM), unit_rows(rng, 2 * n, IMAGE_DIM)
    points = []
    for i in range(n):
        product = make_product(start + i, rng)
        points.append(make_point(product, texts[i], photos[2 * i :][: len(product.images)]))
    return points


def filters(points: Sequence[Point]) -> st.SearchStrategy[Filter]:
    """Any conjunction over the declared fields, with values that occur and some that do not, less
    what some of them hold for."""
    held: dict[str, set[Any]] = {name: set() for name in SCHEMA.names()}
    for point in points:
        for name, value in point.fields.items():
            held[name].update(value if isinstance(value, list) else [value])
    absent: dict[FieldKind, Any] = {
        FieldKind.KEYWORD: "nowhere",
        FieldKind.NUMBER: 1e9,
        FieldKind.BOOLEAN: True,
    }
    pools: dict[str, list[Any]] = {
        name: sorted(values | {absent[SCHEMA.kind(name) or FieldKind.KEYWORD]})
        for name, values in held.items()
    }
    terms = st.sampled_from(sorted(pools)).flatmap(
        lambda name: st.builds(
            Terms,
            st.just(name),
            st.lists(st.none() | st.sampled_from(pools[name]), min_size=1, max_size=12).map(tuple),
            st.booleans(),
        )
    )
    numbers = [name for name in SCHEMA.names() if SCHEMA.kind(name) is FieldKind.NUMBER]
    ranges = st.sampled_from(numbers).flatmap(lambda name: _range(name, pools[name]))
    conditions: st.SearchStrategy[Condition] = st.one_of(terms, ranges)
    ids = st.sampled_from([p.product.id for p in points] + ["unknown"])
    return st.builds(
        Filter,
        st.lists(conditions, max_size=3).map(tuple),
        st.lists(ids, max_size=3).map(tuple),
        st.lists(st.lists(conditions, min_size=1, max_size=2).map(tuple), max_size=2).map(tuple),
        st.none() | st.lists(ids, max_size=20).map(tuple),
    )


def _range(name: str, pool: list[float]) -> st.SearchStrategy[Range]:
    bound = st.none() | st.sampled_from(pool) | st.floats(-100, 100)
    return st.builds(Range, st.just(name), bound, bound, bound, bound)


def matching(points: Sequence[Point], filter: Filter) -> list[Point]:
    return [p for p in points if matches(filter, p.product.id, p.fields)]


def exact_search(
    points: Sequence[Point], using: str, vector: Vectors, filter: Filter, limit: int
) -> list[Scored]:
    """The true nearest: dot product, of the best photo where there are several."""
    found = []
    for point in matching(points, filter):
        rows = point.text[None] if using == "text" else point.images
        if rows.size:
            found.append((-float((rows @ vector).max()), point.product.id))
    return [Scored(id, -negative) for negative, id in sorted(found)[:limit]]


def count_values(points: Sequence[Point], field: str, filter: Filter) -> list[FacetValue]:
    counts: Counter[Any] = Counter()
    for point in matching(points, filter):
        value = point.fields.get(field)
        if value is not None:
            counts.update(set(value) if isinstance(value, list) else [value])
    return [
        FacetValue(value, n) for value, n in sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    ]


def sorted_ids(points: Sequence[Point], field: str, order: str) -> list[str]:
    """Missing values last, ties by id, lists item by item."""

    def key(point: Point) -> Any:
        value = point.fields[field]
        return value if isinstance(value, list) else [value]

    by_id = sorted(points, key=lambda p: p.product.id)
    present = [p for p in by_id if field in p.fields]
    present.sort(key=key, reverse=order == "desc")
    return [p.product.id for p in present + [p for p in by_id if field not in p.fields]]
