"""Which filters follow from what was understood, the surest first: what is not wanted, prices,
for whom it is, and, beside a photo, how what is wanted differs from it.

A filter leaves out products that say something else, never those that say nothing: a bag without
a department is found by "bag for women". Of a product's several values one that is meant is
enough. Where nothing is left, the engine takes filters off from the last
(:mod:`engine.relaxation`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from engine import QueryPlan, ShopView, Span, terms

from .departments import opposed
from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS, Gazetteer
from .query_grammar import Reading
from .query_prices import Price
from .word_forms import forms, words_of

PRICE, DEPARTMENT = "price", "department"
SURE = 0.8
"""The least confidence of a reading that filters."""
AKIN = 0.6
"""How near a value must come to what was named to stay beside a photo."""
MAX_VALUES = 1000
"""Values that a filter can have (:data:`engine.filters.MAX_VALUES`)."""
POINTING = FUNCTION_WORDS | forms(
    "but like same similar one ones thing something color colour colored coloured version instead "
    "please more rather as exactly also although except make made prefer want need show"
)
"""Words that stand between a photo and how what is wanted differs from it."""
COUNTED_SHARE = 0.1
"""The share of the titles with a word that has a number, for the number to go with the word."""
_CHEAPER = re.compile(
    r"\b(?:cheaper|less (?:expensive|costly|pricey)|lower priced?|for less|affordable)\b", re.I
)
_LEADING = POINTING - forms("not no without non except for")


def priced(
    readings: Sequence[Reading], plan: QueryPlan, shop: ShopView
) -> tuple[list[Span], dict[str, Any]]:
    """Spans of the prices, and their filter where this shop has prices that it can mean."""
    found = [r for r in readings if isinstance(r, Price) and not _is_weight(r, shop)]
    found = [r for r in found if not (r.bare and _titles_count(r, plan.text, shop))]
    typed = {r: plan.text[r.start : r.end] for r in found}
    found = [r for r in found if f"{PRICE}:{typed[r].casefold()}" not in plan.ignored]
    named = {code for r in found for code in r.currencies}
    lowest = max((r.gte for r in found if r.gte is not None), default=None)
    highest = min((r.lte for r in found if r.lte is not None), default=None)
    held = shop.prices.keys()
    known = bool(held) and (not named or bool(named & held) or held == {""})
    contradictory = lowest is not None and highest is not None and lowest > highest
    if not found or not known or contradictory or PRICE in plan.filters:
        return [Span(r.start, r.end, PRICE, typed[r]) for r in found], {}
    bounds = {"gte": lowest, "lte": highest}
    filters: dict[str, Any] = {PRICE: {k: v for k, v in bounds.items() if v is not None}}
    if named and len(shop.prices) > 1:
        filters["currency"] = sorted(named & shop.prices.keys())
    spans = [Span(r.start, r.end, PRICE, typed[r], field=PRICE, effect="filter") for r in found]
    return spans, filters


def _is_weight(price: Price, shop: ShopView) -> bool:
    """ "Under 50 pounds" is a weight where everything is sold in something else."""
    return price.weight and not {*price.currencies, ""} & shop.prices.keys()


def _titles_count(price: Price, text: str, shop: ShopView) -> bool:
    """Whether the shop's titles have such numbers beside the words of the query: "30" and "50" are
    factors of sunscreen, and no prices, where titles of sunscreens say so."""
    sample = shop.lexicon.sample
    numbers = [sample.of(f"{value:g}") for value in (price.gte, price.lte) if value is not None]
    having = np.unique(np.concatenate(numbers)) if numbers else np.zeros(0, np.int32)
    for word in terms(text[: price.start]):
        rows = sample.of(word.word)
        if len(rows) and np.isin(having, rows).sum() >= COUNTED_SHARE * len(rows):
            return bool(len(having))
    return False


def exclusions(spans: Iterable[Span]) -> dict[str, Any]:
    """What is not wanted."""
    unwanted: dict[str, list[str]] = {}
    for span in spans:
        if span.effect == "exclude":
            unwanted.setdefault(span.field, []).extend(span.values)
    return {field: {"not": list(dict.fromkeys(values))} for field, values in unwanted.items()}


def departments(spans: Iterable[Span], gazetteer: Gazetteer) -> dict[str, Any]:
    """What is for those who were named, or for nobody in particular: without what is for others
    alone."""
    named: dict[str, list[str]] = {}
    for span in spans:
        if span.label == DEPARTMENT and span.effect == "boost" and span.confidence >= SURE:
            named.setdefault(span.field, []).extend(span.values)
    filters: dict[str, Any] = {}
    for field, wished in named.items():
        known = gazetteer.vocabulary[field]
        if barred := opposed(wished, known):
            filters |= _one_of(field, [value for value in known if value not in barred])
    return filters


def _one_of(field: str, values: Sequence[str]) -> dict[str, Any]:
    """Products with one of the values, and those that say nothing of the field."""
    return {field: [*values, None]} if len(values) < MAX_VALUES else {}


def differences(spans: Sequence[Span], gazetteer: Gazetteer) -> tuple[list[Span], dict[str, Any]]:
    """Beside a photo what is named is how the thing should differ from it ("but red"): products of
    other values are left out, and the spans say so. Not where words say what the thing is ("red
    shoe"): then they are a query of their own, which the photo illustrates."""
    if any(span.effect == "boost" and span.label == TYPE for span in spans):
        return list(spans), {}
    wanted: dict[str, set[str]] = {}
    filters = departments(spans, gazetteer)
    for span in spans:
        if span.effect == "boost" and span.confidence >= SURE and span.label != DEPARTMENT:
            akin = {value for value, near in span.near.items() if near >= AKIN}
            wanted.setdefault(span.field, set()).update(span.values, akin)
    for field, values in wanted.items():
        known = gazetteer.vocabulary[field]
        meant = [value for value in known if value in values]
        if len(meant) < len(known):
            filters |= _one_of(field, meant)
    changed = [
        msgspec.structs.replace(span, effect="filter")
        if span.effect == "boost" and span.field in filters
        else span
        for span in spans
    ]
    return changed, filters


def without_pointing(text: str) -> str:
    """What follows the words at the beginning that only point at a photo: "like this but red" is
    "red". A text of nothing else stays."""
    first = next((word for word in words_of(text) if word.form not in _LEADING), None)
    return text[first.start :] if first else text


def cheaper(text: str) -> tuple[tuple[str, ...], list[tuple[int, int]]]:
    """Fields that shall be below those of the products to be like, and the words that say so."""
    places = [found.span() for found in _CHEAPER.finditer(text)]
    return ((PRICE,) if places else ()), places


def says_nothing_more(text: str) -> bool:
    """Whether what is left beside a photo only points at it: "like this but in"."""
    return all(word.form in POINTING for word in words_of(text))
