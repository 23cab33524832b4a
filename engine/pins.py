"""Places that business rules give to products, over the whole result.

Rankers and arrangers see a window; a pin holds whatever the page, below the window and when
browsing as well. So the engine places pins itself, after everything else has had its say.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from .filters import Filter, holds, matches
from .markets import Place
from .plan import HIDDEN, AppliedRule, LostPin, QueryPlan
from .protocols import VectorStore
from .types import Candidate, Move, SortBy

PINS = "pins"
"""Under this name explanations say what pins did."""

T = TypeVar("T")


class Layout(Struct, frozen=True):
    """Which product stands where, by index from 0; all other places are the ranking's own."""

    at: dict[int, str]

    def own(self, start: int, end: int) -> tuple[int, int]:
        """Where in the ranking without the pinned ones the page from ``start`` to ``end`` (without
        it) begins and ends."""
        return (
            start - sum(place < start for place in self.at),
            end - sum(place < end for place in self.at),
        )

    def page(self, start: int, end: int, own: Sequence[T], pinned: Mapping[str, T]) -> list[T]:
        """The page, of what :meth:`own` said of the ranking and of the pinned products."""
        rest = iter(own)
        found: list[T] = []
        for place in range(start, end):
            item = pinned[self.at[place]] if place in self.at else next(rest, None)
            if item is not None:
                found.append(item)
        return found


def lay_out(pins: Mapping[str, int], others: int) -> Layout:
    """The places of ``pins`` (product id → place from 1) among ``others`` more products. A place
    beyond the end is the end."""
    at: dict[int, str] = {}
    for before, (product, place) in enumerate(sorted(pins.items(), key=lambda pin: pin[1])):
        at[min(place - 1, others + before)] = product
    return Layout(at)


def settle(
    plan: QueryPlan, filter: Filter, store: VectorStore, sort: SortBy | None, here: Place
) -> QueryPlan:
    """Decide which rule gets the pins it wants, and say of the others why not.

    The order that a shopper asks for leaves no place for pins. Without one, a product is placed
    if the shop has it and ``filter`` admits it. It stands where the strongest
    rule wants it (``plan.rules`` has the strongest first), and a place takes the product of the
    strongest rule that wants it: a pin that cannot be placed is in nobody's way.
    """
    wanted = list(dict.fromkeys(product for rule in plan.rules for product in rule.pins))
    if not wanted:
        return plan
    columns = store.columns(wanted, [*filter.fields, "title"])
    barred: dict[str, tuple[str, str]] = {}
    for row, product in enumerate(wanted):
        values = {name: column[row] for name, column in columns.items()}
        if values["title"] is None:
            barred[product] = ("the shop has no such product", "")
        elif hider := _hidden_by(product, values, plan, here):
            barred[product] = (HIDDEN, hider)
        elif sort is not None:
            barred[product] = (f"the search is sorted by {sort.field!r}", "")
        elif not matches(filter, product, values):
            barred[product] = ("the filters of the search leave it out", "")
    placed: dict[str, tuple[str, str]] = {}
    taken: dict[int, tuple[str, str]] = {}
    rules = []
    for rule in plan.rules:
        won: dict[str, int] = {}
        lost = list(rule.lost)
        for product, place in sorted(rule.pins.items(), key=lambda pin: pin[1]):
            if why := barred.get(product) or placed.get(product) or taken.get(place):
                lost.append(LostPin(product, place, *why))
                continue
            won[product] = place
            placed[product] = (f"it stands at place {place}", rule.id)
            taken[place] = ("the place is taken", rule.id)
        rules.append(msgspec.structs.replace(rule, pins=won, lost=tuple(lost)))
    return msgspec.structs.replace(plan, rules=tuple(rules))


def one_of_each(plan: QueryPlan, kept: Collection[str]) -> QueryPlan:
    """The plan with those pins that lead their families; the others are lost."""

    def left(rule: AppliedRule) -> AppliedRule:
        lost = tuple(
            LostPin(product, place, "another of its family is placed")
            for product, place in rule.pins.items()
            if product not in kept
        )
        pins = {product: place for product, place in rule.pins.items() if product in kept}
        return msgspec.structs.replace(rule, pins=pins, lost=rule.lost + lost)

    return msgspec.structs.replace(plan, rules=tuple(map(left, plan.rules)))


def _hidden_by(product: str, values: Mapping[str, Any], plan: QueryPlan, here: Place) -> str:
    """The rule that hides a product; empty where none does."""
    for rule in plan.rules:
        for selection in rule.hide:
            group = here.hidden(selection)
            if product in selection.ids or (group and holds(group, values)):
                return rule.id
    return ""


def explain_pins(
    page: Sequence[Candidate], plan: QueryPlan, layout: Layout, places: Mapping[str, int] | None
) -> None:
    """Say of the pinned products of a page which rule moved them, and from where. ``places``
    (from 1) are those in the window before that; ``None`` when browsing, where nobody looked."""
    index = {product: place + 1 for place, product in layout.at.items()}
    for candidate in page:
        if (place := index.get(candidate.id)) is None:
            continue
        came = f"place {place}"
        if places is not None:
            before = places.get(candidate.id, 0)
            if before:
                candidate.moves[PINS] = Move(before, place)
            elsewhere = "below the window" if candidate.lanes else "not found"
            came = f"{f'place {before}' if before else elsewhere} → {came}"
        by = next((rule.id for rule in plan.rules if candidate.id in rule.pins), "")
        candidate.reasons[PINS] = {by: came}
