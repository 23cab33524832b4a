"""How well recommendations foretell what simulated shoppers go for next.

    python -m benchmarks.recommendations --config shop/entrepot.toml --data DATA/fashion

The shop is an index of the data's ``products.jsonl``; give a copy, for events are written into its
data folder. Shoppers are those of :mod:`benchmarks.population`. A time split: what happened before
the last ``--test-weeks`` weeks is recorded and learned from, a collaborative model is trained on
it, and of what happened after it is asked

- *user*: what a shopper with a history clicks in the last weeks, from that history;
- *product*: what is clicked in the same visit, from the first click (as on a product's page);
- *cart*: what is bought with it, from the first product bought (only the capsules tell).

Each case is asked of every recommender alone and of the engine's mix. Reported with 95 % bootstrap
intervals over shoppers, for the ``report`` half (shoppers of odd number); weights of the mix were
chosen on the other. Hit rate: whether one of the first ten is right. Coverage: the share of the
shop that is recommended to anybody; tail: the share of recommendations that are not among the
fifth of products that were most popular.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from benchmarks.population import Population
from engine import (
    Engine,
    Event,
    Interactions,
    RecommendationRequest,
    Recommended,
    Settings,
    load_settings,
    read_interactions,
)
from engine.evaluation.statistics import ratio_interval
from engine.mixing import mix
from engine.settings import Place, PluginSettings, RecommendationSettings
from plugins.recommenders import training
from plugins.recommenders.models import Manifest, Versions
from plugins.recommenders.popularity import decayed

PLACES: tuple[Place, ...] = ("user", "product", "cart")
TOP, DEPTH = 10, 50
BATCH = 1000
POPULAR = 0.2
VALUES = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
ALONE = (
    "popularity",
    "trending",
    "newest",
    "content",
    "viewed_together",
    "bought_together",
    "collaborative",
)
Lists = Mapping[str, Sequence[str]]


class Case(Struct, frozen=True):
    """A question, and the products that are right."""

    place: str
    shopper: str
    request: RecommendationRequest
    right: frozenset[str]

    @property
    def reported(self) -> bool:
        """Whether this shopper belongs to the half that is reported."""
        return int(self.shopper.removeprefix("u")) % 2 == 1


def cases(before: Sequence[Event], after: Sequence[Event]) -> list[Case]:
    """In random order; what somebody had before is not right again."""
    had: dict[str, set[str]] = {}
    for event in before:
        if event.type != "impression" and event.user_id:
            had.setdefault(event.user_id, set()).update(p.id for p in event.products)
    found: list[Case] = []
    by_user: dict[str, set[str]] = {}
    for _, visit in groupby(after, key=lambda event: event.session_id):
        events = [event for event in visit if event.type != "impression"]
        found += _of_visit(events)
        for event in events:
            by_user.setdefault(str(event.user_id), set()).update(p.id for p in event.products)
    for shopper, products in by_user.items():
        if shopper in had and (right := frozenset(products - had[shopper])):
            request = RecommendationRequest(user_id=shopper, fields=("title",))
            found.append(Case("user", shopper, request, right))
    rng = np.random.default_rng(0)
    return [found[i] for i in rng.permutation(len(found))]


def _of_visit(events: Sequence[Event]) -> Iterator[Case]:
    clicked = list(dict.fromkeys(e.products[0].id for e in events if e.type == "click"))
    bought = list(dict.fromkeys(e.products[0].id for e in events if e.type == "purchase"))
    for place, ids in (("product", clicked), ("cart", bought)):
        if len(ids) > 1:
            seed = {"product": ids[0]} if place == "product" else {"cart": (ids[0],)}
            request = RecommendationRequest(**seed, fields=("title",))  # type: ignore[arg-type]
            yield Case(place, str(events[0].user_id), request, frozenset(ids[1:]))


def record(engine: Engine, events: Sequence[Event]) -> None:
    for start in range(0, len(events), BATCH):
        refused = [
            r.error for r in engine.record(events[start : start + BATCH]) if r.status != "accepted"
        ]
        if refused:
            sys.exit(f"{len(refused)} events were not accepted, such as: {refused[0]}")


def train(settings: Settings, seen: Interactions, recipe: training.Recipe) -> str:
    """As ``entrepot recommend train`` does, but that it goes live whatever it is like."""
    recipe, figures = training.choose(seen, recipe)
    model = training.fit(seen, recipe)
    manifest = Manifest(
        products=model.ids,
        factors=recipe.factors,
        alpha=recipe.alpha,
        regularization=recipe.regularization,
        iterations=recipe.iterations,
        seed=recipe.seed,
        interactions=len(seen),
        shoppers=len(set(seen.shopper.tolist())),
        trained_at=datetime.now(UTC).isoformat(),
        implicit=training.version(),
        figures=figures,
    )
    versions = Versions(settings.data_path)
    versions.promote(versions.add(manifest, model.products))
    return f"regularization {recipe.regularization:g}, {figures}"


def ask(engine: Engine, case: Case, names: Sequence[str]) -> Lists:
    """What each recommender alone gives for a case."""
    found = {}
    for name in names:
        request = msgspec.structs.replace(case.request, recommenders=(name,), limit=DEPTH)
        answer = engine.recommend(request)
        if answer.degraded:
            sys.exit(f"{name} failed: {answer.degraded[0].reason}")
        found[name] = [item.id for item in answer.items]
    return found


def mixed(lists: Lists, weights: Mapping[str, float], k: int) -> list[str]:
    """The engine's mix of these lists, with those fallbacks behind it."""
    named = {
        name: [Recommended(id, 0.0, "", "") for id in lists[name]]
        for name in weights
        if name in lists
    }
    ids = [each.id for each in mix(named, weights, k)]
    for fallback in RecommendationSettings().fallback:
        ids += lists.get(fallback, ())
    return list(dict.fromkeys(ids))[:TOP]


