"""Retrieval quality of every lane and of their fusion over judged queries.

    python -m benchmarks.quality --config shop/entrepot.toml --queries queries.jsonl \\
        --qrels qrels.tsv [--gallery ids.txt]

Prints nDCG@10 (gain = grade, log2 discount, unjudged = 0; ``ir_measures``) with a 95 %
bootstrap interval over the queries. ``--gallery`` keeps only these products of each ranking:
for the validation products of an index that holds more. Every figure goes through
:meth:`engine.Engine.search`, so it is what a shopper gets.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

import ir_measures
import msgspec
import numpy as np

from engine import Engine, Query, SearchRequest, Settings, bootstrap_interval, load_settings
from engine.settings import ProfileSettings
from engine.types import MAX_WINDOW

MEASURE = ir_measures.nDCG @ 10
LANES = ("bm25", "text", "image")

Qrels = Mapping[str, Mapping[str, int]]


def profiles() -> dict[str, ProfileSettings]:
    """One profile per lane alone, their fusion, and the default (fusion and plugins)."""
    words = ("normalize",)
    alone = {
        lane: ProfileSettings(words, (), weights={other: float(other == lane) for other in LANES})
        for lane in LANES
    }
    return {**alone, "fused": ProfileSettings(words, ()), "default": ProfileSettings()}


def read_qrels(path: Path) -> Qrels:
    """TREC qrels: ``query_id 0 product_id grade``, white space between."""
    qrels: dict[str, dict[str, int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        query, _, product, grade = line.split()
        qrels.setdefault(query, {})[product] = int(grade)
    return qrels


def scores(
    shop: Engine, queries: Mapping[str, str], qrels: Qrels, profile: str, gallery: set[str] | None
) -> list[float]:
    """nDCG@10 per judged query, in the order of ``queries``."""
    run: dict[str, dict[str, float]] = {}
    for id, text in queries.items():
        request = SearchRequest(Query(text), limit=MAX_WINDOW, profile=profile, fields=("id",))
        found = [hit.id for hit in shop.search(request).hits]
        kept = [p for p in found if gallery is None or p in gallery]
        run[id] = {product: -float(rank) for rank, product in enumerate(kept)}
    values = {m.query_id: m.value for m in ir_measures.iter_calc([MEASURE], qrels, run)}
    return [values.get(id, 0.0) for id in queries]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True, help='JSONL of {"id", "text"}')
    parser.add_argument("--qrels", type=Path, required=True, help="TREC qrels")
    parser.add_argument("--gallery", type=Path, help="product ids, one a line")
    args = parser.parse_args()
    rows = [json.loads(line) for line in args.queries.read_text(encoding="utf-8").splitlines()]
    qrels = read_qrels(args.qrels)
    queries = {row["id"]: row["text"] for row in rows if row["id"] in qrels}
    gallery = set(args.gallery.read_text().split()) if args.gallery else None
    configured: Settings = load_settings(args.config, os.environ)
    # To the full depth, so that a ranking reduced to the gallery still has its first ten.
    search = msgspec.structs.replace(configured.search, depth=MAX_WINDOW)
    settings = msgspec.structs.replace(configured, profiles=profiles(), search=search)
    with Engine(settings) as shop:
        health = shop.health()
        print(f"{len(queries)} queries, {health.products:,} products, encoders {health.encoders}")
        if gallery:
            print(f"rankings reduced to {len(gallery):,} products")
        print(f"{'lane':10}{'nDCG@10':>9}   95 % interval")
        for name in settings.profiles:
            values = scores(shop, queries, qrels, name, gallery)
            low, high = bootstrap_interval(np.asarray(values))
            print(f"{name:10}{np.mean(values):9.4f}   {low:.4f} to {high:.4f}")


if __name__ == "__main__":
    main()
