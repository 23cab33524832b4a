"""Simulated shoppers of a fashion shop: what they like, look for, click and buy.

A random utility model (McFadden, 1974). The value of product *i* to shopper *u* is

    V(u, i) = taste(u) · style(i) + thrift(u) · cheapness(i) + appeal(i)

and of what a visit is for, the shopper prefers the product with the highest V plus Gumbel noise.

- ``style(i)``, in :data:`FACTORS` dimensions, is the sum of three random vectors: one of its brand
  (the first word of the title, which is no field of the index), one of its *look* (one of
  :data:`LOOKS` clusters of photo statistics: brightness, hue, contrast, edges, shape) and one of
  its own, which nothing tells. ``taste(u)`` is one of :data:`SEGMENTS` random vectors plus noise.
- Prices and appeal are hidden too: a price of its type, brand and own; an appeal with a long tail.
- A visit is for one type of product and one department, now and then in one colour; the query
  says the type, the colour if there is one, and the department less than half of the time.
  In :data:`STRAY` of the visits it is for somebody else: another segment's taste, any department.
- Baskets: with a product goes another of a *companion* type (a hidden table) from the same
  *capsule* (a hidden number of each product), which no content gives away.

So a model of content vectors or attribute shares, such as Entrepot's profiles, is not what makes
the data; it can learn brand and look from examples, and never the rest. The figures of this module
are our choice. Everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from benchmarks.looks import clusters, photo_statistics
from engine import Event, EventProduct, EventType

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

FACTORS, LOOKS, SEGMENTS, CAPSULES, COMPANIONS = 8, 24, 12, 30, 2
BRAND, LOOK, OWN = 0.65, 0.6, 0.45
"""What each part of a style weighs; their squares sum to about 1."""
TASTE, THRIFT, APPEAL = 1.2, 0.5, 0.5
"""Standard deviations of the parts of V over the products of one type."""
STRAY, SAYS_DEPARTMENT, WANTS_COLOUR, ADDS = 0.2, 0.4, 0.2, 0.6
DEPARTMENTS = {"Men": 0.52, "Women": 0.43, "Boys": 0.02, "Girls": 0.03}
FEWEST, FEWEST_OF_COLOUR = 20, 10
"""Products that a type must have in a department, and of a colour, for a visit to be for it."""
PAGE = 24
EXAMINED = 0.6
"""The place k of a list is looked at with probability ``k ** -EXAMINED``."""


class Shopper(Struct, frozen=True, eq=False):
    """``taste`` float64 ``[FACTORS]``; ``types`` maps a type to how often it is looked for."""

    id: str
    department: str
    taste: Floats
    thrift: float
    types: Mapping[str, float]


class Visit(Struct, frozen=True, eq=False):
    """One session and what it is for. ``rows`` are the products that fit, ``values`` float64 of
    the same length their V; ``taste`` is that of whom it is for."""

    shopper: Shopper
    session: str
    intent: int
    type: str
    department: str
    colour: str
    query: str
    taste: Floats
    stray: bool
    rows: Rows
    values: Floats

    def grades(self, ids: Sequence[str]) -> dict[str, int]:
        """Of the products that fit, the best 2 % are graded 3, the next 8 % 2, the next 20 % 1."""
        order = self.rows[np.argsort(-self.values, kind="stable")]
        bounds = [max(1, round(len(order) * share)) for share in (0.02, 0.10, 0.30)]
        return {
            ids[row]: 3 - sum(place >= bound for bound in bounds)
            for place, row in enumerate(order[: bounds[-1]])
        }

    def chances(self) -> Floats:
        """How likely each of ``rows`` is the one preferred of all: the logit model."""
        odds = np.exp(self.values - self.values.max())
        return np.asarray(odds / odds.sum())


class Population:
    """``products`` are rows of the data's ``products.jsonl``, ``folder`` is where they lie."""

    def __init__(
        self, products: Sequence[Mapping[str, Any]], folder: Path, shoppers: int, seed: int
    ) -> None:
        self.ids = [str(row["id"]) for row in products]
        self.places = {id: row for row, id in enumerate(self.ids)}
        self.seed = seed
        rng = np.random.default_rng([seed, 1])
        n = len(products)
        self.types = np.asarray([row["type"] for row in products])
        self.colours = np.asarray([row["color"] for row in products])
        self._genders = np.asarray([row["gender"] for row in products])
        _, brands = np.unique(
            [row["title"].split()[0].lower() for row in products], return_inverse=True
        )
        self.brands = brands
        self.looks = clusters(photo_statistics(products, folder), LOOKS, rng)
        draw = rng.standard_normal
        parts = (
            BRAND * draw((brands.max() + 1, FACTORS))[brands],
            LOOK * draw((LOOKS, FACTORS))[self.looks],
            OWN * draw((n, FACTORS)),
        )
        self.styles: Floats = np.asarray(sum(parts)) / np.sqrt(FACTORS)
        dear = 0.7 * draw(brands.max() + 1)[brands] + 0.7 * draw(n)
        self.cheapness: Floats = -dear
        self.appeal: Floats = _standard(rng.exponential(size=n))
        self.capsules = rng.integers(CAPSULES, size=n)
        self._fitting = self._by_visit()
        self.companions = self._companions(rng)
        self._segments = draw((SEGMENTS, FACTORS))
        self.shoppers = tuple(self._shopper(number, rng) for number in range(shoppers))

    def visit(
        self, shopper: Shopper, number: int, intent: int = 0, *, opposite: bool = False
    ) -> Visit:
        """What the shopper looks for in the visit of that number, always the same; a visit may
        have several intents, all for the same person. An ``opposite`` visit is for who likes what
        the shopper does not, in another department."""
        seed = [self.seed, 2, self._number(shopper), number, opposite]
        rng = np.random.default_rng(seed)
        stray = opposite or bool(rng.random() < STRAY)
        taste, department = shopper.taste, shopper.department
        if opposite:
            taste = -taste
            department = "Men" if department in ("Women", "Girls") else "Women"
        elif stray:
            taste = self._taste(rng)
            department = str(rng.choice(list(DEPARTMENTS)[:2]))
        rng = np.random.default_rng([*seed, intent])
        usual = shopper.types if department == shopper.department else self._usual(department)
        type = str(rng.choice(list(usual), p=list(usual.values())))
        rows, colour = self._fitting[type, department], ""
        if rng.random() < WANTS_COLOUR:
            rows, colour = self._of_one_colour(rows, rng)
        said = [colour.lower(), type.lower()]
        if rng.random() < SAYS_DEPARTMENT:
            said.append(f"for {department.lower()}")
        values = self._values(rows, taste, shopper.thrift)
        session = f"{shopper.id}.{number}{'o' if opposite else ''}"
        query = " ".join(word for word in said if word)
        return Visit(
            shopper, session, intent, type, department, colour, query, taste, stray, rows, values
        )

    def browse(self, visit: Visit, shown: Sequence[str], start: datetime) -> list[Event]:
        """What the shopper does with a list: an impression, and for each product that is looked
        at and pleases a click, now and then a cart; at most one is bought. One event a minute."""
        rng = np.random.default_rng([self.seed, 3, visit.intent, *visit.session.encode()])
        value = dict(zip(visit.rows.tolist(), visit.values.tolist(), strict=True))
        did: list[tuple[EventType, Sequence[str], Sequence[int]]] = []
        carted: list[tuple[float, str, int]] = []
        for place, id in enumerate(shown, start=1):
            looked, pleased, wanted = rng.random(3)
            worth = value.get(self.places.get(id, -1), -4.0)
            if looked > place**-EXAMINED or pleased > _sigmoid(1.5 * worth - 1):
                continue
            did.append(("click", [id], [place]))
            if wanted < _sigmoid(worth - 2.5):
                did.append(("cart", [id], [place]))
                carted.append((worth + rng.gumbel(), id, place))
        if carted and rng.random() < 0.5:
            _, id, place = max(carted)
            did.append(("purchase", [id], [place]))
        if shown:
            did.insert(0, ("impression", list(shown), list(range(1, len(shown) + 1))))
        return [
            _event(visit, number, type, ids, places, start + timedelta(minutes=number))
            for number, (type, ids, places) in enumerate(did)
        ]

    def weeks(self, weeks: float, start: datetime, a_week: float = 1.0) -> Iterator[Event]:
        """Everything that happens in so many weeks, visit by visit in the order they begin, without
        a search engine: lists are pages of the right type, the more appealing products of that week
        first, and what goes with a purchase is bought with it. A shopper comes ``a_week`` times on
        average."""
        rng = np.random.default_rng([self.seed, 4])
        trends = rng.standard_normal((int(np.ceil(weeks)), len(self.ids)))
        arrivals = [
            (start + timedelta(weeks=moment), shopper, number)
            for shopper in self.shoppers
            for number, moment in enumerate(
                sorted(rng.uniform(0, weeks, rng.poisson(weeks * a_week)).tolist())
            )
        ]
        for time, shopper, number in sorted(arrivals, key=lambda a: (a[0], a[1].id)):
            visit = self.visit(shopper, number)
            week = int((time - start) / timedelta(weeks=1))
            ranked = self.appeal[visit.rows] + 0.7 * trends[week][visit.rows]
            ranked = ranked + rng.gumbel(size=len(visit.rows))
            page = visit.rows[np.argsort(-ranked)[:PAGE]]
            events = self.browse(visit, [self.ids[row] for row in page], time)
            yield from events
            if events[-1].type == "purchase":
                yield from self._companion(visit, events[-1], rng)

    def _companion(self, visit: Visit, bought: Event, rng: np.random.Generator) -> Iterator[Event]:
        """The purchase of what goes with one, most of the time."""
        row = self.places[bought.products[0].id]
        if rng.random() > ADDS:
            return
        type = str(rng.choice(self.companions[str(self.types[row])]))
        rows = self._fitting.get((type, visit.department), np.zeros(0, dtype=np.intp))
        rows = rows[self.capsules[rows] == self.capsules[row]]
        if not len(rows) or bought.time is None:
            return
        wanted = self._values(rows, visit.taste, visit.shopper.thrift) + rng.gumbel(size=len(rows))
        id = self.ids[rows[int(np.argmax(wanted))]]
        yield _event(visit, PAGE * 3, "purchase", [id], [None], bought.time + timedelta(minutes=1))

    def _number(self, shopper: Shopper) -> int:
        return int(shopper.id.removeprefix("u"))

    def _values(self, rows: Rows, taste: Floats, thrift: float) -> Floats:
        value = TASTE * _standard(self.styles[rows] @ taste)
        value = value + THRIFT * thrift * _standard(self.cheapness[rows])
        return np.asarray(value + APPEAL * self.appeal[rows])

    def _of_one_colour(self, rows: Rows, rng: np.random.Generator) -> tuple[Rows, str]:
        """Those of a colour that at least :data:`FEWEST_OF_COLOUR` have, and its name."""
        names, counts = np.unique(self.colours[rows], return_counts=True)
        enough = names[counts >= FEWEST_OF_COLOUR]
        colour = str(rng.choice(enough)) if len(enough) else ""
        return (rows[self.colours[rows] == colour], colour) if colour else (rows, "")

    def _taste(self, rng: np.random.Generator) -> Floats:
        centre = self._segments[rng.integers(SEGMENTS)]
        return np.asarray(centre + 0.5 * rng.standard_normal(FACTORS))

    def _by_visit(self) -> dict[tuple[str, str], Rows]:
        """The products of a type that are for a department, or for all."""
        found = {}
        for type in np.unique(self.types):
            of_type = self.types == type
            for department in DEPARTMENTS:
                fits = np.isin(self._genders, [department, "Unisex"])
                rows = np.flatnonzero(of_type & fits)
                if len(rows) >= FEWEST:
                    found[str(type), department] = rows
        return found

    def _companions(self, rng: np.random.Generator) -> dict[str, list[str]]:
        """Other types, the larger ones more often."""
        names, counts = np.unique(self.types, return_counts=True)
        found = {}
        for name in names:
            weights = np.where(names == name, 0.0, np.sqrt(counts))
            picked = rng.choice(names, COMPANIONS, replace=False, p=weights / weights.sum())
            found[str(name)] = [str(other) for other in picked]
        return found

    def _usual(self, department: str) -> dict[str, float]:
        sizes = {t: len(rows) ** 0.7 for (t, d), rows in self._fitting.items() if d == department}
        total = sum(sizes.values())
        return {type: size / total for type, size in sizes.items()}

    def _shopper(self, number: int, rng: np.random.Generator) -> Shopper:
        department = str(rng.choice(list(DEPARTMENTS), p=list(DEPARTMENTS.values())))
        usual = self._usual(department)
        liked = np.asarray(list(usual.values())) * rng.gamma(0.5, size=len(usual))
        types = dict(zip(usual, (liked / liked.sum()).tolist(), strict=True))
        return Shopper(
            f"u{number}", department, self._taste(rng), float(rng.standard_normal()), types
        )


def _event(
    visit: Visit,
    number: int,
    type: EventType,
    ids: Sequence[str],
    places: Sequence[int | None],
    time: datetime,
) -> Event:
    return Event(
        id=f"{visit.session}.{visit.intent}.{number}",
        type=type,
        time=time,
        user_id=visit.shopper.id,
        session_id=visit.session,
        products=tuple(EventProduct(id, place) for id, place in zip(ids, places, strict=True)),
        query=visit.query,
    )


def _standard(values: Floats) -> Floats:
    spread = values.std()
    return np.asarray((values - values.mean()) / spread if spread > 0 else values * 0)


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))
