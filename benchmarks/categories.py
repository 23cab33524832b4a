"""What it brings to rank by the likely kinds of products, where no word names the kind.

    python -m benchmarks.categories --data DATA --write retail
    entrepot index --config retail/entrepot.toml
    python -m benchmarks.categories --data DATA --retail retail/entrepot.toml \\
        --fashion shop/entrepot.toml --demo demo/entrepot.toml [--half dev]

One row per set of queries: the default profile with ``understood.kinds`` at 0 and at 1, and the
change with its 95 % interval (bootstrap over queries). ``--write`` makes a shop of
``retail_demo_store`` (2,465 products, 85 kinds, no photos). The sets:

========== ========================================================================================
needs      ``needs.jsonl``, by hand, before any was run: descriptions of a need that name no
           product, and the kinds that serve it. nDCG@10, a product of such a kind counting 1.
texts      a sentence of a product's description without the words of its title and category, in
           the retail shop: by kind as above, and that product's reciprocal rank
titles     three words of a title, in their order, in the retail shop: its reciprocal rank
named      the English queries for products of the demo shop (``multilingual/demo_store.jsonl``):
           reciprocal rank
attributes the attribute queries of ``fashion``, which name type, colour and department: nDCG@10
satisfied  the share of ``satisfaction.jsonl``, and *well*: see :mod:`benchmarks.satisfaction`
========== ========================================================================================

Every other need, the first 900 texts and titles and the development half of the last chose how it
is done; the other needs, the next 300 texts and titles and the other half are reported. The demo
shop's and the attribute queries were looked at as a whole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from benchmarks.quality import Qrels, read_qrels
from benchmarks.satisfaction import REQUESTS, demo_products, judge, lines
from engine import Engine, Query, SearchRequest, bootstrap_interval, load_settings

NEEDS = Path(__file__).with_name("needs.jsonl")
NAMED = Path(__file__).with_name("multilingual") / "demo_store.jsonl"
MADE = {"dev": slice(0, 900), "report": slice(900, 1200)}
DEPTH = 10
LONG = range(5, 15)
"""Words of a sentence that becomes a query."""

Row = Mapping[str, Any]
Found = Sequence[str]
Measure = Callable[[Row, Found], float]


class Task(msgspec.Struct):
    """Queries of one shop, and what is measured of their results."""

    shop: str
    name: str
    queries: Sequence[Row]
    measures: dict[str, Measure]


def retail_products(data: Path) -> list[Row]:
    """The products of ``retail_demo_store`` as a catalogue (PyYAML comes with Litestar)."""
    text = (data / "retail_demo_store" / "products" / "data" / "products.yaml").read_text("utf-8")
    return [
        {
            "id": row["id"],
            "title": row["name"],
            "description": row["description"],
            "category": f"{row['category']}/{row['style']}",
            "price": row["price"],
        }
        for row in yaml.safe_load(text)
    ]


def write_shop(folder: Path, products: Sequence[Row]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(json.dumps(row) + "\n" for row in products)
    (folder / "products.jsonl").write_text(rows, encoding="utf-8")
    (folder / "entrepot.toml").write_text(
        'shop = "retail"\n[catalogue]\nsource = "products.jsonl"\ncategory_separator = "/"\n'
        'locale = "en"\n'
    )


def texts(products: Sequence[Row], seed: int = 7) -> Iterator[Row]:
    """Queries of what descriptions say besides what the product is called."""
    for row in random.Random(seed).sample(products, len(products)):
        own = _words(f"{row['title']} {row['category']}")
        told = own | {word.rstrip("s") for word in own}
        for sentence in re.split(r"(?<=[.!?])\s+", row["description"]):
            words = re.findall(r"[a-zA-Z'-]+", sentence)
            left = [word for word in words if not {word.lower(), word.lower().rstrip("s")} & told]
            if len(left) in LONG and len(left) >= 0.8 * len(words):
                yield {"text": " ".join(left), "product": row["id"], "kinds": [row["category"]]}
                break


def titles(products: Sequence[Row], seed: int = 8) -> Iterator[Row]:
    """Queries of three words of a title."""
    rng = random.Random(seed)
    for row in rng.sample(products, len(products)):
        words = row["title"].split()
        if len(words) > 3:
            places = sorted(rng.sample(range(len(words)), 3))
            yield {"text": " ".join(words[i] for i in places), "product": row["id"]}


def _words(text: str) -> set[str]:
    return set(re.findall("[a-z]+", text.lower()))


def gain(grades: Sequence[float], ideal: Sequence[float]) -> float:
    """nDCG of the first ten (gain = grade, log2 discount)."""
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    best = np.asarray(sorted(ideal, reverse=True)[:DEPTH])
    got = np.asarray(grades[:DEPTH])
    whole = float(best @ discounts[: len(best)])
    return float(got @ discounts[: len(got)]) / whole if whole else 0.0


def by_kind(kinds: Mapping[str, str]) -> Measure:
    """``kinds``: product → its kind."""
    numbers: dict[str, int] = {}
    for kind in kinds.values():
        numbers[kind] = numbers.get(kind, 0) + 1

    def measure(row: Row, found: Found) -> float:
        right = sum(numbers[kind] for kind in row["kinds"])
        return gain([float(kinds[id] in row["kinds"]) for id in found], [1.0] * min(right, DEPTH))

    return measure


def first_rank(row: Row, found: Found) -> float:
    wanted: Sequence[str] = row.get("products") or [row["product"]]
    return next((1 / (n + 1) for n, id in enumerate(found) if id in wanted), 0.0)


def by_grade(qrels: Qrels) -> Measure:
    def measure(row: Row, found: Found) -> float:
        grades = qrels[row["id"]]
        return gain([float(grades.get(id, 0)) for id in found], [*map(float, grades.values())])

    return measure


def satisfied(products: Mapping[str, Row]) -> dict[str, Measure]:
    def verdict(row: Row, found: Found) -> Any:
        return judge(row, found[:5], products)

    return {
        "satisfied": lambda row, found: float(verdict(row, found).satisfied),
        "well": lambda row, found: float(verdict(row, found).well),
    }


def tasks(data: Path, half: str) -> Iterator[Task]:
    """Every set, or the half of it that is asked for."""

    def halved(rows: Sequence[Row]) -> list[Row]:
        return [*rows[half == "report" :: 2]]

    needs, retail = lines(NEEDS), retail_products(data)
    fashion = {row["id"]: row for row in lines(data / "fashion" / "products.jsonl")}
    asked = [
        row
        for path in REQUESTS.values()
        for row in lines(path)
        if row["half"] == half and "like" not in row
    ]
    kinds = by_kind({row["id"]: row["category"].replace("/", " > ") for row in retail})
    made = [
        {**row, "kinds": [kind.replace("/", " > ") for kind in row["kinds"]]}
        for row in [*texts(retail)][MADE[half]]
    ]
    own = [r for r in needs if r["shop"] == "retail"]
    yield Task("retail", "needs", halved(own), {"nDCG@10": kinds})
    yield Task("retail", "texts", made, {"nDCG@10": kinds, "MRR@10": first_rank})
    yield Task("retail", "titles", [*titles(retail)][MADE[half]], {"MRR@10": first_rank})
    own = [r for r in needs if r["shop"] == "fashion"]
    types = by_kind({id: row["type"] for id, row in fashion.items()})
    yield Task("fashion", "needs", halved(own), {"nDCG@10": types})
    qrels = read_qrels(data / "fashion" / "attribute_qrels_all.tsv")
    attributes = lines(data / "fashion" / "attribute_queries.jsonl")
    yield Task("fashion", "attributes", attributes, {"nDCG@10": by_grade(qrels)})
    own = [r for r in asked if r["shop"] == "fashion"]
    yield Task("fashion", "", own, satisfied(fashion))
    named = [{**row, "text": row["en"]} for row in lines(NAMED)]
    yield Task("demo", "named", named, {"MRR@10": first_rank})
    yield Task("demo", "", [r for r in asked if r["shop"] == "demo"], satisfied(demo_products()))


@contextmanager
def shop_with(config: Path, kinds: float) -> Iterator[Engine]:
    """The shop as configured, with this strength of likely kinds."""
    configured = load_settings(config, os.environ)
    options = {**configured.plugins.options, "understood": {"kinds": kinds}}
    # A loaded machine must not cost a plugin its turn and the figures their meaning.
    plugins = msgspec.structs.replace(configured.plugins, options=options, deadline_ms=60_000)
    with Engine(msgspec.structs.replace(configured, plugins=plugins)) as shop:
        shop.words.read()  # else a moment after the start
        yield shop


def results(shop: Engine, todo: Sequence[Task]) -> list[list[list[str]]]:
    """Product ids per task and query."""
    return [
        [
            [
                hit.id
                for hit in shop.search(
                    SearchRequest(Query(row["text"]), limit=DEPTH, fields=("id",))
                ).hits
            ]
            for row in task.queries
        ]
        for task in todo
    ]


def compare(config: Path, todo: Sequence[Task], strength: float) -> None:
    with shop_with(config, 0.0) as shop:
        before = results(shop, todo)
    with shop_with(config, strength) as shop:
        after = results(shop, todo)
    for task, off, on in zip(todo, before, after, strict=True):
        for name, measure in task.measures.items():
            old, new = (
                np.asarray([measure(*pair) for pair in zip(task.queries, found, strict=True)])
                for found in (off, on)
            )
            low, high = bootstrap_interval(new - old)
            print(
                f"{task.shop:8} {task.name:11}{name:10}{len(old):5}{old.mean():8.3f}"
                f"{new.mean():8.3f}{(new - old).mean():+9.3f}   {low:+.3f} to {high:+.3f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--write", type=Path, help="make the retail shop in this folder and stop")
    for shop in ("retail", "fashion", "demo"):
        parser.add_argument(f"--{shop}", type=Path, help="entrepot.toml of an index of it")
    parser.add_argument("--half", choices=("dev", "report"), default="report")
    parser.add_argument("--strength", type=float, default=1.0)
    args = parser.parse_args()
    if args.write:
        write_shop(args.write, retail_products(args.data))
        return
    print(
        f"{'shop':8} {'queries':11}{'':10}{'n':>5}{'off':>8}{'on':>8}{'change':>9}   95 % interval"
    )
    todo = [*tasks(args.data, args.half)]
    for shop in ("retail", "fashion", "demo"):
        if config := getattr(args, shop):
            compare(config, [task for task in todo if task.shop == shop], args.strength)
        else:
            print(f"{shop:8} skipped; give --{shop}")


if __name__ == "__main__":
    main()
