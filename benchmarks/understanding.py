"""What query understanding does to search, and what it costs.

    python -m benchmarks.understanding --config shop/entrepot.toml --data DATA/fashion

The shop is an index of the data's ``products.jsonl``. nDCG@10 (gain = grade, log2 discount) of the
default profile without and with ``understand`` and ``understood``, over the attribute queries
(judged over the validation products, rankings reduced to them, and over all products) and over
the 100 requests of ``requests.jsonl``; the 95 % interval of the change is a bootstrap over pairs.
``--strengths 0 0.2 …`` compares strengths of the ranker on queries made from products that are
not for validation, which is how its default was chosen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.quality import Qrels, read_qrels, scores
from engine import (
    Engine,
    InvalidModel,
    PluginManager,
    QueryPlan,
    Settings,
    bootstrap_interval,
    load_settings,
)
from engine.assembly import open_encoders, open_stores
from engine.encoders import CachingEncoder
from engine.settings import ProfileSettings
from engine.types import MAX_WINDOW
from engine.vocabulary import ShopViews
from plugins.gazetteer import Gazetteer
from plugins.query_grammar import read

REQUESTS = Path(__file__).with_name("requests.jsonl")
PLAIN = ProfileSettings(query_processors=("normalize",), rankers=("availability",))
UNDERSTOOD = ProfileSettings(
    query_processors=("normalize", "understand"), rankers=("understood", "availability")
)
TUNING_QUERIES = 200
ROUNDS = 5

Row = Mapping[str, Any]


class Task(msgspec.Struct):
    """Queries with their judgments; ``gallery`` limits the rankings."""

    name: str
    queries: dict[str, str]
    qrels: Qrels
    gallery: set[str] | None = None


def rows_of(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def grade(product: Row, must: Row, wants: Row) -> int:
    """0: lacks what must be; 3: has all that is wanted, 2: some of it, 1: none of it."""
    if not all(_has(product, field, values) for field, values in must.items()):
        return 0
    met = sum(_has(product, field, values) for field, values in wants.items())
    return 3 if met == len(wants) else 2 if met else 1


def _has(product: Row, field: str, values: Any) -> bool:
    if isinstance(values, Mapping):
        return not _has(product, field, values["not"])
    if field == "title":
        return bool(set(product["title"].lower().replace("-", " ").split()) & set(values))
    return product.get(field) in values


def judged(requests: Sequence[Row], products: Sequence[Row]) -> Qrels:
    """Every product that satisfies a request at all, by :func:`grade`."""
    qrels: dict[str, dict[str, int]] = {}
    for request in requests:
        grades = {p["id"]: grade(p, request["must"], request["wants"]) for p in products}
        qrels[request["id"]] = {id: value for id, value in grades.items() if value}
    return qrels


def tasks(data: Path) -> list[Task]:
    products = rows_of(data / "products.jsonl")
    attributes = {row["id"]: row["text"] for row in rows_of(data / "attribute_queries.jsonl")}
    validation = set((data / "val_ids.txt").read_text(encoding="utf-8").split())
    requests = rows_of(REQUESTS)
    made = judged(requests, products)
    return [
        Task("attributes, val.", attributes, read_qrels(data / "attribute_qrels.tsv"), validation),
        Task("attributes, all", attributes, read_qrels(data / "attribute_qrels_all.tsv")),
        Task("requests", {row["id"]: row["text"] for row in requests}, made),
        *(
            Task(f"- {kind}", {r["id"]: r["text"] for r in requests if kind in r["kinds"]}, made)
            for kind in dict.fromkeys(kind for row in requests for kind in row["kinds"])
        ),
    ]


def tuning_task(data: Path, seed: int = 0) -> Task:
    """Queries like the attribute queries, but for other combinations, and judged over the
    products that are not for validation."""
    validation = set((data / "val_ids.txt").read_text(encoding="utf-8").split())
    products = [p for p in rows_of(data / "products.jsonl") if p["id"] not in validation]
    asked = {frozenset(r["text"].split()) for r in rows_of(data / "attribute_queries.jsonl")}
    combinations = Counter((p["type"], p["color"], p["gender"]) for p in products)
    known = sorted(c for c, count in combinations.items() if count >= 5)
    rng = random.Random(seed)
    queries: dict[str, str] = {}
    requests: list[Row] = []
    for type_, color, gender in rng.sample(known, len(known)):
        words = [color.lower(), type_.lower(), gender.lower()]
        if len(requests) == TUNING_QUERIES or frozenset(" ".join(words).split()) in asked:
            continue
        form = rng.choice(("{0} {1} {2}", "{2} {0} {1}", "{0} {1} for {2}"))
        id = f"t{len(requests)}"
        queries[id] = form.format(*words)
        wants = {"color": [color], "gender": [gender]}
        requests.append({"id": id, "must": {"type": [type_]}, "wants": wants})
    return Task("tuning", queries, judged(requests, products), {p["id"] for p in products})


@contextmanager
def shop_with(
    configured: Settings, profile: ProfileSettings, **options: dict[str, Any]
) -> Iterator[Engine]:
    """The engine with one profile and these options of its plugins."""
    search = msgspec.structs.replace(configured.search, depth=MAX_WINDOW)
    # A loaded machine must not cost a plugin its turn and the figures their meaning.
    plugins = msgspec.structs.replace(
        configured.plugins, options={**configured.plugins.options, **options}, deadline_ms=60_000
    )
    changes = {"profiles": {"default": profile}, "search": search, "plugins": plugins}
    with Engine(msgspec.structs.replace(configured, **changes)) as shop:
        yield shop


def all_scores(shop: Engine, task: Task) -> list[float]:
    return scores(shop, task.queries, task.qrels, "default", task.gallery)


def report(name: str, task: Task, values: Sequence[float], plain: Sequence[float]) -> None:
    change = np.subtract(values, plain)
    low, high = bootstrap_interval(change)
    print(
        f"{task.name:18}{len(values):5}  {name:7}{np.mean(values):8.4f}"
        f"{change.mean():+9.4f}   {low:+.4f} to {high:+.4f}"
    )


def compare(configured: Settings, todo: Sequence[Task], variants: Mapping[str, str]) -> None:
    """A line per task and variant; ``variants`` maps a name to a query model."""
    with shop_with(configured, PLAIN) as shop:
        plain = [all_scores(shop, task) for task in todo]
    print(
        f"{'queries':18}{'n':>5}  {'':7}{'nDCG@10':>8}{'change':>9}   95 % interval of the change"
    )
    found: dict[str, list[list[float]]] = {}
    for name, model in variants.items():
        with shop_with(configured, UNDERSTOOD, understand={"model": model}) as shop:
            found[name] = [all_scores(shop, task) for task in todo]
    for i, task in enumerate(todo):
        print(f"{task.name:18}{len(plain[i]):5}  {'plain':7}{np.mean(plain[i]):8.4f}")
        for name, values in found.items():
            report(name, task, values[i], plain[i])


def tune(configured: Settings, task: Task, model: str, strengths: Sequence[float]) -> None:
    options: dict[str, dict[str, Any]] = {"understand": {"model": model}}
    for strength in strengths:
        options["understood"] = {"strength": strength}
        with shop_with(configured, UNDERSTOOD, **options) as shop:
            values = all_scores(shop, task)
        low, high = bootstrap_interval(values)
        print(f"strength {strength:<6g}{np.mean(values):8.4f}   {low:.4f} to {high:.4f}")


def cost(configured: Settings, texts: Sequence[str], models: Sequence[str]) -> None:
    """Median and p95 milliseconds per query of each part."""
    manager = PluginManager(configured.plugins)
    stores, (text_encoder, _) = open_stores(configured, manager), open_encoders(configured, manager)
    store = stores.open(stores.current() or "")
    view = ShopViews(store, CachingEncoder(text_encoder, len(texts))).current
    text_encoder.encode_texts(texts, "query")
    gazetteer = Gazetteer.compile(view.vocabulary)
    parts: dict[str, Callable[[str], object]] = {"grammar": read, "vocabulary": gazetteer.find}
    for model in models:
        processor = manager.create("query_processors", "understand", {"model": model})
        processor.process(QueryPlan(), view)
        if model:
            parts["model"] = processor.reader.read
        parts["all" if model else "rules alone"] = partial(_process, processor, view)
    print(f"{'ms per query':18}{'p50':>8}{'p95':>8}")
    for name, part in parts.items():
        p50, p95 = np.percentile([_ms(part, text) for text in texts], [50, 95])
        print(f"{name:18}{p50:8.3f}{p95:8.3f}")
    store.close()
    stores.close()


def _process(processor: Any, view: Any, text: str) -> object:
    return processor.process(QueryPlan(original=text, text=text), view)


def _ms(part: Callable[[str], object], text: str) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        part(text)
        best = min(best, time.perf_counter() - started)
    return best * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the fashion data")
    parser.add_argument("--model", default="query-bert", help="query model; '' for rules alone")
    parser.add_argument("--strengths", type=float, nargs="*", help="compare these and stop")
    args = parser.parse_args()
    if not (args.data / "attribute_queries.jsonl").exists():
        sys.exit(f"skipped: {args.data} holds no attribute_queries.jsonl")
    configured: Settings = load_settings(args.config, os.environ)
    if args.strengths:
        tune(configured, tuning_task(args.data), args.model, args.strengths)
        return
    models = [""] + ([args.model] if _usable(args.model, configured) else [])
    todo = tasks(args.data)
    compare(configured, todo, {"all" if model else "rules": model for model in models})
    cost(configured, list(todo[2].queries.values()), models)


def _usable(model: str, configured: Settings) -> bool:
    if not model:
        return False
    manager = PluginManager(configured.plugins)
    try:
        return bool(manager.create("query_processors", "understand", {"model": model}).reader)
    except InvalidModel as error:
        print(f"without a model: {error}")
        return False


if __name__ == "__main__":
    main()
