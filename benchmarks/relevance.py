"""What each step of a search brings, from one lane to the full stack.

    python -m benchmarks.relevance --data DATA [--work FOLDER] [--only home_depot fashion]
        [--part 4]

Real engine, real encoders, indexes built in ``--work`` (kept there; a temporary folder without it).
Weights, cut-offs and calibration were chosen on development queries (of home_depot every fourth,
of fashion those drawn by seed 0 for one half); what is printed is of the others. ``--part n`` takes
every n-th of these. 95 % bootstrap intervals over queries. See ``docs/relevance.md``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from benchmarks.ltr import HIDDEN, read_queries
from engine import Engine, Query, SearchRequest, Settings, bootstrap_interval, ndcg
from engine.fusion import Fusion, fuse
from engine.inquiry import begin
from engine.search import Retrieved, retrieve
from engine.settings import CatalogueSettings, ProfileSettings, SearchSettings
from engine.shop_words import read_lexicon
from engine.types import MAX_WINDOW
from indexer import run_build
from plugins.ltr import features
from plugins.ltr.booster import Floats
from plugins.ltr.examples import Example, example
from plugins.ltr.judgments import JudgedQuery
from plugins.ltr.training import Recipe, choose_trees, fit, folds

CONDENSED_OF = 200
"""Products of a ranking of which the condensed figure sees the judged ones."""
RECALLED = 100
GOOD = (2.33 - 1) / 2
"""The gain of the grade from which a title of home_depot counts as found."""
LEARNED = "and learning to rank"
DEVELOPMENT = 4
"""One query of home_depot in so many is a development one."""
PROFILES = {
    "default": ProfileSettings(("normalize",), ()),
    "spelled": ProfileSettings(("normalize", "spelling"), ()),
    "full": ProfileSettings(("normalize", "spelling", "understand"), ("understood",)),
}


class Order(NamedTuple):
    """One ranking of one query; ``found`` are product ids, best first."""

    query: JudgedQuery
    found: Sequence[str]


Rankings = dict[str, list[Order]]
Measure = Callable[[Order], float]


def ndcg_at_10(order: Order) -> float:
    """Linear gain, log2 discount; what nobody judged is irrelevant."""
    gains = [order.query.gains.get(id, 0.0) for id in order.found[:10]]
    return ndcg(np.asarray(gains), tuple(order.query.gains.values()))


def condensed(order: Order) -> float:
    """The same of the judged products among the first ones alone (Sakai, SIGIR 2007)."""
    known = order.query.gains
    gains = [known[id] for id in order.found[:CONDENSED_OF] if id in known]
    return ndcg(np.asarray(gains), tuple(known.values()))


def recall(order: Order) -> float:
    good = {id for id, gain in order.query.gains.items() if gain >= GOOD - 1e-9}
    return len(good.intersection(order.found[:RECALLED])) / len(good) if good else np.nan


def open_shop(folder: Path, catalogue: Path, ignore: Sequence[str] = ()) -> Engine:
    """The engine over an index of ``catalogue`` in ``folder``, which is built where it is not."""
    settings = Settings(
        root=str(folder),
        catalogue=CatalogueSettings(source=str(catalogue), ignore=tuple(ignore)),
        search=SearchSettings(depth=MAX_WINDOW, rerank_window=MAX_WINDOW),
        profiles=PROFILES,
        # A busy machine must not cost a plugin its turn and the figures their meaning.
        plugins=msgspec.structs.replace(Settings().plugins, deadline_ms=60_000),
    )
    engine = Engine(settings)
    if not any(generation.live for generation in engine.generations()):
        engine.promote(run_build(settings).generation)
    with engine._live() as live:  # spelling learns the shop's words behind the searches
        live.shop.learn(read_lexicon(live.store))
    return engine


def retrieved(engine: Engine, query: JudgedQuery, profile: str) -> Retrieved:
    """What the lanes find for one query, and its fusion."""
    request = SearchRequest(Query(query.text), profile=profile)
    with engine._live() as live:
        found = retrieve(begin(request, live, engine.settings.search))
    assert found is not None
    return found


def searched(engine: Engine, query: JudgedQuery) -> tuple[dict[str, list[str]], Example, list[str]]:
    """The rankings of one query by its stages, its window as a ranking model sees it, and the
    products of that."""
    plain = retrieved(engine, query, "default")
    found = {name: [hit.id for hit in hits] for name, hits in plain.found.items()}
    found.pop("codes", None)
    equal = Fusion(dict.fromkeys(found, 1.0), "rrf", 60)
    lanes = {name: plain.found[name] for name in found}
    found["by ranks, equal weights"] = [id for _, id in fuse(lanes, equal)]
    found["by scores (default)"] = [id for _, id in plain.ranking]
    spelled = retrieved(engine, query, "spelled")
    found["and spelling"] = [id for _, id in spelled.ranking]
    request = SearchRequest(Query(query.text), profile="full")
    batch = engine.window(request, features.fields())
    ranked = np.argsort(-batch.scores, kind="stable")
    found["and understanding"] = [batch.ids[i] for i in ranked]
    return found, example(query, batch.ids, features.matrix(batch)), batch.ids


def cross_fitted(
    examples: Sequence[Example], ids: Sequence[Sequence[str]], recipe: Recipe
) -> list[list[str]]:
    """Each window in the order of a model that never saw its query."""
    fold = folds(examples, recipe.folds, recipe.seed)
    orders: list[list[str]] = [[] for _ in examples]
    for k in range(recipe.folds):
        training = [examples[i] for i in np.flatnonzero(fold != k).tolist()]
        trees = fit(training, choose_trees(training, recipe), recipe)
        for i in np.flatnonzero(fold == k).tolist():
            margins = trees.margins(examples[i].values, None, recipe.threads)
            orders[i] = [ids[i][row] for row in np.argsort(-margins, kind="stable").tolist()]
    return orders


def report(rankings: Mapping[str, Sequence[Order]], measures: Mapping[str, Measure]) -> None:
    print(f"{'':34}" + "".join(f"{name:>28}" for name in measures))
    before: dict[str, Floats] = {}
    for name, orders in rankings.items():
        line, change = f"{name:34}", f"{'      change':34}"
        for title, measure in measures.items():
            values = np.asarray([measure(order) for order in orders])
            kept = values[~np.isnan(values)]
            low, high = bootstrap_interval(kept)
            line += f"{kept.mean():9.4f} ({low:.4f} to {high:.4f})".rjust(28)
            if title in before and len(before[title]) == len(values):
                paired = values - before[title]
                paired = paired[~np.isnan(paired)]
                low, high = bootstrap_interval(paired)
                change += f"{paired.mean():+9.4f} ({low:+.4f} to {high:+.4f})".rjust(28)
            before[title] = values
        print(line)
        if name not in ("bm25", "text", "image", "by ranks, equal weights"):
            print(change)


def rankings_of(engine: Engine, queries: Sequence[JudgedQuery], recipe: Recipe) -> Rankings:
    """Every stage's ranking of every query, and a ranking model's on top."""
    rankings: Rankings = {}
    examples: list[Example] = []
    windows: list[list[str]] = []
    for number, query in enumerate(queries, 1):
        found, window, ids = searched(engine, query)
        for name, order in found.items():
            rankings.setdefault(name, []).append(Order(query, order))
        examples.append(window)
        windows.append(ids)
        if number % 500 == 0:
            print(f"  {number:,} of {len(queries):,} queries searched", flush=True)
    rankings = {name: orders for name, orders in rankings.items() if any(o.found for o in orders)}
    learned = cross_fitted(examples, windows, recipe)
    last = [Order(query, order) for query, order in zip(queries, learned, strict=True)]
    return {**rankings, LEARNED: last}


def home_depot(data: Path, work: Path, part: int) -> None:
    """Product titles alone; grades 1 to 3 as gains of 0 to 1."""
    files = data / "queries.jsonl", data / "qrels.tsv"
    queries = read_queries(*files, lambda grade: (grade - 1) / 2)
    reported = [query for n, query in enumerate(queries) if n % DEVELOPMENT]
    reported = [query for query in reported[::part] if max(query.gains.values()) > 0]
    with open_shop(work / "hd", data / "products.jsonl") as engine:
        rankings = rankings_of(engine, reported, Recipe(condensed=True, cut=CONDENSED_OF))
    print(f"\nhome_depot, {len(reported):,} reported queries, 54,667 titles, window {MAX_WINDOW}")
    condensed_name = f"condensed nDCG@10 of {CONDENSED_OF}"
    report(rankings, {condensed_name: condensed, "nDCG@10": ndcg_at_10, "Recall@100": recall})


def fashion(data: Path, work: Path, part: int) -> None:
    """Attribute queries, with the fields they ask for neither indexed nor shown to a ranker."""
    validation = set((data / "val_ids.txt").read_text().split())
    queries = data / "attribute_queries.jsonl"
    with open_shop(work / "fashion-hidden", data / "products.jsonl", HIDDEN) as engine:
        for name, qrels, gallery in (
            ("all 18,318 products", "attribute_qrels_all.tsv", None),
            ("the 1,837 products no model has seen", "attribute_qrels.tsv", validation),
        ):
            judged = read_queries(queries, data / qrels, lambda grade: grade)
            half = np.random.default_rng(0).random(len(judged)) < 0.5
            reported = [q for q, development in zip(judged, half, strict=True) if not development]
            rankings = rankings_of(engine, reported[::part], Recipe())
            if gallery is not None:
                rankings = {
                    stage: [Order(o.query, [id for id in o.found if id in gallery]) for o in orders]
                    for stage, orders in rankings.items()
                    # Taught by judgments of these products alone it takes all others for wrong.
                    if stage != LEARNED
                }
            print(f"\nfashion, {len(reported[::part])} reported queries, {name}")
            report(rankings, {"nDCG@10": ndcg_at_10})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with home_depot/, …")
    parser.add_argument("--work", type=Path, help="keep indexes here")
    names: dict[str, Callable[[Path, Path, int], None]] = {
        "home_depot": home_depot,
        "fashion": fashion,
    }
    parser.add_argument("--only", nargs="*", choices=names, default=list(names))
    parser.add_argument("--part", type=int, default=1, help="only every so many-th query")
    args = parser.parse_args()
    missing = [name for name in args.only if not (args.data / name).is_dir()]
    if missing:
        sys.exit(f"skipped: {args.data} holds no {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="entrepot-relevance-") as folder:
        for name in args.only:
            names[name](args.data / name, args.work or Path(folder), args.part)


if __name__ == "__main__":
    main()
