"""Position bias, corrected and not: a simulation whose truth is known, and retrotech's sessions.

Part of ``python -m benchmarks.ltr``. The simulation has shoppers who look at place k with
probability ``1 / k^bias`` and click what attracts them; models are fitted to the attractions that
each click model finds and measured against the true ones, on queries that nobody searched for. The
sessions of retrotech have no truth; a click model is measured by how likely it finds sessions that
it was not fitted to.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from engine import bootstrap_interval, ndcg
from plugins.ltr import booster, clicks
from plugins.ltr.booster import Floats, Rows
from plugins.ltr.judgments import Impression

QUERIES, UNSEEN, SESSIONS, PRODUCTS, FEATURES = 200, 300, 50, 10, 5
BIASES = (0.5, 1.0, 1.5)
TREES = 100


def products(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The features of a query's products and what of them attracts: the first two tell."""
    values = rng.normal(size=(PRODUCTS, FEATURES))
    return values, 1 / (1 + np.exp(1 - 2 * values[:, 0] - values[:, 1]))


def simulated(bias: float, seed: int) -> tuple[list[Impression], list[Floats]]:
    """Sessions over lists that an older ranking made, mostly by the third feature, which tells
    nothing; and each query's features."""
    rng = np.random.default_rng(seed)
    seen, features = [], []
    for query in range(QUERIES):
        values, attracts = products(rng)
        features.append(values)
        usual = values[:, 2] + 0.5 * values[:, 0] + rng.normal(size=PRODUCTS) * 0.3
        for _ in range(SESSIONS):
            order = np.argsort(-(usual + rng.normal(size=PRODUCTS) * 0.5))
            looked = rng.random(PRODUCTS) < np.arange(1, PRODUCTS + 1.0) ** -bias
            clicked = order[looked & (rng.random(PRODUCTS) < attracts[order])]
            shown = [str(i) for i in order]
            seen.append(Impression(str(query), shown, [str(i) for i in clicked]))
    return seen, features


def learned(seen: list[Impression], features: list[Floats], positions: bool) -> booster.Trees:
    """A model of the judgments that a click model makes of the sessions."""
    counted = clicks.count(seen)
    judged = clicks.judged(counted, clicks.fit(counted, positions=positions))
    values, gains = [], []
    for query in judged:
        values.append(features[int(query.text)][[int(product) for product in query.gains]])
        gains.append(list(query.gains.values()))
    rows = Rows(
        np.concatenate(values).astype(np.float32),
        np.concatenate(gains),
        np.asarray([len(group) for group in gains]),
    )
    names = [f"f{i}" for i in range(FEATURES)]
    return booster.fit(rows, names, trees=TREES, seed=0, threads=1)


def truly(trees: booster.Trees, seed: int) -> Floats:
    """nDCG@10 by what really attracts, for queries without a session."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(UNSEEN):
        values, attracts = products(rng)
        order = np.argsort(-trees.margins(values.astype(np.float32)), kind="stable")
        found.append(ndcg(attracts[order], attracts))
    return np.asarray(found)


def report_simulation() -> None:
    print(f"\nposition bias, simulated: {QUERIES} queries × {SESSIONS} sessions, nDCG@10 by truth")
    print(f"{'bias':8}{'uncorrected':>12}{'corrected':>12}{'change':>10}")
    for bias in BIASES:
        seen, features = simulated(bias, seed=1)
        plain, corrected = (
            truly(learned(seen, features, positions), seed=2) for positions in (False, True)
        )
        low, high = bootstrap_interval(corrected - plain)
        print(
            f"1/k^{bias:<4g}{plain.mean():12.4f}{corrected.mean():12.4f}"
            f"{(corrected - plain).mean():+10.4f} ({low:+.4f} to {high:+.4f})"
        )


def sessions(path: Path) -> Iterator[Impression]:
    """One file of retrotech: a row per session and rank, in their order."""
    with gzip.open(path) as file:
        rows = csv.DictReader(io.TextIOWrapper(file, "utf-8"))
        for _, group in groupby(rows, key=lambda row: row["sess_id"]):
            shown = sorted(group, key=lambda row: float(row["rank"]))
            ids = [row["clicked_doc_id"] for row in shown]
            clicked = [row["clicked_doc_id"] for row in shown if row["clicked"] == "True"]
            yield Impression(shown[0]["query"], ids, clicked)


def report_clicks(data: Path, *_: object) -> None:
    """Both parts; what other tasks are given is not needed."""
    report_simulation()
    seen = [s for path in sorted(data.glob("*_sessions.gz")) for s in sessions(path)]
    held = [zlib.crc32(f"{i}".encode()) % 5 == 0 for i in range(len(seen))]
    fitted = clicks.count([s for s, out in zip(seen, held, strict=True) if not out])
    test = clicks.count([s for s, out in zip(seen, held, strict=True) if out])
    print(
        f"\nretrotech: {len(seen):,} sessions, {len(fitted.pairs):,} pairs of query and product, "
        f"{fitted.moved:,} shown at several places; log loss of the fifth held out"
    )
    for name, positions in (("uncorrected", False), ("corrected", True)):
        model = clicks.fit(fitted, positions=positions)
        print(f"{name:14}{clicks.log_loss(fitted, test, model):.4f}")
    shares = ", ".join(f"{value:.2f}" for value in model.examination[:10])
    print(f"looked at, by place: {shares}")
