"""What came of an experiment, from the events that carry its arms.

Searches are impressions from the first place on; further pages belong to the shopper's last search
for the same words. An impression and its clicks are joined by ``search_id``, or without one by
shopper and words. Figures are about arms, never about shoppers or queries, and an arm of fewer
shoppers than ``events.anonymity`` has none. Intervals resample shoppers, not searches: those of one
shopper are alike.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from ..events import Event
from ..settings import ExperimentSettings
from .statistics import Floats, ratio_change, ratio_interval

DEPTH = 10
SUSPICIOUS = 0.001
"""p of the shoppers' shares below which an assignment is broken rather than unlucky (Fabijan et
al., KDD 2019, use 0.0005 to 0.001)."""


class Figure(Struct, frozen=True):
    """A ratio over an arm's searches and its interval; ``change`` is against the first arm."""

    value: float
    low: float
    high: float
    change: tuple[float, float, float] | None = None


class Arm(Struct, frozen=True):
    """One arm. ``figures`` are empty where too few shoppers were in it. ``share_p`` says how likely
    chance alone brings so many shoppers to this arm."""

    profile: str
    shoppers: int
    searches: int
    share_p: float
    figures: dict[str, Figure]


class Preference(Struct, frozen=True):
    """Of interleaved searches with a click, the share that the second profile won, ties half, less
    one half: above 0 shoppers prefer the second."""

    first: str
    second: str
    clicked_searches: int
    value: float
    low: float
    high: float


class ExperimentReport(Struct, frozen=True):
    """``warnings`` say what makes the figures doubtful."""

    name: str
    method: str
    at_least: int
    confidence: float
    arms: list[Arm]
    preference: Preference | None = None
    warnings: list[str] = []