def scores(case: Case, ids: Sequence[str]) -> tuple[float, float, float]:
    """Hit rate, recall and nDCG at ten."""
    hits = [id in case.right for id in ids[:TOP]]
    gained = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits))
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(TOP, len(case.right))))
    return float(any(hits)), sum(hits) / min(TOP, len(case.right)), gained / ideal


def report(
    place: str, asked: Sequence[tuple[Case, Lists]], tail: frozenset[str], size: int
) -> None:
    systems = list(asked[0][1])
    print(f"\n{place}: {len(asked)} cases of {len({c.shopper for c, _ in asked})} shoppers")
    print(
        f"{'':18}{'hit@10':>8}   {'95 %':16}{'recall':>7}{'nDCG':>8}{'coverage':>10}{'tail':>6}"
        "   change of hit@10 against popularity, 95 %"
    )
    base = np.asarray([scores(case, lists["popularity"])[0] for case, lists in asked])
    shoppers = np.unique([case.shopper for case, _ in asked], return_inverse=True)[1]
    for name in systems:
        rows = np.asarray([scores(case, lists[name]) for case, lists in asked])
        shown = [id for _, lists in asked for id in lists[name][:TOP]]
        low, high = by_shopper(rows[:, 0], shoppers)
        change = by_shopper(rows[:, 0] - base, shoppers)
        print(
            f"{name:18}{rows[:, 0].mean():8.4f}   {low:.4f} to {high:.4f}{rows[:, 1].mean():9.4f}"
            f"{rows[:, 2].mean():8.4f}{len(set(shown)) / size:10.1%}"
            f"{sum(id in tail for id in shown) / max(len(shown), 1):6.0%}"
            f"   {(rows[:, 0] - base).mean():+.4f} ({change[0]:+.4f} to {change[1]:+.4f})"
        )


def by_shopper(values: np.ndarray, shoppers: np.ndarray) -> tuple[float, float]:
    """The interval of the mean, by resampling shoppers: one's cases are not independent."""
    return ratio_interval(np.bincount(shoppers, weights=values), np.bincount(shoppers))


