"""What the arrangers of diversity do to the first ten, what they cost in relevance and in time.

    python -m benchmarks.diversity --config shop/entrepot.toml --data DATA/fashion

The shop is an index of the data's ``products.jsonl``. Queries are the attribute queries (judged
over all products) and the 100 requests of ``requests.jsonl``; both are judged by attributes, which
diversity can only hurt. Of the first ten: the mean cosine of pairs in text and in image vectors,
distinct colours, first words of titles (brands, mostly) and titles, and nDCG@10 with the change
from the ranking as it was; 95 % bootstrap intervals over the queries, of changes paired by query.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.quality import Qrels
from benchmarks.understanding import UNDERSTOOD, shop_with, tasks
from engine import (
    Arranger,
    Engine,
    PluginManager,
    Query,
    RankingBatch,
    SearchRequest,
    bootstrap_interval,
    load_settings,
)
from engine.ranking import take
from engine.settings import ProfileSettings

FIRST = 10
WINDOW = 200
FIELDS, VECTORS = ("title", "color", "type"), ("text", "image")
LAMBDAS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.3)
ARRANGERS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "as ranked": ("mmr", {"lambda": 1.0}),
    **{f"mmr {value:g}": ("mmr", {"lambda": value}) for value in LAMBDAS},
    "mmr 0.7 image": ("mmr", {"text": 0}),
    "mmr 0.7 text": ("mmr", {"image": 0}),
    "caps color 3 in 10": ("caps", {"caps": [{"field": "color", "most": 3, "within": 10}]}),
    "variants by title": ("variants", {"field": "title"}),
}
Figures = dict[str, float]


def windows(shop: Engine, queries: Mapping[str, str]) -> dict[str, RankingBatch]:
    """The ranked window of each query, best first, with what any arranger needs."""
    found: dict[str, RankingBatch] = {}
    for id, text in queries.items():
        batch = shop.window(SearchRequest(Query(text)), FIELDS, VECTORS)
        if batch.ids:
            found[id] = take(batch, np.argsort(-batch.scores, kind="stable"))
    return found


def figures(batch: RankingBatch, order: Sequence[int], grades: Mapping[str, int]) -> Figures:
    """Of the first ten of ``batch`` in this order."""
    first = list(order[:FIRST])
    found = {using: alike(batch.vectors[using][first]) for using in VECTORS}
    titles = [str(batch.columns["title"][row]) for row in first]
    found["colours"] = len({batch.columns["color"][row] for row in first})
    found["brands"] = len({title.split()[0].lower() for title in titles})
    found["titles"] = len(set(titles))
    ideal = sorted(grades.values(), reverse=True)
    gained = [grades.get(batch.ids[row], 0) for row in first]
    found["nDCG"] = dcg(gained) / dcg(ideal) if ideal else 0.0
    return found


def alike(rows: np.ndarray[Any, Any]) -> float:
    """The mean cosine of pairs of those that have a vector."""
    lengths = np.linalg.norm(rows, axis=1)
    unit = rows[lengths > 0] / lengths[lengths > 0, None]
    n = len(unit)
    return float(((unit @ unit.T).sum() - n) / (n * (n - 1))) if n > 1 else 1.0


def dcg(gains: Sequence[float]) -> float:
    return float(sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains[:FIRST])))


def compare(
    name: str, found: Mapping[str, RankingBatch], qrels: Qrels, manager: PluginManager
) -> None:
    print(f"\n{name}: {len(found)} queries, mean cosine of pairs, distinct values, relevance at 10")
    print(
        f"{'':20}{'image':>7}{'text':>7}   {'95 % of both':17}{'colours':>8}{'brands':>8}"
        f"{'titles':>8}{'nDCG':>8}{'change':>9}   95 %"
    )
    plain: list[float] = []
    for label, (plugin, options) in ARRANGERS.items():
        arranger: Arranger = manager.create("arrangers", plugin, options)
        rows = [
            figures(batch, arranger.arrange(batch).tolist(), qrels.get(id, {}))
            for id, batch in found.items()
        ]
        mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        plain = plain or [row["nDCG"] for row in rows]
        both = bootstrap_interval([(row["image"] + row["text"]) / 2 for row in rows])
        change = np.subtract([row["nDCG"] for row in rows], plain)
        low, high = bootstrap_interval(change.tolist())
        print(
            f"{label:20}{mean['image']:7.3f}{mean['text']:7.3f}   "
            f"{both[0]:.3f} to {both[1]:.3f}   {mean['colours']:6.2f}{mean['brands']:8.2f}"
            f"{mean['titles']:8.2f}{mean['nDCG']:8.4f}{change.mean():+9.4f}   "
            f"{low:+.4f} to {high:+.4f}"
        )


def cost(found: Sequence[RankingBatch], manager: PluginManager) -> None:
    print(f"\nms per window of up to {WINDOW}{'':16}{'p50':>8}{'p95':>8}")
    for label in ("mmr 0.7", "mmr 0.7 image", "caps color 3 in 10", "variants by title"):
        plugin, options = ARRANGERS[label]
        arranger = manager.create("arrangers", plugin, options)
        p50, p95 = np.percentile([_ms(arranger, batch) for batch in found], [50, 95])
        print(f"{label:40}{p50:8.2f}{p95:8.2f}")


def _ms(arranger: Arranger, batch: RankingBatch) -> float:
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        arranger.arrange(batch)
        best = min(best, time.perf_counter() - started)
    return best * 1000


def search_cost(configured: Any, texts: Sequence[str]) -> None:
    """The stage ``rank`` of whole searches: the first time, when the window's vectors are read
    from the store, and again."""
    print(f"\nms of the stage rank{'':20}{'p50':>8}{'p95':>8}{'again':>8}{'p95':>8}")
    for name, arrangers in (("no arranger", ()), ("mmr", ("mmr",)), ("caps", ("caps",))):
        profile = msgspec.structs.replace(UNDERSTOOD, arrangers=arrangers)
        with shop_with(configured, profile) as shop:
            times = [[_rank_ms(shop, text) for text in texts] for _ in range(3)]
        first, again = times[0], np.minimum(times[1], times[2])
        figures = [*np.percentile(first, [50, 95]), *np.percentile(again, [50, 95])]
        print(f"{name:40}" + "".join(f"{value:8.2f}" for value in figures))


def _rank_ms(shop: Engine, text: str) -> float:
    return shop.search(SearchRequest(Query(text), limit=FIRST, fields=("id",))).timings["rank"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the fashion data")
    args = parser.parse_args()
    if not (args.data / "attribute_queries.jsonl").exists():
        sys.exit(f"skipped: {args.data} holds no attribute_queries.jsonl")
    configured = load_settings(args.config, os.environ)
    manager = PluginManager(configured.plugins)
    chosen = [task for task in tasks(args.data) if task.name in ("attributes, all", "requests")]
    every: list[RankingBatch] = []
    with shop_with(configured, ProfileSettings()) as shop:
        for task in chosen:
            found = windows(shop, task.queries)
            compare(task.name, found, task.qrels, manager)
            every += found.values()
    cost(every, manager)
    search_cost(configured, [text for task in chosen for text in task.queries.values()])


if __name__ == "__main__":
    main()
