"""The seams of the engine: what a plugin provides and how it is called.

Every call is batched, so that nothing costs a Python call per product. Implementations
are checked by the contract suites in :mod:`engine.testing`. Rankers and arrangers, and what they
see, are in :mod:`engine.window`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field
from PIL.Image import Image

from .filters import Filter
from .lexicon import Lexicon
from .plan import QueryPlan
from .rules import NO_RULES, RuleSet
from .schema import IndexSchema
from .synonyms import NO_SYNONYMS, SynonymSet
from .types import EncoderInfo, FacetValue, Product, SortBy

Vectors = npt.NDArray[np.float32]
Role = Literal["query", "document"]


class Encoder(Protocol):
    """Texts and images to unit vectors in one joint space."""

    @property
    def info(self) -> EncoderInfo:
        """What it is; the same for as long as it lives."""
        ...

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        """Unit rows, float32 ``[len(texts), dim]``; an embedding never depends on its batch."""
        ...

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Unit rows, float32 ``[len(images), dim]``.

        Raises:
            UnsupportedModality: the encoder has no image tower.
        """
        ...

    def close(self) -> None:
        """Release what it holds; a second call does nothing."""
        ...


class FieldText(Struct, frozen=True):
    """What the keyword lanes index of one field of a product.

    ``field`` says what an occurrence counts (:attr:`GenerationSpec.bm25_weights`); "codes" holds
    identifiers separated by spaces (:func:`engine.codes.product_codes`), which are searched as
    they are by lanes ``using="codes"`` alone. ``locale`` is the words' language where it is not
    the generation's.
    """

    field: str
    text: str
    locale: str = ""


class Point(Struct, frozen=True):
    """A product as a store keeps it.

    ``text`` is the text-dense vector ``[d_text]``; ``images`` holds one row per photo
    ``[n, d_image]``, n ≥ 0; ``bm25`` are the texts that the keyword lanes index; ``fields``
    are the declared field values (:func:`engine.schema.field_values`).
    """

    product: Product
    text: Vectors
    images: Vectors
    bm25: tuple[FieldText, ...]
    fields: Mapping[str, Any]


class LaneQuery(Struct, frozen=True):
    """One lane's question to the store.

    ``name`` labels the answer; ``vector`` (unit, ``[d]``) searches the named vector
    ``using`` ("text" or "image"), ``text`` searches words (``using="bm25"``, read in the
    generation's language and, where it has texts in that of ``locale``, as one of those, too) or
    identifiers (``using="codes"``, separated by spaces).
    Hits scoring below ``min_score`` are left out.
    """

    name: str
    using: Literal["text", "image", "bm25", "codes"]
    vector: Vectors | None = None
    text: str = ""
    min_score: float | None = None
    locale: str = ""


class Scored(Struct, frozen=True, array_like=True, gc=False):
    """A product id and the lane's raw score (cosine, or BM25)."""

    id: str
    score: float


class GenerationSpec(Struct, frozen=True):
    """What a generation holds, fixed when it is built.

    ``text_encoder`` and ``image_encoder`` say whose vectors it stores; a store refuses
    vectors of other dimensions and the engine refuses another fingerprint. ``image_root``
    is the folder that relative photo paths start from. ``bm25_locale`` chooses the
    keyword lane's stemmer and stop words where a text does not say its own, and
    ``bm25_languages`` are those of all texts: a query in one of them is read in it, too.
    ``bm25_weights`` says how many occurrences one counts for, by field (1 where it is not named,
    as in generations from before fields were weighed). ``precision`` is that of the stored vectors:
    at float16 a score is off by less than 1e-4 (decision 0015).
    """

    schema: IndexSchema
    text_encoder: EncoderInfo
    image_encoder: EncoderInfo
    image_root: str = ""
    bm25_locale: str = "en"
    bm25_weights: dict[str, float] = field(default_factory=dict)
    bm25_languages: tuple[str, ...] = ()
    products: int = 0
    created_at: str = ""
    precision: Literal["float32", "float16"] = "float32"


