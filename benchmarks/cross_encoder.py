"""What the ranker ``cross-encoder`` gains on queries that its model never saw, and its cost.

    python -m benchmarks.cross_encoder --data DATA/home_depot --model SERVED [SERVED …] \\
        --work FOLDER

``SERVED`` is made as :mod:`benchmarks.cross_encoder_training` says. Titles alone, words alone:
lanes ``text`` and ``bm25``, fused by rank; the first products of a window of 200 are read again.
Condensed nDCG@10 (judged products alone, ideal over all that are judged, gain = (grade - 1) / 2)
of the first 200, with 95 % bootstrap intervals; the change is paired by query. Times are the median
and the 95th percentile of one query's processor time, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.cross_encoder_training import held_out
from benchmarks.ltr import WORDS_ALONE, read_queries, shop
from engine import (
    PluginManager,
    Query,
    Ranker,
    RankingBatch,
    SearchRequest,
    Vectors,
    bootstrap_interval,
    ndcg,
)
from engine.ranking import take
from plugins.ltr.judgments import JudgedQuery

WINDOW = 200
TOPS = (20, 50, 200)
"""How many products are read."""
TIMED = 30
"""Queries whose time is taken."""


def quality(ranker: Ranker, batch: RankingBatch, query: JudgedQuery, top: int) -> float:
    """Condensed nDCG@10 of the window, its first ``top`` products read again.

    What nobody judged does not count, so only judged products need to be read: among them the
    order is the same.
    """
    order = np.argsort(-batch.scores, kind="stable")
    first = [row for row in order[:top] if batch.ids[row] in query.gains]
    rest = [row for row in order[top:] if batch.ids[row] in query.gains]
    scores = ranker.rank(take(batch, np.asarray(first, dtype=np.intp))) if first else []
    read = [first[place] for place in np.argsort(-np.asarray(scores), kind="stable")]
    return ndcg([query.gains[batch.ids[row]] for row in read + rest], query.gains.values())


def cost(ranker: Ranker, batches: Sequence[RankingBatch]) -> list[float]:
    """Milliseconds of processor time for whole windows."""
    times = []
    for batch in batches:
        started = time.process_time()
        ranker.rank(batch)
        times.append((time.process_time() - started) * 1000)
    return times


class AsRanked:
    """Reads nothing."""

    required_fields, required_vectors = (), ()

    def rank(self, batch: RankingBatch) -> Vectors:
        return batch.scores


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
    pairs = list(zip(batches, queries, strict=True))
    fused = np.asarray([quality(AsRanked(), batch, query, 0) for batch, query in pairs])
    low, high = bootstrap_interval(fused)
    print(f"{len(queries):,} held-out queries, {args.threads} threads")
    print(f"{'':28}{'nDCG@10':>8}   {'95 %':18}{'change':>8}   {'95 %':20}{'CPU ms':>8}{'p95':>8}")
    print(f"{'fused':28}{fused.mean():8.4f}   {low:.4f} to {high:.4f}")
    manager = PluginManager()
    for model in args.model:
        for top in args.tops:
            options = {"model": str(model), "top": top, "threads": args.threads}
            ranker = manager.create("rankers", "cross-encoder", options)
            values = np.asarray([quality(ranker, batch, query, top) for batch, query in pairs])
            low, high = bootstrap_interval(values)
            worse, better = bootstrap_interval(values - fused)
            p50, p95 = np.percentile(cost(ranker, batches[:TIMED]), [50, 95])
            print(
                f"{model.name[:18]:18}{f'top {top}':10}{values.mean():8.4f}   "
                f"{low:.4f} to {high:.4f}  {(values - fused).mean():+8.4f}   "
                f"{worse:+.4f} to {better:+.4f}   {p50:8.1f}{p95:8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
