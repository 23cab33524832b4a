"""What the ranker ``cross-encoder`` gains on queries that its model never saw, and its cost.

    python -m benchmarks.cross_encoder --data DATA/home_depot --model SERVED [SERVED …] \\
        --work FOLDER

``SERVED`` is made as :mod:`benchmarks.cross_encoder_training` says. Titles alone, words alone:
lanes ``text`` and ``bm25``, fused by rank; the first products of a window of 200 are read again.
Condensed nDCG@10 (judged products alone, ideal over all that are judged, gain = (grade - 1) / 2)
of the first 200, with 95 % bootstrap intervals; the change is paired by query.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.cross_encoder_training import held_out
from benchmarks.ltr import WORDS_ALONE, read_queries, shop
from engine import PluginManager, Query, Ranker, RankingBatch, SearchRequest, Vectors
from plugins.ltr.judgments import JudgedQuery
from plugins.ltr.measures import interval, ndcg

Floats = npt.NDArray[np.float64]
WINDOW = 200
TOPS = (10, 20, 30, 50, 100)
"""How many products are read."""


def quality(batch: RankingBatch, scores: Vectors, query: JudgedQuery) -> float:
    """Condensed nDCG@10 of the window in the order of ``scores``."""
    order = np.argsort(-scores, kind="stable")
    found = [query.gains[batch.ids[row]] for row in order if batch.ids[row] in query.gains]
    return ndcg(found, query.gains.values())


def measure(
    ranker: Ranker, batches: Sequence[RankingBatch], queries: Sequence[JudgedQuery]
) -> tuple[Floats, Floats]:
    """Condensed nDCG@10 and milliseconds, per query."""
    values, times = [], []
    for batch, query in zip(batches, queries, strict=True):
        started = time.perf_counter()
        scores = ranker.rank(batch)
        times.append((time.perf_counter() - started) * 1000)
        values.append(quality(batch, scores, query))
    return np.asarray(values), np.asarray(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder of home_depot")
    parser.add_argument("--model", type=Path, nargs="+", required=True, help="served folders")
    parser.add_argument("--work", type=Path, required=True, help="where the index is, or will be")
    parser.add_argument("--queries", type=int, default=1000, help="how many, of those held out")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tops", type=int, nargs="+", default=TOPS)
    args = parser.parse_args()
    if not (args.data / "qrels.tsv").exists():
        sys.exit(f"skipped: {args.data} holds no qrels.tsv")
    files = args.data / "queries.jsonl", args.data / "qrels.tsv"
    every = read_queries(*files, lambda grade: (grade - 1) / 2)
    queries = [q for q in every if held_out(q.id) and any(q.gains.values())][: args.queries]
    with shop(args.work, args.data / "products.jsonl", WORDS_ALONE, WINDOW) as engine:
        batches = [engine.window(SearchRequest(Query(q.text)), ("title",)) for q in queries]
    fused = np.asarray([quality(b, b.scores, q) for b, q in zip(batches, queries, strict=True)])
    low, high = interval(fused)
    print(f"{len(queries):,} held-out queries, {args.threads} threads")
    print(f"{'':28}{'nDCG@10':>8}   {'95 %':18}{'change':>8}   {'95 %':20}{'ms p50':>8}{'p95':>8}")
    print(f"{'fused':28}{fused.mean():8.4f}   {low:.4f} to {high:.4f}")
    manager = PluginManager()
    for model in args.model:
        for top in args.tops:
            options = {"model": str(model), "top": top, "threads": args.threads}
            ranker = manager.create("rankers", "cross-encoder", options)
            values, times = measure(ranker, batches, queries)
            low, high = interval(values)
            worse, better = interval(values - fused)
            p50, p95 = np.percentile(times, [50, 95])
            print(
                f"{model.name[:18]:18}{f'top {top}':10}{values.mean():8.4f}   "
                f"{low:.4f} to {high:.4f}  {(values - fused).mean():+8.4f}   "
                f"{worse:+.4f} to {better:+.4f}   {p50:8.1f}{p95:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