@dataclass(slots=True)
class _Search:
    arm: str
    shopper: str
    results: int | None = None
    took_ms: float | None = None
    places: dict[str, int] = field(default_factory=dict)
    clicked: list[int] = field(default_factory=list)
    teams: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Products clicked, by whom they count for."""
    bought: bool = False


Count = Callable[[_Search], float]

FIGURES: Mapping[str, tuple[Count, Count]] = {
    "CTR@10": (
        lambda s: float(any(place <= DEPTH for place in s.clicked)),
        lambda s: 1.0,
    ),
    "MRR of clicks": (lambda s: 1 / min(s.clicked) if s.clicked else 0.0, lambda s: 1.0),
    "searches with a purchase": (lambda s: float(s.bought), lambda s: 1.0),
    "zero results": (lambda s: float(s.results == 0), lambda s: float(s.results is not None)),
    "latency ms": (lambda s: s.took_ms or 0.0, lambda s: float(s.took_ms is not None)),
}
"""Name → what a search adds above and below the line. The first three are what an experiment is
for, the last two are guardrails."""


def analyse(
    batches: Iterable[Sequence[Event]],
    name: str,
    experiment: ExperimentSettings,
    at_least: int,
    confidence: float = 0.95,
    seed: int = 0,
) -> ExperimentReport:
    """The report of one experiment over events in the order of their arrival."""
    searches = _searches(batches, name)
    if experiment.method == "interleave":
        return _interleaving(searches, name, experiment, at_least, confidence, seed)
    total = len({search.shopper for search in searches})
    parts = {p: [s for s in searches if s.arm == p] for p in experiment.profiles}
    arms: list[Arm] = []
    tables: list[dict[str, tuple[Floats, Floats]]] = []
    for profile, found in parts.items():
        shoppers = {search.shopper for search in found}
        share = experiment.profiles[profile] / sum(experiment.profiles.values())
        enough = len(shoppers) >= at_least
        tables.append(_tables(found) if enough else {})
        figures = {
            figure: _figure(tables[-1][figure], tables[0].get(figure), len(arms), confidence, seed)
            for figure in tables[-1]
        }
        arms.append(
            Arm(
                profile,
                len(shoppers) if enough else 0,
                len(found) if enough else 0,
                _share_p(len(shoppers), total, share),
                figures,
            )
        )
    return ExperimentReport(
        name, "split", at_least, confidence, arms, None, list(_warnings(arms, at_least))
    )


def _warnings(arms: Sequence[Arm], at_least: int) -> Iterable[str]:
    for arm in arms:
        if not arm.shoppers:
            yield f"{arm.profile}: fewer than {at_least} shoppers, nothing is shown of them"
        elif arm.share_p < SUSPICIOUS:
            yield (
                f"{arm.profile}: its number of shoppers is not what its share makes likely "
                f"(p = {arm.share_p:.2g}): events are lost or assigned wrongly, do not trust "
                "the comparison"
            )


def _searches(batches: Iterable[Sequence[Event]], name: str) -> list[_Search]:
    """What the events of one experiment say, by search; later events add to it."""
    found: list[_Search] = []
    last: dict[tuple[str, ...], _Search] = {}
    for event in (event for batch in batches for event in batch):
        experiment, _, arm = event.variant.partition(":")
        shopper = event.user_id or event.session_id
        if experiment != name or shopper is None:
            continue
        words = ("words", shopper, " ".join(event.query.casefold().split()))
        key = ("id", event.search_id) if event.search_id else words
        if event.type == "impression":
            places = {p.id: p.position or n for n, p in enumerate(event.products, 1)}
            seen = last.get(key) if event.search_id else None
            if seen is None and min(places.values(), default=1) > 1:
                seen = last.get(words)
            if seen is None:
                seen = _Search(arm, shopper, event.results, event.took_ms)
                found.append(seen)
            seen.places |= places
            last[key] = last[words] = seen
        elif key in last:
            _add(last[key], event, arm)
    return found


def _add(seen: _Search, event: Event, arm: str) -> None:
    """What was done with the products of a search."""
    seen.bought |= event.type == "purchase" and bool(event.products)
    if event.type == "click":
        for product in event.products:
            place = product.position or seen.places.get(product.id)
            seen.clicked += [place] if place else []
            seen.teams[arm].add(product.id)


def _tables(searches: Sequence[_Search]) -> dict[str, tuple[Floats, Floats]]:
    """Figure → sums by shopper above and below the line; without those that nobody reported."""
    rows = {shopper: n for n, shopper in enumerate(dict.fromkeys(s.shopper for s in searches))}
    found = {}
    for name, (above, below) in FIGURES.items():
        sums = np.zeros((2, len(rows)))
        for search in searches:
            sums[:, rows[search.shopper]] += above(search), below(search)
        if sums[1].any():
            found[name] = (sums[0], sums[1])
    return found


def _figure(
    own: tuple[Floats, Floats],
    first: tuple[Floats, Floats] | None,
    number: int,
    confidence: float,
    seed: int,
) -> Figure:
    above, below = own
    low, high = ratio_interval(above, below, confidence, seed)
    change = None
    if number and first is not None:
        change = ratio_change(first, own, confidence, seed)
    return Figure(float(above.sum() / below.sum()), low, high, change)


def _interleaving(
    searches: Sequence[_Search],
    name: str,
    experiment: ExperimentSettings,
    at_least: int,
    confidence: float,
    seed: int,
) -> ExperimentReport:
    first, second = experiment.profiles
    clicked = [s for s in searches if s.teams[first] or s.teams[second]]
    rows = {shopper: n for n, shopper in enumerate(dict.fromkeys(s.shopper for s in clicked))}
    arms: list[Arm] = []
    if len(rows) < at_least:
        warning = f"fewer than {at_least} shoppers clicked, nothing is shown of them"
        return ExperimentReport(name, "interleave", at_least, confidence, arms, None, [warning])
    won, counted = np.zeros(len(rows)), np.zeros(len(rows))
    for search in clicked:
        lead = len(search.teams[second]) - len(search.teams[first])
        won[rows[search.shopper]] += 0.5 + 0.5 * ((lead > 0) - (lead < 0))
        counted[rows[search.shopper]] += 1
    low, high = ratio_interval(won, counted, confidence, seed)
    value = float(won.sum() / counted.sum())
    preference = Preference(first, second, len(clicked), value - 0.5, low - 0.5, high - 0.5)
    return ExperimentReport(name, "interleave", at_least, confidence, arms, preference)


def _share_p(shoppers: int, total: int, share: float) -> float:
    """Two-sided p of a binomial count by its normal approximation."""
    if not total:
        return 1.0
    z = (shoppers - total * share) / math.sqrt(total * share * (1 - share))
    return math.erfc(abs(z) / math.sqrt(2))