def timings(engine: Engine, asked: Sequence[Case]) -> None:
    """Milliseconds per request, and of each part."""
    print(f"\nms per recommendation{'':12}{'p50':>8}{'p95':>8}   parts at the median")
    for place in PLACES:
        answers = [engine.recommend(case.request) for case in asked if case.place == place][:300]
        p50, p95 = np.percentile([answer.took_ms for answer in answers], [50, 95])
        parts: dict[str, list[float]] = {}
        for answer in answers:
            for name, ms in answer.timings.items():
                parts.setdefault(name, []).append(ms)
        told = ", ".join(f"{name} {np.median(ms):.2f}" for name, ms in parts.items())
        print(f"{place:33}{p50:8.2f}{p95:8.2f}   {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the fashion data")
    parser.add_argument("--shoppers", type=int, default=3000)
    parser.add_argument("--weeks", type=float, default=10.0)
    parser.add_argument("--test-weeks", type=float, default=2.0)
    parser.add_argument("--cases", type=int, default=1500, help="at most, of each place")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--half", choices=("report", "tune"), default="report")
    args = parser.parse_args()
    catalogue = args.data / "products.jsonl"
    if not catalogue.exists():
        sys.exit(f"skipped: {args.data} holds no products.jsonl")
    products = [msgspec.json.decode(line) for line in catalogue.open("rb")]
    population = Population(products, args.data, args.shoppers, args.seed)
    now = datetime.now(UTC)
    # What is asked about lies in the future and is told to nobody.
    start = now - timedelta(weeks=args.weeks - args.test_weeks)
    events = list(population.weeks(args.weeks, start))
    before = [event for event in events if event.time and event.time < now]
    after = [event for event in events if event.time and event.time >= now]
    # Of the machine nothing is to be measured here, and it may be busy.
    settings = msgspec.structs.replace(
        load_settings(args.config, os.environ), plugins=PluginSettings(deadline_ms=60_000)
    )
    with Engine(settings) as engine:
        record(engine, before)
        seen = read_interactions(engine.behaviour.store.iterate(), now)
        began = time.perf_counter()
        figures = train(settings, seen, training.Recipe(least=settings.events.anonymity))
        print(f"trained in {time.perf_counter() - began:.1f} s: {figures}")
    with Engine(settings) as engine:
        began = time.perf_counter()
        engine.learning.learn()
        print(f"{len(seen):,} interactions read and learned in {time.perf_counter() - began:.1f} s")
        reported = args.half == "report"
        found = [c for c in cases(before, after) if c.reported == reported]
        chosen = [c for p in PLACES for c in [c for c in found if c.place == p][: args.cases]]
        run(engine, chosen, seen, frozenset(population.ids), args.half)
        timings(engine, chosen)


def run(
    engine: Engine,
    chosen: Sequence[Case],
    seen: Interactions,
    ids: frozenset[str],
    half: str,
) -> None:
    defaults = RecommendationSettings()
    k = engine.settings.search.rrf_k
    popular = np.argsort(-decayed(seen, 30.0), kind="stable")
    # Nobody looked at most products: the fifth is one of the whole shop.
    head = {seen.products[i] for i in popular[: round(POPULAR * len(ids))]}
    tail = ids - head
    asked = [(case, ask(engine, case, ALONE)) for case in chosen]
    for place in PLACES:
        weights = {name: defaults.weight(place, name) for name in defaults.recommenders}
        whole = [
            (case, {**lists, "mix": mixed(lists, weights, k)})
            for case, lists in asked
            if case.place == place
        ]
        report(f"{place} ({half} half)", whole, tail, len(ids))
    if half == "tune":
        sweep(asked, k)


def sweep(asked: Sequence[tuple[Case, Lists]], k: int) -> None:
    """Weights with a better nDCG, by coordinate ascent from the defaults."""
    defaults = RecommendationSettings()
    for place in PLACES:
        here = [(case, lists) for case, lists in asked if case.place == place]

        def gained(
            weights: Mapping[str, float], here: Sequence[tuple[Case, Lists]] = here
        ) -> list[float]:
            rows = [scores(case, mixed(lists, weights, k)) for case, lists in here]
            return list(np.mean(rows, axis=0)[[2, 0]])

        weights = {name: defaults.weight(place, name) for name in defaults.recommenders}
        weights.setdefault("popularity", 0.0)
        best = gained(weights)
        print(f"\n{place}: nDCG {best[0]:.4f}, hit rate {best[1]:.4f} with {weights}")
        for name in [*weights] * 2:
            for value in VALUES:
                tried = {**weights, name: value}
                if (found := gained(tried)) > best:
                    best, weights = found, tried
        print(f"{place}: nDCG {best[0]:.4f}, hit rate {best[1]:.4f} with {weights}")


if __name__ == "__main__":
    main()
