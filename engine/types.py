"""The core types that every layer speaks: products, requests, plans, answers.

All are frozen. Structs that cross HTTP or disk are :mod:`msgspec` structs, so decoding
validates; a product id is the catalogue's own everywhere, never a store's point id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field
from PIL.Image import Image

from .plan import QueryPlan

AttributeValue = str | float | bool | list[str]
"""A filterable attribute: keyword, number, flag or list of keywords."""

ProductId = Annotated[str, Meta(min_length=1, max_length=256)]
Locale = Annotated[str, Meta(min_length=2, max_length=35)]
ImageWeight = Annotated[float, Meta(ge=0.0, le=1.0)]
Amount = Annotated[float, Meta(ge=0)]
Market = Annotated[str, Meta(min_length=1, max_length=64, pattern="^[^/]+$")]
PriceKey = Annotated[str, Meta(max_length=68, pattern="^([^/]+/)?[A-Z]{3}$")]

MAX_WINDOW = 1000
"""The bound on ``offset + limit``, and on how deep a lane can be read."""
MAX_QUERY_CHARS = 2000


class Translation(Struct, frozen=True, omit_defaults=True):
    """A product's texts in one more locale; ``machine`` names those that a translator wrote."""

    title: str = ""
    description: str = ""
    machine: tuple[Literal["title", "description"], ...] = ()


class Product(Struct, frozen=True, omit_defaults=True):
    """One sellable thing, validated.

    ``category`` is the path from the root; ``price`` is in ``currency`` (ISO 4217, empty
    when the catalogue names none); ``prices`` are those in other currencies and for single markets
    ("GBP", "at/EUR": :mod:`engine.prices`), ``stock`` says in which markets it can be had where
    that is not ``in_stock``; ``images`` are paths relative to the catalogue's folder
    or, where URL fetching is on, URLs; ``group_id`` joins the variants of one family;
    ``updated_at`` is ISO 8601, indexed as seconds since the epoch. Unknown catalogue columns land
    in ``attributes``.
    """

    id: ProductId
    title: Annotated[str, Meta(min_length=1, max_length=1000)]
    description: Annotated[str, Meta(max_length=200_000)] = ""
    category: tuple[str, ...] = ()
    brand: str = ""
    price: Amount | None = None
    currency: str = ""
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    locale: Locale = "en"
    translations: dict[str, Translation] = field(default_factory=dict)
    group_id: str = ""
    in_stock: bool = True
    updated_at: str = ""
    prices: dict[PriceKey, Amount] = field(default_factory=dict)
    stock: dict[Market, bool] = field(default_factory=dict)


class Query(Struct, frozen=True):
    """What the shopper gave: words, a photo, products to be like; any mix, at least one.

    ``image_weight`` weighs photo and ``like`` lanes (1.0) against the words' lanes (0.0);
    it matters only where both are present.
    """

    text: str | None = None
    image: Image | None = None
    like: tuple[str, ...] = ()
    image_weight: ImageWeight = 0.5


class SortBy(Struct, frozen=True):
    """Order by one declared field instead of relevance; missing values come last."""

    field: str
    order: Literal["asc", "desc"] = "asc"


class SearchRequest(Struct, frozen=True):
    """One search. ``query=None`` browses everything that ``filters`` admit.

    ``filters`` maps a declared field to a value, a list of values (any of; ``None``: the field is
    absent), a range ``{"gte", "gt", "lte", "lt"}`` or ``{"not": value or list}``.
    ``ignore`` takes back readings of the words (:attr:`engine.plan.Span.key`, "color:navy").
    ``fields`` selects product fields in the answer (``None``: all). ``rerank_window`` is how many
    fused candidates the rankers see, whatever ``limit`` and ``offset`` are, so that pages are
    stable. ``facets`` are declared fields, or "*" for those that are most useful here.
    ``group_by`` is a keyword field whose values show once each, by the best product that has it
    ("": none; ``None``: as the profile says).
    """

    query: Query | None = None
    filters: Mapping[str, Any] = field(default_factory=dict)
    facets: tuple[str, ...] = ()
    sort: SortBy | None = None
    limit: int = 20
    offset: int = 0
    locale: str | None = None
    market: str | None = None
    currency: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    profile: str = "default"
    fields: tuple[str, ...] | None = None
    highlight: bool = False
    explain: bool = False
    rerank_window: int | None = None
    ignore: tuple[str, ...] = ()
    group_by: str | None = None


class LaneHit(Struct, frozen=True, gc=False):
    """Where one lane put a product: rank from 1, the store's raw score."""

    rank: int
    score: float


class Move(Struct, frozen=True, gc=False):
    """Where an arranger put a product: places in the window, from 1."""

    before: int
    after: int


Reasons = dict[str, float | str]
"""Cause → what it brought to a product's score, or words."""


