"""The rerank window, and the two protocols of what works on it: rankers and arrangers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from msgspec import Struct, field

from .plan import QueryPlan
from .profiles import UserProfile
from .protocols import Vectors
from .types import SearchRequest


class RankingBatch(Struct, frozen=True):
    """The rerank window as read-only arrays; n candidates, in fused order for every ranker,
    best first for arrangers.

    ``scores`` float32 ``[n]`` is the ranking so far. ``lane_ranks`` int32 ``[n]`` per lane
    (0 = not found there), ``lane_scores`` float32 ``[n]`` (NaN = not found). ``columns``
    and ``vectors`` hold what the plugin declared (``vectors``: float32 ``[n, d]``, zero rows
    where absent, mean of several photos); ``columns`` also the fields that the plan and the
    profile speak of (:attr:`QueryPlan.fields`, :attr:`UserProfile.fields`).

    A column holds ``n`` values, ``None`` where a product has none (all of them where the shop has
    no such field), as :func:`engine.schema.field_values` indexes them, by the field's kind:

    - keyword: a text, or a list of texts where the product has several; both may stand in one
      column. Numbers of a keyword field are texts, too.
    - number: a finite float.
    - boolean: True or False.

    Of the fields that every shop has, "title" is a text; "category" the path from the root as
    prefixes, ``["A", "A > B"]``; "brand", "currency" and "group_id" are texts, or ``None`` where
    empty; "price" is a float, what the shopper pays (``OWN_PRICE`` is the product's own, in its
    currency); "updated_at" a float, seconds since the epoch (of a product it is ISO 8601);
    "in_stock" (a boolean) and "locale" are never ``None``.

    ``profile`` (``None``: nothing is known of this shopper) and ``popularity`` (float32 ``[n]``,
    :meth:`engine.events.EventStore.popularity`) are there for those who ask for them
    (:class:`NeedsBehaviour`).
    """

    ids: list[str]
    scores: Vectors
    lane_ranks: dict[str, npt.NDArray[np.int32]]
    lane_scores: dict[str, Vectors]
    plan: QueryPlan
    request: SearchRequest
    columns: dict[str, list[Any]] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict)
    profile: UserProfile | None = None
    popularity: Vectors | None = None


class Ranker(Protocol):
    """Gives the window new scores. Other rankers go on from them: multiply them, or add what is
    small beside them, and keep them above zero."""

    @property
    def required_fields(self) -> Sequence[str]:
        """Declared fields, or "title", that it wants to find in ``batch.columns``."""
        ...

    @property
    def required_vectors(self) -> Sequence[str]:
        """Of "text" and "image", what it wants to find in ``batch.vectors``."""
        ...

    def rank(self, batch: RankingBatch) -> Vectors:
        """New scores, finite float32 ``[n]``, in the order of ``batch.ids``."""
        ...


class Arranger(Protocol):
    """Reorders or drops after all rankers, where rules need places, not scores."""

    @property
    def required_fields(self) -> Sequence[str]:
        """Declared fields, or "title", that it wants to find in ``batch.columns``."""
        ...

    @property
    def required_vectors(self) -> Sequence[str]:
        """Of "text" and "image", what it wants to find in ``batch.vectors``."""
        ...

    def arrange(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        """Distinct indices into ``batch.ids``, in the new order; left-out ones are dropped."""
        ...


@runtime_checkable
class NeedsBehaviour(Protocol):
    """What a ranker or arranger may declare besides: which of the batch's ``profile`` and
    ``popularity`` it reads. They are looked up only where somebody does."""

    @property
    def required_behaviour(self) -> Sequence[Literal["profile", "popularity"]]:
        """Of "profile" and "popularity", what it wants to find in the batch. Either may be
        ``None`` all the same: for a shopper nobody knows, a shop that keeps no events, or while
        its event store fails."""
        ...


@runtime_checkable
class ForKnownShoppers(Protocol):
    """What a ranker or arranger may declare besides that goes by ``batch.profile`` alone."""

    @property
    def for_known_shoppers(self) -> bool:
        """Whether it is left out while nothing is known of the shopper: not called, and nothing
        fetched for it, so that a stranger's search is what it would be without it."""
        ...


@runtime_checkable
class Prompt(Protocol):
    """What a query processor, ranker or arranger may declare besides: that it only computes, for a
    few milliseconds at most, and waits for nothing (no lock, file, network or process)."""

    @property
    def prompt(self) -> bool:
        """Whether it is called in the search's own thread, where the shop's settings do not say
        otherwise: 0.06 ms sooner, and without a deadline."""
        ...


@runtime_checkable
class Explains(Protocol):
    """What a ranker or arranger may offer besides: the causes of what it did, asked for only
    when a request has ``explain``, and only for the products that are shown."""

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> Sequence[Mapping[str, float | str]]:
        """For each of ``rows``, indices into the very batch that was ranked or arranged: cause →
        what it brought, a number in the unit of the scores or words for a shopkeeper. Empty
        where there was none."""
        ...
