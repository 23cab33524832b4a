"""The seam of recommenders: what they are asked, what they answer, what they learn from.

A recommender knows one reason to recommend a product: it was bought together with another, it
looks like it, it is popular. The engine asks several, mixes their lists and leaves out what may
not be shown (:mod:`engine.recommendations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from msgspec import Struct

from .interactions import Interactions
from .profiles import UserProfile
from .protocols import LaneQuery, Scored, Vectors
from .schema import IndexSchema
from .settings import Place
from .types import SortBy


class Assortment(Protocol):
    """The products that may be recommended now: in stock where the shop wants that, under the
    request's filters, not hidden by a business rule, none of the seeds, of the cart, or bought by
    this shopper. Ends with the request; asked later it raises PluginError."""

    @property
    def schema(self) -> IndexSchema:
        """The declared fields of the shop."""
        ...

    def admitted(self, ids: Sequence[str], most: int) -> list[str]:
        """The first ``most`` of ``ids`` that belong to it, in their order."""
        ...

    def search(self, lanes: Sequence[LaneQuery], n: int) -> list[list[Scored]]:
        """The best ``n`` products of it by each lane, best first."""
        ...

    def browse(self, n: int, sort: SortBy | None = None) -> list[str]:
        """``n`` products of it by a declared field (missing values last), or by id."""
        ...

    def vectors(self, ids: Sequence[str], using: Literal["text", "image"]) -> list[Vectors]:
        """Stored vectors of any products as unit rows ``[n_i, d]``; ``[0, d]`` where there are
        none."""
        ...

    def columns(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, list[Any]]:
        """Field values of any products by column, in the order of ``ids``; ``None`` where
        absent."""
        ...


class Occasion(Struct, frozen=True, eq=False):
    """What a recommendation is for.

    ``seeds`` are the products to go by, the most important first: the one whose page is shown
    (``place`` "product"), those of a cart, or those of a user's newest events. ``weights`` float32
    ``[seeds]`` are positive and sum to 1. Without seeds, for a user nobody knows, only what needs
    none can be recommended. ``profile`` is what is known of the shopper, ``None`` for nothing.
    """

    place: Place
    seeds: tuple[str, ...]
    weights: Vectors
    assortment: Assortment
    profile: UserProfile | None = None


class Recommended(Struct, frozen=True, omit_defaults=True):
    """A product that a recommender names. ``score`` is its own, finite; only its order counts.

    ``kind`` says why in one word for programs ("bought_together"), ``text`` in a few for shoppers
    ("often bought with"); where ``because`` is the id of a seed, its title is put behind them.
    """

    id: str
    score: float
    kind: str
    text: str
    because: str = ""


class Recommender(Protocol):
    """One reason to recommend products. Thread-safe."""

    def recommend(self, occasion: Occasion, n: int) -> Sequence[Recommended]:
        """Up to ``n`` products of ``occasion.assortment``, distinct, best first; none where it
        knows nothing. What does not belong to the assortment is left out by the engine, so ask it
        (:meth:`Assortment.admitted`) to fill the list."""
        ...


@runtime_checkable
class Learns(Protocol):
    """What a recommender may offer besides: to learn from what shoppers did."""

    def learn(self, seen: Interactions) -> None:
        """Replace what was learned before by what ``seen`` says: all interactions that are kept.
        Called in the background, now and then and after an erasure; requests go on meanwhile.
        Nothing is to be kept of a shopper that is not gone once they are missing from ``seen``."""
        ...


def even_weights(n: int) -> Vectors:
    """``n`` equal weights that sum to 1, float32."""
    return np.full(n, 1 / max(n, 1), dtype=np.float32)