class VectorStore(Protocol):
    """One open generation. Thread-safe; ids are product ids; order is deterministic
    (equal scores are ordered by product id)."""

    @property
    def spec(self) -> GenerationSpec:
        """What the generation holds."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Insert or replace; on return the points are durable and visible."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Unknown ids are ignored; on return the deletion is durable and visible."""
        ...

    def search_batch(
        self, lanes: Sequence[LaneQuery], filter: Filter, limit: int
    ) -> list[list[Scored]]:
        """The best ``limit`` of each lane under ``filter``, best first, in one call."""
        ...

    def facet(self, field: str, filter: Filter, limit: int) -> list[FacetValue]:
        """Exact counts over all products under ``filter``: largest first, then by value."""
        ...

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        """Field values by column, in the order of ``ids``; ``None`` where absent."""
        ...

    def vectors(self, ids: Sequence[str], using: Literal["text", "image"]) -> list[Vectors]:
        """Stored vectors as rows ``[n_i, d]``; ``[0, d]`` for an unknown id or no photo."""
        ...

    def get(self, ids: Sequence[str]) -> list[Product | None]:
        """Products in the order of ``ids``; ``None`` for unknown ids."""
        ...

    def scroll(
        self, filter: Filter, limit: int, offset: int = 0, sort: SortBy | None = None
    ) -> list[str]:
        """Matching ids, by ``sort`` (missing values last, ties by id) or by id."""
        ...

    def iterate(self, batch: int = 256) -> Iterable[list[Point]]:
        """Every point with its vectors (``bm25`` left empty), in no particular order."""
        ...

    def count(self, filter: Filter) -> int:
        """How many products are under ``filter``, exactly."""
        ...

    def build(self, schema: IndexSchema, products: int) -> None:
        """End a bulk load: payload indexes first, then HNSW, then flush.

        Blocking and long; never called by a serving process. ``schema`` and ``products``
        become part of :attr:`spec`.
        """
        ...

    def close(self) -> None:
        """Flush and release; a second call does nothing."""
        ...


class VectorStores(Protocol):
    """All generations of one shop in one backend, and which of them is live."""

    def create(self, generation: str, spec: GenerationSpec) -> VectorStore:
        """A new, empty generation, not live.

        Raises:
            StoreError: the name is taken.
        """
        ...

    def open(self, generation: str) -> VectorStore:
        """Raises NotFound for an unknown or unfinished one, StoreLocked if another process
        holds it, StoreUnavailable if the server cannot be reached."""
        ...

    def describe(self, generation: str) -> GenerationSpec:
        """The spec of a built generation, without opening it. Raises NotFound."""
        ...

    def generations(self) -> list[str]:
        """Built generations, oldest first (names sort by creation time)."""
        ...

    def current(self) -> str | None:
        """The live generation."""
        ...

    def promote(self, generation: str) -> None:
        """Make it live, atomically: a reader sees the old one or the new one."""
        ...

    def drop(self, generation: str) -> None:
        """Delete a generation, built or half-built. Raises GenerationLive for the live one."""
        ...

    def close(self) -> None:
        """Release the backend; stores that are open stay so."""
        ...


class ShopView(Struct, frozen=True, eq=False):
    """What a query processor may know of the live shop. A shop that changed is another object,
    so what was computed from one may be kept for as long as the same is given.

    ``vocabulary`` maps each keyword field to its values and about how many products have them
    (products changed or deleted since the generation went live still count). ``prices`` is
    about how many products have a price in each currency, "" where they name none. ``locale``
    is that of the keyword lane. ``rules`` are the business rules in force, and ``synonyms`` the
    synonyms. ``lexicon`` has all words of titles and of ``vocabulary``.
    """

    schema: IndexSchema
    vocabulary: Mapping[str, Mapping[str, int]]
    text_encoder: Encoder
    prices: Mapping[str, int] = field(default_factory=dict)
    locale: str = "en"
    rules: RuleSet = NO_RULES
    lexicon: Lexicon = Lexicon()
    synonyms: SynonymSet = NO_SYNONYMS


class QueryProcessor(Protocol):
    """A step of query understanding: language, spelling, translation, spans.

    One that writes business rules into the plan says so by an attribute ``applies_rules = True``:
    where it fails, the engine hides all that any rule in force hides.
    """

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        """The plan with what this step found; ``plan`` itself where that is nothing."""
        ...


class RawRecord(Struct, frozen=True):
    """A catalogue row before validation; ``line`` is 1-based in its file."""

    line: int
    data: Mapping[str, Any]
    error: str = ""


class CatalogueSource(Protocol):
    """Reads catalogues of one format, as a stream."""

    def accepts(self, uri: str) -> bool:
        """Whether this source reads ``uri``, judged by its name alone (or being a folder)."""
        ...

    def open(self, uri: str) -> Iterable[RawRecord]:
        """Rows in file order. An unreadable row becomes a record with ``error`` set; only an
        unreadable file raises (InvalidRequest)."""
        ...
