"""What business rules cost a search, by how many there are.

    python -m benchmarks.rules --config shop/entrepot.toml [--count 300]

Searches with and without the processor and ranker ``rules`` take turns in one process, so that a
busy machine slows both alike; queries are the index's own titles, searched by keywords alone, for
models would drown what is measured. Told are medians in milliseconds: of the search without rules,
and of the difference between neighbours.
The rules are phrases of which one applies to every tenth search; it pins three products, boosts
one brand and hides three products.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from engine import Engine, Filter, Query, SearchRequest, Settings, load_settings
from engine.settings import ProfileSettings

SIZES = (0, 1, 100, 1000)
LIMIT = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_with(load_settings(asked.config, os.environ), Path(folder))
        with Engine.open(settings) as engine:
            titles, ids = material(engine, asked.count)
            print(f"{len(titles)} searches a row; without rules: ms, with: ms more")
            for size in SIZES:
                write_rules(engine.rules.path, size, titles, ids)
                plain, more = measure(engine, titles)
                print(f"{size:>5} rules  {plain:6.2f}  {more:+.3f}")


def settings_with(settings: Settings, folder: Path) -> Settings:
    default = settings.profiles["default"]
    plain = ProfileSettings(("normalize",), ("availability",), (), {"text": 0.0, "image": 0.0})
    ruled = msgspec.structs.replace(
        plain, query_processors=("normalize", "rules"), rankers=("availability", "rules")
    )
    profiles = {"default": default, "without": plain, "with": ruled}
    path = str(folder / "rules.json")
    return msgspec.structs.replace(settings, profiles=profiles, rules_file=path)


def material(engine: Engine, count: int) -> tuple[list[str], list[str]]:
    """Titles of products chosen at random, and their ids."""
    with engine._live() as live:
        ids = live.store.scroll(Filter(), 1_000_000)
        chosen = random.Random(0).sample(ids, min(count, len(ids)))
        found = [product for product in live.store.get(chosen) if product is not None]
    return [product.title for product in found], [product.id for product in found]


def write_rules(path: Path, size: int, titles: Sequence[str], ids: Sequence[str]) -> None:
    """``size`` rules; the first of them is for every tenth title."""
    phrases: Iterator[list[str]] = iter([list(titles[::10])])
    rules = [
        {
            "id": f"r{n}",
            "when": {"query": {"exact": next(phrases, [f"nobody asks for {n}"])}},
            "then": {
                "pins": {
                    ids[n % len(ids)]: 1,
                    ids[(n + 1) % len(ids)]: 2,
                    ids[(n + 2) % len(ids)]: 5,
                },
                "boost": [{"filters": {"brand": "Acme"}, "factor": 1.5}],
                "hide": [{"ids": [ids[-1], ids[-2], ids[-3]]}],
            },
        }
        for n in range(size)
    ]
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    temporary.replace(path)


def measure(engine: Engine, titles: Sequence[str]) -> tuple[float, float]:
    """Median milliseconds of the plain search, and median of what rules add."""
    times: dict[str, list[float]] = {"without": [], "with": []}
    for turn, title in enumerate(titles):
        for profile in sorted(times, reverse=turn % 2 == 0):
            request = SearchRequest(Query(text=title), limit=LIMIT, profile=profile)
            started = time.perf_counter()
            answer = engine.search(request)
            times[profile].append((time.perf_counter() - started) * 1000)
            if answer.degraded:
                print(answer.degraded)
    pairs = zip(times["with"], times["without"], strict=True)
    return statistics.median(times["without"]), statistics.median(a - b for a, b in pairs)


if __name__ == "__main__":
    main()
