"""Business rules: which searches a rule is for, and what it does to them.

This module says what a rule is and what is wrong with one. They live in a file that people edit
(:mod:`engine.rulebook`) and reach query processors as :attr:`engine.ShopView.rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from .book import EntryId, Kind, etag
from .errors import InvalidFilter, InvalidRules
from .filters import parse_filters
from .plan import AppliedRule, Boost, Selection
from .schema import IndexSchema
from .types import MAX_WINDOW

Moment = Annotated[datetime, Meta(tz=True)]
Texts = str | tuple[str, ...]
"""One text, or several of which any will do."""
Values = str | float | bool | tuple[str | float | bool, ...]
MAX_PINS = 100
"""Of one rule; every search that it is for looks all of them up."""


class _Part(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A part of a rule: a misspelt key must not pass silently."""


class QueryIs(_Part, frozen=True):
    """Words of the search, without regard to case, accents and punctuation: all of them
    (``exact``), some of them side by side (``phrase``), some of them anywhere (``words``). Any one
    of what is given will do."""

    exact: Texts = ()
    phrase: Texts = ()
    words: Texts = ()

    def __post_init__(self) -> None:
        given = [*texts(self.exact), *texts(self.phrase), *texts(self.words)]
        if not given or not all(any(c.isalnum() for c in text) for text in given):
            raise ValueError("give words as exact, phrase or words; none may be blank")


class When(_Part, frozen=True):
    """The searches a rule is for; all that is given must hold, nothing given means every search.

    ``category`` is one that the shopper selected, or above it ("Shoes" also on the page "Shoes >
    Boots"). ``locale`` "es" is also "es-MX". ``filters`` are values that the shopper selected,
    any of several in each field.
    """

    query: QueryIs | None = None
    category: Texts = ()
    locale: Texts = ()
    market: Texts = ()
    filters: dict[str, Values] = field(default_factory=dict)


class Lift(Boost, frozen=True, forbid_unknown_fields=True):
    """Products whose score is multiplied with a ``factor`` above 1."""

    factor: Annotated[float, Meta(gt=1, le=100)] = 2.0


class Bury(Boost, frozen=True, forbid_unknown_fields=True):
    """Products whose score is multiplied with a ``factor`` below 1."""

    factor: Annotated[float, Meta(ge=0.01, lt=1)] = 0.5


class Then(_Part, frozen=True):
    """What a rule does: ``pins`` (product id → place in the result, from 1), ``boost``, ``bury``,
    ``hide``; one of them at least."""

    pins: dict[str, int] = field(default_factory=dict)
    boost: tuple[Lift, ...] = ()
    bury: tuple[Bury, ...] = ()
    hide: tuple[Selection, ...] = ()

    def __post_init__(self) -> None:
        if not (self.pins or self.boost or self.bury or self.hide):
            raise ValueError("give pins, boost, bury or hide")
        if len(self.pins) > MAX_PINS:
            raise ValueError(f"pins: {len(self.pins)} products; at most {MAX_PINS}")
        for product, place in self.pins.items():
            if not 1 <= place <= MAX_WINDOW:
                raise ValueError(f"pins: {product!r}: place {place} is outside 1…{MAX_WINDOW}")
        if len(set(self.pins.values())) < len(self.pins):
            raise ValueError("pins: two products on one place; give each its own")
        for name, selection in self.selections():
            if not (selection.filters or selection.ids):
                raise ValueError(f"{name}: selects nothing; give filters or ids")

    def boosts(self) -> tuple[Boost, ...]:
        """What is lifted and what is buried, alike."""
        groups: Iterable[tuple[Boost, ...]] = (self.boost, self.bury)
        return tuple(Boost(b.filters, b.ids, b.factor) for group in groups for b in group)

    def selections(self) -> Iterator[tuple[str, Selection]]:
        """Each with where it stands: ``boost[0]``."""
        groups: Iterable[tuple[str, tuple[Selection, ...]]] = (
            ("boost", self.boost),
            ("bury", self.bury),
            ("hide", self.hide),
        )
        for name, group in groups:
            yield from ((f"{name}[{i}]", selection) for i, selection in enumerate(group))


class Rule(_Part, frozen=True):
    """One rule. It is in force from ``from`` (ISO 8601 with a time zone) until just before
    ``until``; where two rules want the same, the higher ``priority`` wins."""

    id: EntryId
    then: Then
    when: When | None = None
    starts: Moment | None = field(default=None, name="from")
    until: Moment | None = None
    priority: int = 0
    enabled: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        if self.id == "test":
            raise ValueError("id: 'test' is the name of the dry run; choose another")
        if self.starts and self.until and self.until <= self.starts:
            raise ValueError("until: is not after from")

    @property
    def etag(self) -> str:
        """Changes whenever the rule does."""
        return etag(self)


class RuleSet(Struct, frozen=True, eq=False):
    """All rules at one moment, in the order of the file. Rules that changed are another object,
    so what was computed from them may be kept for as long as the same is given."""

    rules: tuple[Rule, ...] = ()


NO_RULES = RuleSet()


RULES: Kind[Rule, RuleSet] = Kind(Rule, "rule", RuleSet, InvalidRules)


def texts(given: Texts) -> tuple[str, ...]:
    """One or several, as several."""
    return (given,) if isinstance(given, str) else given


def unfit(rule: Rule, schema: IndexSchema) -> str:
    """What in ``rule`` does not fit the shop's declared fields, with the remedy; or nothing."""
    try:
        where = "when"
        parse_filters(rule.when.filters if rule.when else {}, schema)
        for name, selection in rule.then.selections():
            where = f"then.{name}"
            parse_filters(selection.filters, schema)
    except InvalidFilter as error:
        return f"{where}.{error}"
    return ""


def hidden_by_any(rules: RuleSet, schema: IndexSchema, at: datetime) -> tuple[AppliedRule, ...]:
    """The rules in force that hide something, whatever search they are for: what must stay hidden
    where nobody can tell which of them apply."""
    return tuple(AppliedRule(rule.id, hide=rule.then.hide) for rule in _hiding(rules, schema, at))


def hidden_everywhere(rules: RuleSet, schema: IndexSchema, at: datetime) -> tuple[Selection, ...]:
    """What no search shows, whoever asks."""
    always = [rule for rule in _hiding(rules, schema, at) if rule.when in (None, When())]
    return tuple(selection for rule in always for selection in rule.then.hide)


def _hiding(rules: RuleSet, schema: IndexSchema, at: datetime) -> Iterator[Rule]:
    """The rules in force that hide something."""
    for rule in rules.rules:
        in_force = not (rule.starts and at < rule.starts) and not (rule.until and at >= rule.until)
        if rule.enabled and rule.then.hide and in_force and not unfit(rule, schema):
            yield rule
