"""The plan of a search: what was understood of it, and what business rules do to it.

A processor sees what was asked (``original``, ``locale``, ``market``, ``selected``) and returns a
changed copy. Whatever hides, lifts or places products says so in ``rules``; the engine acts on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

HIDDEN = "it is hidden"
"""Why a pin is lost to a rule that hides its product."""
OWN_PRICE = "price:own"
"""The column of the prices that products have themselves, in the shop's currency. What a shop says
of prices is about these; "price" is what the shopper pays."""


class Span(Struct, frozen=True, omit_defaults=True):
    """A labelled stretch of the query, ``plan.read[start:end]``; confidence in [0, 1].

    Where it names something of this shop, ``field`` and ``values`` say what: "navy" may be
    the values "Navy Blue" and "Navy" of the field "color". ``effect`` is what the search does
    about it: ``boost`` lifts products that have one of the values, ``filter`` and ``exclude``
    stand in ``plan.filters``, ``avoid`` sinks products whose title has the words ``values``,
    ``note`` does nothing. These are for a ranker to read. ``near`` are values akin to what was
    named and how near they are, 0 to 1: maroon for "red".
    ``label`` is what kind of words they are, whatever the shop calls its field ("creator" for a
    brand); docs/understanding.md lists the labels.
    """

    start: int
    end: int
    label: str
    value: str
    confidence: float = 1.0
    field: str = ""
    values: tuple[str, ...] = ()
    effect: Literal["note", "boost", "filter", "exclude", "avoid"] = "note"
    near: dict[str, float] = {}

    @property
    def key(self) -> str:
        """How a shopper refers to this reading to take it back: ``"color:navy"``."""
        return f"{self.label}:{self.value.casefold()}"


class PlanStep(Struct, frozen=True):
    """What one query processor did, and its wall time in milliseconds."""

    processor: str
    changed: tuple[str, ...]
    ms: float


class Selection(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Products that all of ``filters`` (the request's syntax) hold for, and those of ``ids``."""

    filters: dict[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()


class Boost(Selection, frozen=True, forbid_unknown_fields=True):
    """Products whose score is multiplied with ``factor``, which is above 0: above 1 it lifts
    them, below it buries them."""

    factor: float = 1.0

    @property
    def columns(self) -> dict[str, str]:
        """Where rankers find each field of ``filters`` in :attr:`engine.RankingBatch.columns`."""
        return {name: OWN_PRICE if name == "price" else name for name in self.filters}


class LostPin(Struct, frozen=True, omit_defaults=True):
    """A pin that a rule could not have: ``why``, and the rule that it lost ``to`` if to one."""

    product: str
    place: int
    why: str
    to: str = ""


class AppliedRule(Struct, frozen=True, omit_defaults=True):
    """What one rule does to this search. ``pins`` (product id → place from 1) are those that a
    processor wants and, in the end, those that it got; ``lost`` are the others. ``skipped`` says
    why a rule does nothing."""

    id: str
    pins: dict[str, int] = field(default_factory=dict)
    boosts: tuple[Boost, ...] = ()
    hide: tuple[Selection, ...] = ()
    lost: tuple[LostPin, ...] = ()
    skipped: str = ""


class QueryPlan(Struct, frozen=True):
    """What understanding produced from the query; each processor returns a changed copy.

    ``text`` is what the lanes will search; ``original`` is what was typed; ``read`` is the text
    that ``spans`` refer to. ``expansion`` is ``text`` with synonyms in place of what they are
    synonyms of, and with what a word may be an error for, for a keyword lane of its own beside it.
    Each of ``translations`` (locale → text) searches in text lanes of its own beside the original.
    ``categories`` are the likely ones, with their probability; ``kind_field`` is the field of the
    shop that says most finely what products are, by which likely kinds may rank, and empty where
    the words name the kind. ``need`` says that the words describe a need ("something to hang coats
    on") rather than name a thing of the shop. ``described``, 0 to 1, is how surely they are like
    what some kind of things is for; ``categories`` then tell the kinds that serve it or, where the
    shop's kinds say too little, ``things`` what they are called, with their probability.

    ``filters`` use the request's syntax and are added to the request's own, which are
    ``selected``; the surest come first, for where nothing is found the engine takes them off from
    the last (:mod:`engine.relaxation`), and those taken off are ``relaxed``. ``pictured``: the
    words stand beside a photo or products to be like, and say how what is wanted differs;
    ``below`` are number fields that are to be lower than theirs ("but cheaper"), which the engine
    makes filters of.

    ``ignored`` are readings that the shopper took back (:attr:`Span.key`): a processor leaves them
    out. ``rules`` hide, lift and place products; the strongest comes first. ``at`` is the time
    that a dry run asks about; a search has none, and is now.
    """

    original: str = ""
    text: str = ""
    locale: str | None = None
    translations: dict[str, str] = field(default_factory=dict)
    read: str = ""
    spans: tuple[Span, ...] = ()
    categories: dict[str, float] = field(default_factory=dict)
    filters: dict[str, Any] = field(default_factory=dict)
    corrections: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    steps: tuple[PlanStep, ...] = ()
    need: bool = False
    market: str | None = None
    selected: dict[str, Any] = field(default_factory=dict)
    rules: tuple[AppliedRule, ...] = ()
    at: datetime | None = None
    relaxed: dict[str, Any] = field(default_factory=dict)
    pictured: bool = False
    below: tuple[str, ...] = ()
    expansion: str = ""
    kind_field: str = ""
    described: float = 0.0
    things: dict[str, float] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """The declared fields that ranking by this plan needs to see."""
        kinds = (self.kind_field,) if self.kind_field else ()
        return tuple(dict.fromkeys((*self.spoken, *kinds)))

    @property
    def spoken(self) -> tuple[str, ...]:
        """The declared fields that the words or the rules speak of."""
        spoken = [span.field for span in self.spans if span.field]
        spoken += [column for boost in self.boosts() for column in boost.columns.values()]
        return tuple(dict.fromkeys(spoken))

    @property
    def pins(self) -> dict[str, int]:
        """Where products are to stand in the whole result, from 1; a place has one product."""
        found: dict[str, int] = {}
        taken: set[int] = set()
        for rule in self.rules:
            for product, place in rule.pins.items():
                if product not in found and place not in taken:
                    found[product] = place
                    taken.add(place)
        return found

    def public(self) -> QueryPlan:
        """The plan as a shopper may see it: what is hidden is not named."""
        if not self.rules:
            return self
        rules = tuple(
            msgspec.structs.replace(
                rule, hide=(), lost=tuple(pin for pin in rule.lost if pin.why != HIDDEN)
            )
            for rule in self.rules
        )
        return msgspec.structs.replace(self, rules=rules)

    def boosts(self) -> Iterator[Boost]:
        """All that multiplies scores, the strongest rule's first."""
        for rule in self.rules:
            yield from rule.boosts

    def hidden(self) -> Iterator[Selection]:
        """All that no shopper is to see."""
        for rule in self.rules:
            yield from rule.hide
