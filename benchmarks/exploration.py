"""What ``explore`` costs and what it shows, part of ``python -m benchmarks.personalization``.

Three weeks of a simulated shop make some products popular and leave most without a click. Then
every shopper comes once more and goes through 24 results, with and without exploration.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.population import Population, Visit
from benchmarks.shopping import Judge, copied, head, ids_of, line, record, search
from engine import Settings

WEEKS = 3
NEXT = 1000
"""The number of the visit that is compared; the simulated weeks number theirs from 0."""
SHARES = (0.1, 0.2)
COUNTED = (
    *("different in first 20", "never clicked before"),
    *("clicks", "carts", "purchases", "clicked first time"),
)
SEEN = 20
"""The first results that exploration may change by default."""


def exploration(configured: Settings, population: Population) -> None:
    now = datetime.now(UTC)
    events = list(population.weeks(WEEKS, now - timedelta(weeks=WEEKS)))
    events = [event for event in events if event.time is not None and event.time < now]
    chosen = {p.id for event in events if event.type != "impression" for p in event.products}
    print(
        f"\n{WEEKS} weeks: {len(events):,} events; {len(chosen):,} of {len(population.ids):,} "
        "products were clicked"
    )
    head("explore")
    visits = [population.visit(shopper, NEXT) for shopper in population.shoppers]
    told: dict[str, Counter[str]] = {}
    for share in SHARES:
        with copied(configured, explore={"share": share}) as shop:
            record(shop, events)
            lists = {
                profile: [ids_of(search(shop, visit, profile, "guest")) for visit in visits]
                for profile in ("default", "explored")
            }
        judged = {
            profile: np.asarray(
                [Judge(population, v)(ids) for v, ids in zip(visits, found, strict=True)]
            )
            for profile, found in lists.items()
        }
        line(f"share {share:g}", judged["default"], judged["explored"])
        for profile, name in (("default", "without"), ("explored", f"share {share:g}")):
            told[name] = shown(population, visits, lists[profile], chosen)
    print(f"\n{'':16}" + "".join(f"{name:>22}" for name in COUNTED))
    for name, counts in told.items():
        print(f"{name:16}" + "".join(f"{counts[each]:22,}" for each in COUNTED))


def shown(
    population: Population, visits: list[Visit], lists: list[list[str]], chosen: set[str]
) -> Counter[str]:
    """What the lists show that nobody had clicked before, and what shoppers do with them."""
    counts: Counter[str] = Counter()
    first = {id for ids in lists for id in ids[:SEEN]}
    counts["different in first 20"] = len(first)
    counts["never clicked before"] = len(first - chosen)
    start = datetime.now(UTC)
    new: set[str] = set()
    for visit, ids in zip(visits, lists, strict=True):
        for event in population.browse(visit, ids, start):
            if event.type == "impression":
                continue
            counts[f"{event.type}s"] += 1
            new |= {product.id for product in event.products} - chosen
    counts["clicked first time"] = len(new)
    return counts
