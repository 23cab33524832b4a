"""What is known of a shopper, read from their events whenever it is asked for.

Nothing derived is kept: a profile is made of the newest events and the products that the live
generation has now. So it is as new as the last acknowledged event, it is always in the spaces of
the models that serve, and when the events are erased it is gone
(``docs/decisions/0011-profiles-are-read.md``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from msgspec import Struct, field

from .events import EVENT_WEIGHTS, Event
from .protocols import Vectors, VectorStore
from .schema import word_fields
from .settings import EventSettings
from .vectors import means

PRIOR = 5.0
"""The evidence, in clicks, at which a profile is believed half: the prior's strength in a
Bayesian average. Our choice; rankers may weigh ``weight`` in their own way."""
SESSION_GAP = timedelta(minutes=30)
"""A session ends after half an hour without an event: the usual definition in web analytics."""
MAX_PRODUCTS = 50
MAX_RECENT = 20


class Taste(Struct, frozen=True, eq=False):
    """What events of one horizon say. ``text`` and ``image`` are unit vectors in the spaces of
    the live generation: the mean of the products, each weighted by the events' decayed weight
    (``None`` where no product has such a vector). ``affinities`` maps a keyword field and a value
    of it to the share of that weight, in (0, 1], of products that have the value. ``weight`` is
    the weight's sum, one click or view just now being 1; ``events`` counts them.
    """

    text: Vectors | None = None
    image: Vectors | None = None
    affinities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    weight: float = 0.0
    events: int = 0

    @property
    def confidence(self) -> float:
        """In [0, 1): how far this is to be believed; ``weight / (weight + PRIOR)``."""
        return self.weight / (self.weight + PRIOR)


class UserProfile(Struct, frozen=True, eq=False):
    """A shopper as rankers see them: what they do now and what they did before, apart.

    No event counts in both. ``recent`` are the products of their newest events, newest first;
    ``bought`` those of their purchases.
    """

    session: Taste = Taste()
    long_term: Taste = Taste()
    recent: tuple[str, ...] = ()
    bought: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that it has affinities in: whoever ranks by it needs to see them."""
        return tuple(dict.fromkeys([*self.session.affinities, *self.long_term.affinities]))


def build_profile(
    history: Sequence[Event],
    store: VectorStore,
    settings: EventSettings,
    now: datetime,
    session_id: str | None,
) -> UserProfile | None:
    """The profile of ``history``, newest first; ``None`` where it names no product of ``store``.

    An event belongs to the session where it has ``session_id``, or, without one, where it
    happened less than :data:`SESSION_GAP` ago.
    """
    parts: dict[_Part, dict[str, float]] = {
        "session": defaultdict(float),
        "long_term": defaultdict(float),
    }
    counts: dict[_Part, int] = {"session": 0, "long_term": 0}
    half_lives = {
        "session": timedelta(minutes=settings.session_half_life_minutes),
        "long_term": timedelta(days=settings.half_life_days),
    }
    recent: dict[str, None] = {}
    bought: dict[str, None] = {}
    for event in history:
        assert event.time is not None
        age = max(now - event.time, timedelta(0))
        here = event.session_id == session_id if session_id else age < SESSION_GAP
        part: _Part = "session" if here else "long_term"
        weight = EVENT_WEIGHTS[event.type] * 0.5 ** (age / half_lives[part])
        counts[part] += 1
        for product in event.products:
            if product.id in recent or len(recent) < MAX_PRODUCTS:
                recent[product.id] = None
                parts[part][product.id] += weight
                if event.type == "purchase":
                    bought[product.id] = None
    products = _Products(list(recent), store)
    if not products.known:
        return None
    return UserProfile(
        session=products.taste(parts["session"], counts["session"]),
        long_term=products.taste(parts["long_term"], counts["long_term"]),
        recent=tuple(id for id in recent if id in products.known)[:MAX_RECENT],
        bought=tuple(id for id in bought if id in products.known),
    )


_Part = Literal["session", "long_term"]


class _Products:
    """The products of a history as the live store has them; those that it lacks are ``known``
    to nobody and count for nothing."""

    def __init__(self, ids: list[str], store: VectorStore) -> None:
        fields = word_fields(store.spec.schema)
        columns = store.columns(ids, [*fields, "in_stock"])
        self.known = {id: row for row, id in enumerate(ids) if columns["in_stock"][row] is not None}
        self._columns = {name: columns[name] for name in fields}
        self._text = _unit_means(store.vectors(ids, "text"))
        self._image = _unit_means(store.vectors(ids, "image"))

    def taste(self, weights: Mapping[str, float], events: int) -> Taste:
        rows = {self.known[id]: weight for id, weight in weights.items() if id in self.known}
        if not rows:
            return Taste()
        total = sum(rows.values())
        return Taste(
            text=_blend(self._text, rows),
            image=_blend(self._image, rows),
            affinities=self._affinities(rows, total),
            weight=total,
            events=events,
        )

    def _affinities(self, rows: Mapping[int, float], total: float) -> dict[str, dict[str, float]]:
        if total <= 0:
            return {}
        found: dict[str, dict[str, float]] = {}
        for name, column in self._columns.items():
            shares: dict[str, float] = defaultdict(float)
            for row, weight in rows.items():
                value = column[row]
                for each in value if isinstance(value, list) else [value]:
                    if each is not None:
                        shares[each] += weight / total
            if shares:
                found[name] = dict(sorted(shares.items(), key=lambda item: -item[1]))
        return found


def _unit_means(found: Sequence[Vectors]) -> Vectors:
    """Each product's mean vector at unit length ``[n, d]``; zeros where it has none."""
    mean = means(found)
    norms = np.linalg.norm(mean, axis=1, keepdims=True)
    return (mean / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)


def _blend(vectors: Vectors, rows: Mapping[int, float]) -> Vectors | None:
    """The weighted mean of some rows, as a read-only unit vector; ``None`` where they are zeros."""
    weights = np.fromiter(rows.values(), dtype=np.float32, count=len(rows))
    mean = weights @ vectors[list(rows)]
    norm = float(np.linalg.norm(mean))
    if not norm > 0:
        return None
    unit: Vectors = mean / np.float32(norm)
    unit.flags.writeable = False  # one plugin's writing must not reach the next
    return unit
