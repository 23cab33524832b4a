"""Which business rules a search is for, and which of them comes first.

The words of a search are compared as typed and as understood so far (spelling corrected), without
case, accents and punctuation; scripts without spaces are compared character by character.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from engine import IndexSchema, QueryPlan, Rule, RuleSet, When, fold, texts, unfit

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+")
_BELOW = " > "
"""Between the names of a category's path."""
_STRENGTH = {"exact": 3, "phrase": 2, "words": 1}

Words = tuple[str, ...]


def words_in(text: str) -> Words:
    """The words that rules compare."""
    return tuple(_WORD.findall(fold(text).replace("'", "")))


class Asked(NamedTuple):
    """A search as rules see it. ``words`` are as typed and as understood."""

    words: tuple[Words, ...]
    categories: frozenset[Any]
    locale: str
    market: str
    selected: Mapping[str, frozenset[Any]]
    at: datetime

    @classmethod
    def of(cls, plan: QueryPlan, now: datetime) -> Asked:
        selected = {name: frozenset(_items(spec)) for name, spec in plan.selected.items()}
        return cls(
            words=tuple(dict.fromkeys((words_in(plan.original), words_in(plan.text)))),
            categories=selected.get("category", frozenset()),
            locale=_locale(plan.locale or ""),
            market=(plan.market or "").casefold(),
            selected=selected,
            at=plan.at or now,
        )


class Pattern(NamedTuple):
    """Words that a rule asks for."""

    kind: Literal["exact", "phrase", "words"]
    words: Words

    def found_in(self, asked: Words) -> bool:
        if self.kind == "exact":
            return asked == self.words
        if self.kind == "words":
            return set(self.words) <= set(asked)
        n = len(self.words)
        return any(asked[i : i + n] == self.words for i in range(len(asked) - n + 1))


class Matcher:
    """One rule, ready to be compared with searches. ``unfit`` says why it cannot be applied to
    this shop."""

    def __init__(self, rule: Rule, schema: IndexSchema) -> None:
        self.rule = rule
        self.unfit = unfit(rule, schema)
        self.when = when = rule.when or When()
        self.patterns = [
            Pattern(kind, words)
            for kind in ("exact", "phrase", "words")
            for text in texts(getattr(when.query, kind, ()))
            if (words := words_in(text))
        ]
        self._categories = texts(when.category)
        self._locales = [_locale(locale) for locale in texts(when.locale)]
        self._markets = [market.casefold() for market in texts(when.market)]
        self._filters = {name: frozenset(_items(spec)) for name, spec in when.filters.items()}
        others = (self._categories, self._locales, self._markets, *self._filters)
        strength = max((_STRENGTH[p.kind] for p in self.patterns), default=0)
        self.order = (-rule.priority, -strength, -sum(map(bool, others)), rule.id)

    def against(self, asked: Asked) -> str:
        """Why the rule is not for this search; empty where it is."""
        rule = self.rule
        if not rule.enabled:
            return "it is not enabled"
        if rule.starts is not None and asked.at < rule.starts:
            return f"it begins at {rule.starts.isoformat()}"
        if rule.until is not None and asked.at >= rule.until:
            return f"it ended at {rule.until.isoformat()}"
        if self._markets and asked.market not in self._markets:
            return f"the market is {asked.market!r}"
        if self._locales and not any(_within(asked.locale, own, "-") for own in self._locales):
            return f"the locale is {asked.locale!r}"
        if self._categories and not any(
            _within(selected, category, _BELOW)
            for category in self._categories
            for selected in asked.categories
        ):
            return "its category is not selected"
        for name, wanted in self._filters.items():
            if wanted.isdisjoint(asked.selected.get(name, ())):
                return f"its value of {name!r} is not selected"
        if self.when.query and not any(p.found_in(w) for p in self.patterns for w in asked.words):
            return "the words are others"
        return ""


class Matchers:
    """All rules of a shop, strongest first; found by the words that they ask for."""

    def __init__(self, rules: RuleSet, schema: IndexSchema) -> None:
        self.all = sorted((Matcher(rule, schema) for rule in rules.rules), key=lambda m: m.order)
        self._always: list[int] = []
        self._by_word: dict[str, list[int]] = defaultdict(list)
        for place, matcher in enumerate(self.all):
            if matcher.when.query is None:
                self._always.append(place)
            for first in {pattern.words[0] for pattern in matcher.patterns}:
                self._by_word[first].append(place)

    def matching(self, asked: Asked) -> list[Matcher]:
        """Those that are for this search, strongest first."""
        places = set(self._always)
        for word in {word for words in asked.words for word in words}:
            places.update(self._by_word.get(word, ()))
        return [self.all[place] for place in sorted(places) if not self.all[place].against(asked)]


def _items(spec: Any) -> Iterator[Any]:
    """The values that a filter wants; a range or an exclusion wants none."""
    if not isinstance(spec, Mapping):
        yield from spec if isinstance(spec, list | tuple) else (spec,)


def _locale(locale: str) -> str:
    return locale.lower().replace("_", "-")


def _within(given: Any, wanted: str, separator: str) -> bool:
    return given == wanted or (isinstance(given, str) and given.startswith(wanted + separator))