class Candidate(Struct):
    """One product on its way from retrieval to the answer; the only mutable core type.

    ``lanes`` holds the lanes that found it, ``fused`` the fusion score, ``deltas`` what each
    ranker added to it; ``score`` is their sum and decides the order. ``moves`` are the places
    (from 1) that each arranger took it from and to; ``reasons`` are filled in only where a
    request asks for an explanation.
    """

    id: str
    lanes: dict[str, LaneHit]
    fused: float
    deltas: dict[str, float] = field(default_factory=dict)
    moves: dict[str, Move] = field(default_factory=dict)
    reasons: dict[str, Reasons] = field(default_factory=dict)

    @property
    def score(self) -> float:
        return self.fused + sum(self.deltas.values())


class LaneContribution(Struct, frozen=True):
    """One lane's part of a fused score: ``weight · normalized``, where ``normalized`` is what its
    raw ``score`` or its ``rank`` counts among the lane's hits (:mod:`engine.fusion`)."""

    rank: int
    score: float
    normalized: float
    weight: float
    contribution: float


class Explanation(Struct, frozen=True):
    """Why a hit stands where it stands: lanes sum to ``fused``; ``fused`` + deltas = score.

    ``arrangers`` says which of them moved it; ``reasons`` holds what a ranker or arranger of that
    name gave as causes of its own.
    """

    lanes: dict[str, LaneContribution]
    fused: float
    rankers: dict[str, float]
    score: float
    arrangers: dict[str, Move] = field(default_factory=dict)
    reasons: dict[str, Reasons] = field(default_factory=dict)


class Variants(Struct, frozen=True):
    """What a hit stands for where results are grouped: how many other products of its family are
    in the result, and the ids of the first of them."""

    count: int
    ids: tuple[str, ...]


class Hit(Struct, frozen=True, omit_defaults=True):
    """One result. ``product`` holds the selected fields; ``highlights`` maps a text field to
    HTML-escaped text with the matching words in ``<mark>``; ``relevance`` is how probable it is
    that this is what was asked for, where that is known (:mod:`engine.relevance`); ``arm`` which
    of two interleaved profiles it counts for."""

    id: str
    score: float
    product: dict[str, Any]
    highlights: dict[str, str] | None = None
    explain: Explanation | None = None
    variants: Variants | None = None
    relevance: float | None = None
    arm: str = ""


class FacetValue(Struct, frozen=True, omit_defaults=True):
    """How many results carry this value; ``label`` is its name in the shopper's language."""

    value: str | bool
    count: int
    label: str = ""


class FacetResult(Struct, frozen=True, omit_defaults=True):
    """Value counts of a keyword or boolean field, or the range of a number field; ``label`` is
    the field's name in the shopper's language."""

    values: tuple[FacetValue, ...] = ()
    min: float | None = None
    max: float | None = None
    label: str = ""


class Degraded(Struct, frozen=True):
    """A component that failed; the search went on without it."""

    component: str
    reason: str


class SearchResponse(Struct, frozen=True):
    """The answer. ``total`` counts the result set: the union of the lanes down to
    ``search.depth`` after their cut-offs (browsing: every match), or its families where it is
    grouped. ``timings`` are milliseconds per stage and sum to about ``took_ms``. ``without`` is
    for an empty result: filtered field → how many products there are without its filter.
    ``relevance`` is that of the best found, whatever the page and the order: below 0.5, say that
    nothing good was found.
    Events about an answer or hit with an ``arm`` carry it as their ``variant``."""

    hits: tuple[Hit, ...]
    facets: dict[str, FacetResult]
    total: int
    took_ms: float
    timings: dict[str, float]
    plan: QueryPlan
    degraded: tuple[Degraded, ...] = ()
    warnings: tuple[str, ...] = ()
    generation: str = ""
    without: dict[str, int] = field(default_factory=dict)
    relevance: float | None = None
    arm: str = ""

    def after(self, waited_ms: float) -> SearchResponse:
        """The answer of a search that waited for its turn so many milliseconds."""
        timings = {"wait": waited_ms, **self.timings}
        return msgspec.structs.replace(self, took_ms=self.took_ms + waited_ms, timings=timings)


class EncoderInfo(Struct, frozen=True):
    """What an encoder is; two encoders with one fingerprint give one embedding.

    ``fingerprint`` hashes weights, tokenizer and preprocessing. ``min_score`` is the noise
    floor per query modality ("text", "image"): the cosine below which a hit is chance.
    """

    name: str
    version: str
    dim: int
    modalities: tuple[str, ...]
    fingerprint: str
    max_tokens: int = 0
    image_size: int = 0
    min_score: dict[str, float] = field(default_factory=dict)


def product_to_dict(product: Product) -> dict[str, Any]:
    """All fields as JSON-ready builtins, defaults included."""
    return {name: msgspec.to_builtins(getattr(product, name)) for name in Product.__struct_fields__}
